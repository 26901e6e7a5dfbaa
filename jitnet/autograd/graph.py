"""jitnet.autograd.graph: nodes of the tape, and how they keep tensors for backward."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from .. import capture
from ..errors import CompileError, at_line
from ..missing import missing
from ..tape import TapeNode as Node
from ..tensors.packing import Pack, Unpack, packed_by

__all__ = ["Node", "save_on_cpu", "saved_tensors_hooks"]


class saved_tensors_hooks:  # noqa: N801
    """Keep `pack_hook(tensor)` of what ops inside the block keep for backward.

    backward() gets the tensor again as `unpack_hook(kept)`. Compiled calls plan their memory
    themselves: they keep what they keep.
    """

    def __init__(self, pack_hook: Pack, unpack_hook: Unpack) -> None:
        self._hooks = pack_hook, unpack_hook
        self._block: AbstractContextManager[None] | None = None

    def __enter__(self) -> None:
        if capture.current() is not None:
            raise CompileError(
                at_line("a compiled function cannot use saved_tensors_hooks: it plans its memory")
            )
        self._block = packed_by(self._hooks)
        self._block.__enter__()

    def __exit__(self, *exc_info: Any) -> None:
        assert self._block is not None
        self._block.__exit__(*exc_info)


class save_on_cpu(saved_tensors_hooks):  # noqa: N801
    """Keep what ops inside the block keep for backward in the CPU's memory."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(
            lambda tensor: (tensor.device, tensor.cpu()), lambda kept: kept[1].to(kept[0])
        )


__getattr__ = missing(__name__, globals())
