"""Orders: sort, argsort, topk, unique; computed eagerly by NumPy."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from jitnet.runtime.dtype import convert, float32

from .. import capture
from ..errors import at_line
from ..tensor import Tensor
from .precision import autocast_widens, rounded_once
from .promote import normal_dim

sort_result = namedtuple("sort_result", ["values", "indices"])
topk_result = namedtuple("topk_result", ["values", "indices"])


def _comparable(x: Tensor) -> np.ndarray:
    """Return the elements for NumPy to order: 16-bit floats as float32, whose NaN it knows."""
    array = x._copied()
    return convert(array, float32) if x._type.dtype.narrow else array


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Return the indices that sort along dim (NaN last; equal elements in order); eager only."""
    capture.refuse("sorting", "sort outside of the compiled function")
    axis = normal_dim(dim, input.ndim)
    array = _comparable(input)
    if not array.shape:
        return Tensor._from_array(np.zeros((), np.int64))
    if descending:
        turned = np.flip(array, axis)
        order = np.argsort(turned, axis=axis, kind="stable")
        order = np.flip(array.shape[axis] - 1 - order, axis)
    else:
        order = np.argsort(array, axis=axis, kind="stable")
    return Tensor._from_array(np.ascontiguousarray(order.astype(np.int64)))


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return (values, indices) in order along dim; eager only."""
    order = argsort(input, dim, descending, stable)
    if not input.ndim:
        return sort_result(input.clone(), order)
    return sort_result(input.gather(dim, order), order)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return the k largest (or smallest) elements along dim and their indices; eager only."""
    size = input._type.shape[normal_dim(dim, input.ndim)] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(at_line(f"selected index k out of range: {k} of {size}"))
    values, indices = sort(input, dim, descending=largest)
    if not input.ndim:
        return topk_result(values, indices)
    return topk_result(
        values.narrow(dim, 0, k).contiguous(), indices.narrow(dim, 0, k).contiguous()
    )


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the different elements in order; eager only."""
    capture.refuse("unique() (a shape that depends on data)", "call it outside")
    found = np.unique(  # type: ignore[call-overload]
        _comparable(input), return_inverse=return_inverse, return_counts=return_counts, axis=dim
    )
    values, *rest = found if isinstance(found, tuple) else (found,)
    results = [Tensor._from_array(convert(values, input._type.dtype))]
    results += [Tensor._from_array(np.ascontiguousarray(part)) for part in rest]
    return tuple(results) if rest else results[0]


@autocast_widens
@rounded_once
def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return the q-quantiles (between neighbours, linearly); eager only."""
    capture.refuse("quantile()", "call it outside of the compiled function")
    places = q._copied() if isinstance(q, Tensor) else q
    found = np.quantile(input._copied(), places, axis=dim, keepdims=keepdim)
    return Tensor._from_array(np.asarray(found, input._type.dtype.numpy))


def searchsorted(
    sorted_sequence: Tensor,
    values: Any,
    *,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Return where values would be put into a vector that sorter sorts; eager only."""
    capture.refuse("searchsorted()", "call it outside, or compare and sum: (v > edges).sum(-1)")
    if sorted_sequence.ndim != 1:
        raise NotImplementedError(at_line("searchsorted wants one sorted vector"))
    wanted = _comparable(values) if isinstance(values, Tensor) else values
    if side not in (None, "left", "right") or (right and side == "left"):
        raise RuntimeError(at_line(f"side is 'left' or 'right', as right says, got {side!r}"))
    side = "right" if right else side or "left"
    order = None if sorter is None else sorter._copied()
    found = np.searchsorted(_comparable(sorted_sequence), wanted, side, order)  # type: ignore[call-overload]
    return Tensor._from_array(np.asarray(found, np.int64))


def bucketize(input: Any, boundaries: Tensor, *, right: bool = False) -> Tensor:
    """Return the number of the bucket that each element falls into; eager only."""
    return searchsorted(boundaries, input, right=right)


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many elements fall into each of `bins` equal ranges; eager only."""
    capture.refuse("histc()", "call it outside of the compiled function")
    array = _comparable(input)
    low, high = (array.min(), array.max()) if min == max == 0 and array.size else (min, max)
    counts, _ = np.histogram(array, bins, (float(low), float(high)))
    return Tensor._from_array(convert(counts, input._type.dtype))
