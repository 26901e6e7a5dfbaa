"""Orders: sort, topk, median, quantiles, searchsorted; NumPy finds the places, ops the values."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.runtime.dtype import convert, float32, int32, int64

from .. import capture, creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .choice import where
from .out import with_out
from .precision import autocast_widens, rounded_once
from .promote import normal_dim, normal_dims, result_type, to_dtype
from .selecting import distinct
from .unary import isnan

__all__ = [
    "argsort", "bucketize", "histc", "kthvalue", "median", "mode", "msort", "nanmedian",
    "nanquantile", "quantile", "searchsorted", "sort", "topk", "unique",
]  # fmt: skip

sort_result = namedtuple("sort_result", ["values", "indices"])
topk_result = namedtuple("topk_result", ["values", "indices"])
kthvalue_result = namedtuple("kthvalue_result", ["values", "indices"])
median_result = namedtuple("median_result", ["values", "indices"])
nanmedian_result = namedtuple("nanmedian_result", ["values", "indices"])
mode_result = namedtuple("mode_result", ["values", "indices"])


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Return the indices that sort along dim (NaN last; equal elements in order)."""
    axis = normal_dim(dim, input.ndim)
    if not input.ndim:
        return input.new_zeros((), dtype=int64)  # type: ignore[no-any-return]
    return ops.argsort(input, axis=axis, descending=bool(descending))


@with_out
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return (values, indices) in order along dim."""
    order = argsort(input, dim, descending, stable)
    if not input.ndim:
        return sort_result(input.clone(), order)
    return sort_result(input.gather(dim, order), order)


@with_out
def msort(input: Tensor) -> Tensor:
    """Return the elements in order along the first dim."""
    return sort(input, 0)[0]  # type: ignore[no-any-return]


@with_out
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return the k largest (or smallest) elements along dim and their indices."""
    size = _line(input, dim)
    if not 0 <= k <= size:
        raise RuntimeError(at_line(f"selected index k out of range: {k} of {size}"))
    if not input.ndim:
        return topk_result(*sort(input))
    axis = normal_dim(dim, input.ndim)
    order = ops.topk(input, count=k, axis=axis, largest=bool(largest))
    return topk_result(input.gather(dim, order), order)


def _line(input: Tensor, dim: int) -> int:
    """Return how many elements lie along dim."""
    axis = normal_dim(dim, input.ndim)
    return input._type.shape[axis] if input.ndim else 1


# -- one element of each line -------------------------------------------------------------------


