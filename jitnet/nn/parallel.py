"""DataParallel and DistributedDataParallel: a model on several devices, of which there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jitnet import functional as F
from jitnet.other_names import also
from jitnet.tensor import Tensor

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


# What DataParallel is made of, for one device.


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Return module(*inputs)."""
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*args, **(module_kwargs or {}))


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> list[Any]:
    """Return the inputs for each device: all of them for the only one."""
    _need_one(target_gpus)
    return [inputs]


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Module]:
    """Return the network for each device: itself."""
    _need_one(devices)
    return [network]


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Any = None,
) -> list[Any]:
    """Return what each module gives for its input, one after another."""
    named = kwargs_tup or [{}] * len(modules)
    return [
        module(*(given if isinstance(given, (list, tuple)) else (given,)), **options)
        for module, given, options in zip(modules, inputs, named, strict=True)
    ]


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """Return the outputs of all devices as one tensor, or as a tuple or dict of such."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return F.cat(list(outputs), dim)
    if isinstance(first, dict):
        return {key: gather([each[key] for each in outputs], target_device, dim) for key in first}
    parts = zip(*outputs, strict=True)
    return type(first)(gather(part, target_device, dim) for part in parts)


def _need_one(devices: Sequence[Any]) -> None:
    if len(devices) != 1:
        raise RuntimeError(f"there is one device, the CPU; got {len(devices)}: {list(devices)}")


also(__name__, distributed=sys.modules[__name__], scatter_gather=sys.modules[__name__])
