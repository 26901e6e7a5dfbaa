"""Values combined where an index names places: scatter_reduce, index_reduce, put."""

from __future__ import annotations

import math
from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType, bool_

from .. import creation
from ..errors import DTypeError, ShapeError, at_line
from ..limits import iinfo
from ..tensor import Tensor
from .choice import where
from .indexing import _flat_places, _index, _inside_along, _one_dim
from .out import with_out
from .precision import rounded_once
from .promote import normal_dim

__all__ = ["index_reduce", "put", "scatter_reduce"]

_KINDS = ("sum", "prod", "mean", "amax", "amin")


def _neutral(kind: str, dtype: DType) -> Any:
    """Return what a value is combined with to stay as it is."""
    if kind == "prod":
        return 1
    if kind in ("sum", "mean"):
        return 0
    if dtype.kind == "float":
        return -math.inf if kind == "amax" else math.inf
    if dtype is bool_:
        return kind == "amin"
    return iinfo(dtype).min if kind == "amax" else iinfo(dtype).max


def _combined(x: Tensor, i: Tensor, v: Tensor, axis: int, kind: str, include_self: bool) -> Tensor:
    """Return x with each part of v combined with the part of x at its place along axis."""
    if not include_self:
        start = creation.full(
            v._type.shape, _neutral(kind, x._type.dtype), dtype=x._type.dtype, device=x.device
        )
        x = ops.put(x, i, start, axis=axis, accumulate=False)
    if kind in ("prod", "amax", "amin"):
        return ops.combine(x, i, v, axis=axis, reduce=kind)
    total = ops.put(x, i, v, axis=axis, accumulate=True)
    if kind == "sum":
        return total
    count = creation.full(x._type.shape, int(include_self), dtype=x._type.dtype, device=x.device)
    one = creation.full(v._type.shape, 1, dtype=x._type.dtype, device=x.device)
    count = ops.put(count, i, one, axis=axis, accumulate=True)
    count = where(count.eq(0), 1, count)
    return total / count if x._type.dtype.kind == "float" else total // count


def _check(kind: str, known: tuple[str, ...], name: str) -> None:
    if kind not in known:
        raise RuntimeError(at_line(f"{name} knows {', '.join(known)}, got {kind!r}"))


@with_out
@rounded_once
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Return input with src combined where index names along dim.

    include_self: whether input's own elements at those places count.
    """
    _check(reduce, _KINDS, "scatter_reduce")
    index = _index(index, "scatter_reduce")
    if src._type.dtype is not input._type.dtype:
        raise DTypeError(
            at_line(f"scatter_reduce wants src of input's dtype {input._type}, got {src._type}")
        )
    x, places, values = _one_dim(input), _one_dim(index), _one_dim(src)
    if values.ndim != places.ndim or any(
        have < want for have, want in zip(values._type.shape, places._type.shape, strict=True)
    ):
        raise ShapeError(
            at_line(f"scatter_reduce wants src as large as index {index._type}, got {src._type}")
        )
    axis = normal_dim(dim, x.ndim)
    values = values[tuple(slice(0, size) for size in places._type.shape)]
    flat = _flat_places(x, axis, places, "scatter_reduce")
    done = _combined(x.reshape(-1), flat.reshape(-1), values.reshape(-1), 0, reduce, include_self)
    return done.reshape(input._type.shape)  # type: ignore[no-any-return]


@with_out
@rounded_once
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """Return input with the parts of source combined with those parts along dim index names."""
    _check(reduce, _KINDS[1:], "index_reduce")
    x, axis, places = _inside_along(input, dim, index, "index_reduce")
    shape = (*x._type.shape[:axis], places._type.numel, *x._type.shape[axis + 1 :])
    if source._type.dtype is not x._type.dtype:
        raise DTypeError(
            at_line(f"index_reduce wants a source of input's dtype {x._type}, got {source._type}")
        )
    if _one_dim(source)._type.shape != shape:
        raise ShapeError(
            at_line(f"index_reduce wants a source of shape {list(shape)}, got {source._type}")
        )
    done = _combined(x, places, source.reshape(shape), axis, reduce, include_self)
    return done.reshape(input._type.shape)  # type: ignore[no-any-return]


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Return input with source's elements at (or added at) places of it, flattened."""
    index = _index(index, "put")
    if source._type.dtype is not input._type.dtype:
        raise DTypeError(
            at_line(f"put wants a source of input's dtype {input._type}, got {source._type}")
        )
    if index._type.numel != source._type.numel:
        raise ShapeError(
            at_line(f"put wants an element for each place, got {source._type} for {index._type}")
        )
    count = input._type.numel
    places = where(index < 0, index + count, index).reshape(-1)
    line, values = input.reshape(-1), source.reshape(-1)
    done = ops.put(line, places, values, axis=0, accumulate=accumulate)
    return done.reshape(input._type.shape)  # type: ignore[no-any-return]