def _chosen(input: Tensor, index: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    """Return the elements at an index that has one place for each line, and that index."""
    if not input.ndim:
        return input.clone(), index
    values = input.gather(dim, index)
    return (values, index) if keepdim else (values.squeeze(dim), index.squeeze(dim))


@with_out
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the k-th smallest element along dim, counted from 1, and its index."""
    size = _line(input, dim)
    if not 1 <= k <= size:
        raise RuntimeError(at_line(f"kthvalue(): selected number k out of range: {k} of {size}"))
    return kthvalue_result(*_chosen(input, _kth(input, dim, k - 1), dim, keepdim))


def _kth(input: Tensor, dim: int, place: int) -> Tensor:
    """Return the index of the element at a place of each sorted line."""
    if not input.ndim:
        return argsort(input)
    found = ops.kth(input, place=place, axis=normal_dim(dim, input.ndim))
    return found.unsqueeze(dim)  # type: ignore[no-any-return]


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle element (the lower of two); with dim, of each line, and its index.

    NaN where there is one.
    """
    if dim is None:
        return _median_of_all(input, median)
    index = _kth(input, dim, (_filled_line(input, dim) - 1) // 2)
    first_nan = _first(isnan(input), dim)
    index = where(isnan(input).any(dim, keepdim=True), first_nan, index) if input.ndim else index
    return median_result(*_chosen(input, index, dim, keepdim))


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle element of those that are no NaN; with dim, of each line, and its index."""
    if dim is None:
        return _median_of_all(input, nanmedian)
    _filled_line(input, dim)
    numbers = isnan(input).logical_not().sum(dim, keepdim=True)
    order = argsort(input, dim)  # NaN comes last
    index = order.gather(dim, ((numbers - 1) // 2).clamp(min=0)) if input.ndim else order
    return nanmedian_result(*_chosen(input, index, dim, keepdim))


def _median_of_all(input: Tensor, function: Any) -> Tensor:
    if not input._type.numel:
        if not input._type.dtype.is_inexact:
            raise ShapeError(at_line(f"{function.__name__} of no elements has no value"))
        return creation.full((), math.nan, dtype=input._type.dtype, device=input.device)
    return function(input.reshape(-1), 0)[0]  # type: ignore[no-any-return]


def _filled_line(input: Tensor, dim: int) -> int:
    """Return how many elements lie along dim, if there are any."""
    size = _line(input, dim)
    if not size:
        raise IndexError(at_line(f"median wants elements along dim {dim}, got {input._type}"))
    return size


def _first(mask: Tensor, dim: int) -> Tensor:
    """Return where along dim a mask holds first."""
    return to_dtype(mask, int64).argmax(dim, keepdim=True)  # type: ignore[no-any-return]


@with_out
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the element that occurs most often along dim, the smallest of several, and an index.

    The index is the last one at which it stands.
    """
    if not input.ndim:
        return mode_result(input.clone(), argsort(input))
    index = ops.mode(input, axis=normal_dim(dim, input.ndim)).unsqueeze(dim)
    return mode_result(*_chosen(input, index, dim, keepdim))


# -- quantiles ----------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@with_out
@autocast_widens
@rounded_once
def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """Return the q-quantiles of lines along dim, or of all elements; NaN where there is one.

    interpolation: "linear" between two neighbours, or the "lower", "higher", "nearest" one of
    them, or their "midpoint". A vector of quantiles is the first dim of the result.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@with_out
@autocast_widens
@rounded_once
def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """Return what quantile does, of those elements that are no NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str
) -> Tensor:
    if interpolation not in _INTERPOLATIONS:
        names = ", ".join(_INTERPOLATIONS)
        raise RuntimeError(at_line(f"interpolation is one of {names}, got {interpolation!r}"))
    axis = None if dim is None else normal_dim(dim, input.ndim)
    flat = axis is None or not input.ndim
    lines = input.reshape(-1) if flat else input.movedim(axis, -1)
    if not lines._type.shape[-1]:
        raise RuntimeError(at_line(f"{name}() input tensor must be non-empty"))
    places = q if isinstance(q, Tensor) else creation.as_tensor(q, input._type.dtype, input.device)
    ordered, unknown = sort(lines)[0], isnan(lines)  # what is unknown comes last
    last: Any = lines._type.shape[-1] - 1
    wanted = places.reshape(-1)
    if name == "quantile":
        wanted = where(unknown.any(-1, keepdim=True), 1.0, wanted)
    else:
        last = unknown.logical_not().sum(-1, keepdim=True) - 1
    rank = (wanted * last).clamp(min=0).expand(*ordered._type.shape[:-1], places._type.numel)
    found = _between(ordered, rank, interpolation)
    found = found.movedim(-1, 0)
    if keepdim:
        axes = range(input.ndim) if dim is None else normal_dims(dim, input.ndim)
        shape = [1 if axis in axes else size for axis, size in enumerate(input._type.shape)]
        found = found.reshape(-1, *shape)
    return found if places.ndim else found.squeeze(0)  # type: ignore[no-any-return]


def _between(ordered: Tensor, rank: Tensor, interpolation: str) -> Tensor:
    """Return what stands at the ranks in ordered lines, or between them."""

    def at(place: Tensor) -> Tensor:
        return ordered.gather(-1, to_dtype(place, int64))  # type: ignore[no-any-return]

    match interpolation:
        case "lower":
            return at(rank.floor())
        case "higher":
            return at(rank.ceil())
        case "nearest":
            return at(rank.round())
        case _:
            low = at(rank.floor())
            weight = rank - rank.floor() if interpolation == "linear" else 0.5
            return low + (at(rank.ceil()) - low) * weight


# -- places and counts --------------------------------------------------------------------------


@with_out
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Return where values would be put into sorted vectors: one, or one for each row of values."""
    if side not in (None, "left", "right") or (right and side == "left"):
        raise RuntimeError(at_line(f"side is 'left' or 'right', as right says, got {side!r}"))
    line = sorted_sequence if sorter is None else sorted_sequence.gather(-1, sorter)
    values = input if isinstance(input, Tensor) else creation.as_tensor(input, device=line.device)
    dtype = result_type(line, input if isinstance(input, int | float) else values)
    line, values = to_dtype(line, dtype), to_dtype(values, dtype)
    found = ops.searchsorted(line, values, right=right or side == "right")
    return to_dtype(found, int32) if out_int32 else found


@with_out
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Return the number of the bucket that each element falls into."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@with_out
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many elements fall into each of `bins` equal ranges from min to max.

    Where these are equal, from the smallest to the largest element.
    """
    if bins <= 0:
        raise RuntimeError(at_line(f"histc wants bins > 0, got {bins}"))
    if max < min:
        raise RuntimeError(at_line(f"histc wants max >= min, got {min} to {max}"))
    return ops.histogram(input, bins=bins, low=float(min), high=float(max))


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the different elements in order; eager only."""
    capture.refuse("unique() (a shape that depends on data)", "call it outside")
    if creation.unread(input) and dim is None:
        found = distinct(input, nan_is_one=True)
        chosen = (
            found.inverse if return_inverse else None,
            found.counts if return_counts else None,
        )
        more = [part for part in chosen if part is not None]
        return (found.values, *more) if more else found.values
    found = np.unique(  # type: ignore[call-overload]
        _comparable(input), return_inverse=return_inverse, return_counts=return_counts, axis=dim
    )
    values, *rest = found if isinstance(found, tuple) else (found,)
    results = [Tensor._from_array(convert(values, input._type.dtype))]
    if return_inverse and dim is None:
        rest[0] = rest[0].reshape(input._type.shape)
    results += [Tensor._from_array(np.asarray(part, order="C")) for part in rest]
    return tuple(results) if rest else results[0]


def _comparable(x: Tensor) -> np.ndarray:
    """Return the elements for NumPy to order: 16-bit floats as float32, whose NaN it knows."""
    array = x._copied()
    return convert(array, float32) if x._type.dtype.narrow else array
