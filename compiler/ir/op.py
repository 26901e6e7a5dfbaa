"""The op record: one object says all about an operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, overload

from jitnet.runtime.dataclass import dataclass

from .types import TensorType


class Bindable(Protocol):
    """A value that ops apply to: an eager or traced tensor, or a graph node."""

    def __bind__(self, op: Op, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Apply op to args: compute now, or grow a graph."""


Value = TypeVar("Value", bound=Bindable)


def always(**params: Any) -> bool:
    """Say yes, whatever the params: for `Op.moves`."""
    return True


@dataclass(frozen=True, eq=False)
class Op:
    """One primitive operation; calling it lets its arguments decide what happens.

    name: as printed in graphs.
    type: (*TensorType, **params) -> TensorType, or ShapeError / DTypeError naming what was got.
    eval: (*ndarray, **params) -> ndarray; may return a view of an argument (movement ops do).
    grad: (g, y, *args, **params) -> one gradient (or None) for each argument, written with ops;
          None when no argument has a gradient.
    lower: how it becomes loops, a record of ir/lowering.py; None for leaves.
    moves: whether, with these params, it moves elements without computing anything of them, or
          reads their bits: then it gets values of all dtypes as they are stored.
    keeps: which values the gradient reads: numbers of arguments, -1 for the result; all for None.
          Of the others it reads types only, so that the tape need not keep them.
    """

    name: str
    type: Callable[..., TensorType]
    eval: Callable[..., Any]
    grad: Callable[..., Sequence[Any]] | None = None
    lower: Any = None
    keeps: tuple[int, ...] | None = None
    moves: Callable[..., bool] = lambda **params: False

    @overload
    def __call__(self, first: Value, /, *rest: Any, **params: Any) -> Value: ...

    @overload
    def __call__(self, *args: Any, **params: Any) -> Any: ...

    def __call__(self, *args: Any, **params: Any) -> Any:
        for arg in args:
            bind = getattr(arg, "__bind__", None)
            if bind is not None:
                return bind(self, args, params)
        raise TypeError(f"{self.name} wants a tensor among its arguments, got {args!r}")

    def __repr__(self) -> str:
        return f"<op {self.name}>"
