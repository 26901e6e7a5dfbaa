"""Runs, places and counts of elements: shapes that depend on data, so mostly eager."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import DType, convert, int64

from .. import capture, creation
from ..errors import at_line
from ..tensor import Tensor
from .choice import where
from .joining import cat, stack
from .out import with_out
from .promote import need_float, normal_dim
from .sorting import _comparable

__all__ = ["histogram", "histogramdd", "nonzero_static", "unique_consecutive"]

histogram_result = namedtuple("histogram_result", ["hist", "bin_edges"])
histogramdd_result = namedtuple("histogramdd_result", ["hist", "bin_edges"])


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the first of each run of equal elements (or parts along dim); eager only."""
    capture.refuse("unique_consecutive() (a shape that depends on data)", "call it outside")
    array = _comparable(input)
    axis = None if dim is None else normal_dim(dim, input.ndim)
    lines = array.reshape(-1, 1) if axis is None else np.moveaxis(array, axis, 0)
    rows = lines.reshape(lines.shape[0], numel(lines.shape[1:]))
    fresh = np.ones(rows.shape[0], bool)
    fresh[1:] = (rows[1:] != rows[:-1]).any(1)
    kept = lines[fresh].reshape(-1) if axis is None else np.moveaxis(lines[fresh], 0, axis)
    found = [Tensor._from_array(convert(np.ascontiguousarray(kept), input._type.dtype))]
    run = np.cumsum(fresh, dtype=np.int64) - 1
    if return_inverse:
        found.append(Tensor._from_array(run.reshape(input._type.shape) if axis is None else run))
    if return_counts:
        counts = np.bincount(run, minlength=int(fresh.sum())).astype(np.int64)
        found.append(Tensor._from_array(counts))
    return tuple(found) if len(found) > 1 else found[0]


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Return the places of the first `size` elements that are not 0, then rows of fill_value."""
    if size < 0:
        raise RuntimeError(at_line(f"nonzero_static wants size >= 0, got {size}"))
    count = min(size, input._type.numel)
    held = input.reshape(-1).ne(0)
    rest = held.logical_not().argsort(stable=True)[:count]  # the places of what is not 0, first
    places = []
    for length in reversed(input._type.shape):
        places.append(rest % length)
        rest = rest // length
    found = stack(places[::-1], 1) if places else creation.zeros(count, 0, dtype=int64)
    real = creation.counting((count,), 0).lt(held.sum()).unsqueeze(1)
    more = creation.full((size - count, input.ndim), fill_value)
    return cat([where(real, found, fill_value), more], 0)


# -- histograms ---------------------------------------------------------------------------------


def _weights(weight: Tensor | None, shape: tuple[int, ...], name: str) -> np.ndarray | None:
    if weight is None:
        return None
    if weight._type.shape != shape:
        raise RuntimeError(
            at_line(f"{name} wants weights of shape {list(shape)}, got {weight._type}")
        )
    return weight._copied().reshape(-1)


def _edges(bins: Any, dtype: DType, name: str) -> Any:
    """Return a number of bins, or their edges as an array."""
    if isinstance(bins, int):
        if bins <= 0:
            raise RuntimeError(at_line(f"{name} wants bins > 0, got {bins}"))
        return bins
    if bins.ndim != 1 or bins._type.dtype is not dtype or not bins._type.numel:
        raise RuntimeError(at_line(f"{name} wants edges {dtype.name}[n], got {bins._type}"))
    return bins._copied()


@with_out
def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return (hist, bin_edges): how many elements fall between neighbouring edges; eager only."""
    need_float("histogram", input)
    capture.refuse("histogram()", "call it outside, or use histc()")
    edges = _edges(bins, input._type.dtype, "histogram")
    weights = _weights(weight, input._type.shape, "histogram")
    limits = None if range is None else (float(range[0]), float(range[1]))
    counts, found = np.histogram(input._copied().reshape(-1), edges, limits, density, weights)
    return histogram_result(
        *[Tensor._from_array(convert(part, input._type.dtype)) for part in (counts, found)]
    )


def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return (hist, bin_edges) of points, whose coordinates are the last dim; eager only."""
    need_float("histogramdd", input)
    capture.refuse("histogramdd()", "call it outside")
    rank = input._type.shape[-1] if input.ndim > 1 else 0
    given = [bins] * rank if isinstance(bins, int) else list(bins)
    if not rank or len(given) != rank:
        raise RuntimeError(
            at_line(f"histogramdd wants points [..., {len(given)}], got {input._type}")
        )
    edges = [_edges(each, input._type.dtype, "histogramdd") for each in given]
    weights = _weights(weight, input._type.shape[:-1], "histogramdd")
    limits = None if range is None else np.reshape(np.asarray(range, np.float64), (rank, 2))
    points = input._copied().reshape(-1, rank)
    counts, found = np.histogramdd(points, edges, limits, density, weights)
    made = [Tensor._from_array(convert(part, input._type.dtype)) for part in (counts, *found)]
    return histogramdd_result(made[0], tuple(made[1:]))
