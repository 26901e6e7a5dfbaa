"""Writing in place: what an in-place function reads, checks and overwrites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import creation, tape
from ..device import CPU
from ..errors import at_line
from ..functional.promote import to_dtype, to_shape
from ..tensor import Tensor
from .transfer import moved

# In-place functions whose gradient does not read what they overwrite.


_LINEAR_IN_SELF = frozenset(
    (
        "add", "sub", "subtract", "neg", "negative", "relu", "clamp", "clip", "clamp_min",
        "clamp_max", "masked_fill", "scatter", "scatter_add", "index_add", "index_copy",
        "index_fill", "index_put", "tril", "triu", "cumsum", "addmm", "addmv", "addr", "baddbmm",
    )
)  # fmt: skip

_RANKS = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}


def source(self: Tensor, name: str, others: tuple[Any, ...]) -> Tensor:
    """Return what an in-place function reads: a snapshot where the tape will keep it."""
    if not tape.mode.now.enabled:
        return self
    recorded = self.requires_grad or any(getattr(x, "requires_grad", False) for x in others)
    return self._snapshot(keep=name not in _LINEAR_IN_SELF) if recorded else self


def write(self: Tensor, value: Any) -> Tensor:
    """Overwrite self by a result, which must fit self's shape and dtype."""
    kind = value._type
    if kind.shape != self._type.shape:
        raise RuntimeError(
            at_line(
                f"output with shape {list(self._type.shape)} doesn't match the broadcast shape "
                f"{list(kind.shape)}"
            )
        )
    if kind.dtype is not self._type.dtype:
        check_cast(self, value)
        value = to_dtype(value, self._type.dtype)
    return self._assign(value)


def check_cast(self: Tensor, value: Tensor) -> None:
    """Refuse a result of a kind that a tensor's dtype cannot hold, such as floats in integers."""
    found, wanted = value._type.dtype, self._type.dtype
    if _RANKS[found.kind] > _RANKS[wanted.kind]:
        raise RuntimeError(
            at_line(
                f"result type {found.name} can't be cast to the desired output type {wanted.name}"
            )
        )


def in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """Return the method that writes a function's result over the tensor."""

    def apply(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return write(self, function(source(self, name[:-1], args), *args, **kwargs))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Do {name[:-1]} in place."
    return apply


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite the elements with src's, cast and broadcast."""
    value = creation.as_tensor(src, device=self.device) if not isinstance(src, Tensor) else src
    if value.device is not self.device:
        value = moved(value, self.device, non_blocking and self.device is not CPU)
    fitted = to_shape(to_dtype(value, self._type.dtype), self._type.shape)
    return self._assign(fitted)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to value."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                at_line(f"fill_ only supports 0-dimension value tensor but got {value._type}")
            )
        return copy_(self, value)
    dtype, device = self._type.dtype, self.device
    return self._assign(creation.full(self._type.shape, value, dtype=dtype, device=device))


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write fill_value to the main diagonal: [i, i, ...]; wrap goes on below a tall matrix."""
    shape = self._type.shape
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise RuntimeError(
            at_line(f"fill_diagonal_ wants a matrix, or equal dims of more, got {self._type}")
        )
    places: Any = creation.counting(shape, 0)
    if wrap and len(shape) == 2:
        places = places.remainder(shape[1] + 1)
    held = places.eq(creation.counting(shape, 1))
    for axis in range(2, len(shape)):
        held = held.logical_and(places.eq(creation.counting(shape, axis)))
    return write(self, source(self, "masked_fill", ()).masked_fill(held, fill_value))


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return fill_(self, 0)
