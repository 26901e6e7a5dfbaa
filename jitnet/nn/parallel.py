"""DataParallel and DistributedDataParallel: a model on several devices, of which there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .module import Module


class _Wrapped(Module):
    """A module around another, called `module`, as PyTorch's state_dict names it."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module inside returns."""
        return self.module(*args, **kwargs)


class DataParallel(_Wrapped):
    """Passes its inputs on to the module inside: there is one device."""

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__(module)
        self.dim = dim
        self.device_ids: list[int] = []


class DistributedDataParallel(_Wrapped):
    """Passes its inputs on to the module inside: there is one process, whose gradients are all."""

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(module)
        self.dim = dim

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Do nothing around a block: there is nobody to synchronise with."""
        yield
