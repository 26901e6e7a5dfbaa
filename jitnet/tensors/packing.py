"""What is kept for backward, when the user's functions say how: see autograd/graph.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import capture
from .. import tensor as tensors
from ..errors import at_line
from ..modes import mode

Pack = Callable[[Any], Any]  # of a tensor
Unpack = Callable[[Any], Any]

hooks: tuple[Pack, Unpack] | None = None  # what packs now


def active() -> bool:
    """Whether what is kept now is to be packed: a trace keeps values as its graph does."""
    return hooks is not None and (capture.active is None or capture.current() is None)


@contextmanager
def packed_by(functions: tuple[Pack, Unpack] | None) -> Iterator[None]:
    """Let these functions pack what ops keep inside the block; None for as it is."""
    global hooks
    before, hooks = hooks, functions
    try:
        yield
    finally:
        hooks = before


class Packed:
    """A tensor as pack() left it, and what it was in the history of others."""

    __slots__ = ("_history", "_kept", "_leaf", "_unpack")

    def __init__(self, tensor: Any) -> None:
        assert hooks is not None
        pack, self._unpack = hooks
        is_leaf = tensor._requires_grad and tensor._grad_fn is None
        self._leaf = tensor if is_leaf else None  # it lives anyway
        self._history = tensor._requires_grad, tensor._grad_fn, tensor._output_nr
        with packed_by(None):
            self._kept = pack(tensors._alias(tensor, tensors.Tensor))

    def tensor(self) -> Any:
        """Return what unpack() makes of it, with the history that it had."""
        if self._leaf is not None and mode.now.enabled:
            return self._leaf  # whose gradient a second derivative may want
        with packed_by(None):
            value = self._unpack(self._kept)
        if not isinstance(value, tensors.Tensor):
            raise TypeError(
                at_line(f"the unpack hook must return a Tensor, got {type(value).__name__}")
            )
        made = tensors._alias(value, tensors.Tensor)
        made._requires_grad, made._grad_fn, made._output_nr = self._history
        return made
