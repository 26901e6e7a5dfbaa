"""How many elements, or points, fall between neighbouring edges: histogram and histogramdd."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from jitnet.compiler.ir.dims import numel

from .. import capture, creation
from ..errors import at_line
from ..tensor import Tensor
from .choice import where
from .out import with_out
from .promote import need_float
from .sorting import searchsorted

__all__ = ["histogram", "histogramdd"]

histogram_result = namedtuple("histogram_result", ["hist", "bin_edges"])
histogramdd_result = namedtuple("histogramdd_result", ["hist", "bin_edges"])
Range = Sequence[float] | None


@with_out
def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: Range = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return (hist, bin_edges): how many elements fall between neighbouring edges."""
    need_float("histogram", input)
    points = input.detach().reshape(-1, 1)
    hist, edges = _counted("histogram", points, [bins], range, _flat(weight, input), density)
    return histogram_result(hist, edges[0])


def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Range = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return (hist, bin_edges) of points, whose coordinates are the last dim."""
    need_float("histogramdd", input)
    rank = input._type.shape[-1] if input.ndim > 1 else 0
    given = [bins] * rank if isinstance(bins, int) else list(bins)
    if not rank or len(given) != rank:
        raise RuntimeError(
            at_line(f"histogramdd wants points [..., {len(given)}], got {input._type}")
        )
    points = input.detach().reshape(numel(input._type.shape[:-1]), rank)
    weights = _flat(weight, input[..., 0])
    return histogramdd_result(*_counted("histogramdd", points, given, range, weights, density))


def _flat(weight: Tensor | None, like: Tensor) -> Tensor | None:
    if weight is None:
        return None
    if weight._type != like._type:
        raise RuntimeError(at_line(f"a histogram wants weights {like._type}, got {weight._type}"))
    return weight.detach().reshape(-1)


def _counted(
    name: str,
    points: Tensor,
    bins: Sequence[int | Tensor],
    range: Range,
    weights: Tensor | None,
    density: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the sums of weights in each box of a grid, and the edges along each dim."""
    if range is not None and len(range) != 2 * len(bins):
        raise RuntimeError(at_line(f"{name} wants a range of {2 * len(bins)} numbers, got {range}"))
    amounts = weights if weights is not None else points.new_ones((points._type.shape[0],))
    place: Any = 0
    edges = []
    for axis, given in enumerate(bins):
        values = points[:, axis].contiguous()
        span = None if range is None else (float(range[2 * axis]), float(range[2 * axis + 1]))
        line = _edges(name, given, values, span)
        count = line._type.shape[0] - 1
        inside = values.ge(line[0]).logical_and(values.le(line[-1]))
        found = (searchsorted(line, values, right=True) - 1).clamp(0, max(count - 1, 0))
        amounts, place = where(inside, amounts, 0.0), place * count + found
        edges.append(line)
    shape = [line._type.shape[0] - 1 for line in edges]
    hist = points.new_zeros((numel(shape),)).scatter_add(0, place, amounts).reshape(shape)
    if density:
        hist = hist / hist.sum()
        for axis, line in enumerate(edges):
            hist = hist / line.diff().reshape(
                [-1 if dim == axis else 1 for dim, _ in enumerate(shape)]
            )
    return hist, tuple(edges)


def _edges(
    name: str, bins: int | Tensor, values: Tensor, span: tuple[float, float] | None
) -> Tensor:
    """Return the edges of bins: those that are given, or equal steps over a span or the values."""
    dtype = values._type.dtype
    if isinstance(bins, Tensor):
        if bins.ndim != 1 or bins._type.dtype is not dtype or bins._type.numel < 2:
            raise RuntimeError(at_line(f"{name} wants edges {dtype.name}[n + 1], got {bins._type}"))
        return bins.detach().contiguous()
    if bins <= 0:
        raise RuntimeError(at_line(f"{name} wants bins > 0, got {bins}"))
    low, high = _span(name, values, span)
    return creation.linspace(low, high, bins + 1, dtype=dtype, device=values.device)


def _span(name: str, values: Tensor, span: tuple[float, float] | None) -> tuple[Any, Any]:
    if span is None and values._type.numel:
        low, high = values.min(), values.max()
        if capture.active is None and not math.isfinite((high - low).item()):
            raise RuntimeError(
                at_line(f"{name}: the range of the elements, [{low:g}, {high:g}], is not finite")
            )
        alone = low.eq(high)
        return where(alone, low - 0.5, low), where(alone, high + 0.5, high)
    low, high = span or (0.0, 1.0)
    if not math.isfinite(low) or not math.isfinite(high) or low > high:
        raise RuntimeError(at_line(f"{name}: min should not exceed max, got [{low}, {high}]"))
    return (low - 0.5, high + 0.5) if low == high else (low, high)
