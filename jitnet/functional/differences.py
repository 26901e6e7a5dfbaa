"""Differences, slopes and integrals of what stands side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.runtime.dtype import bool_

from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .arithmetic import add, logical_xor, mul, sub
from .joining import cat, span
from .out import with_out
from .precision import rounded_once
from .promote import normal_dim, normal_dims, to_float
from .running import cumsum
from .unary import clone

__all__ = ["cumulative_trapezoid", "diff", "gradient", "trapezoid", "trapz"]


def _later(x: Tensor, axis: int, steps: int = 1) -> Tensor:
    size = x._type.shape[axis]
    return span(x, axis, min(steps, size), size)


def _earlier(x: Tensor, axis: int, steps: int = 1) -> Tensor:
    return span(x, axis, 0, max(x._type.shape[axis] - steps, 0))


@with_out
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Return the differences of neighbours along dim, n times; first with what stands around."""
    if not input.ndim:
        raise RuntimeError(at_line("diff wants at least one dim"))
    if n < 0:
        raise RuntimeError(at_line(f"diff wants an order n >= 0, got {n}"))
    axis = normal_dim(dim, input.ndim)
    if not n:
        return clone(input)
    for part in (prepend, append):
        if part is not None and part.ndim != input.ndim:
            raise ShapeError(at_line(f"diff wants as many dims around as in {input._type}"))
    if prepend is not None or append is not None:
        input = cat([part for part in (prepend, input, append) if part is not None], axis)
    minus = logical_xor if input._type.dtype is bool_ else sub
    for _ in range(n):
        input = minus(_later(input, axis), _earlier(input, axis))
    return input


# -- slopes -------------------------------------------------------------------------------------


def _spacings(spacing: Any, count: int) -> list[Any]:
    if spacing is None:
        return [1.0] * count
    if isinstance(spacing, Tensor) and not spacing.ndim:
        return [spacing] * count
    if not isinstance(spacing, tuple | list):
        return [spacing] * count
    if len(spacing) != count:
        raise RuntimeError(
            at_line(f"gradient wants a spacing for each of {count} dims, got {len(spacing)}")
        )
    return list(spacing)


def _slope(x: Tensor, axis: int, spacing: Any, edge_order: int) -> Tensor:
    """Return the slope along one dim, by differences that are exact for parabolas inside."""
    size = x._type.shape[axis]
    if size < edge_order + 1:
        raise RuntimeError(
            at_line(
                f"gradient wants at least {edge_order + 1} elements along dim {axis}: {x._type}"
            )
        )
    if isinstance(spacing, Tensor) and spacing.ndim:
        if spacing.ndim != 1 or spacing._type.numel != size:
            raise RuntimeError(
                at_line(f"gradient wants {size} places along dim {axis}, got {spacing._type}")
            )
        shape = [-1 if place == axis else 1 for place in range(x.ndim)]
        widths: Any = sub(_later(spacing, 0), _earlier(spacing, 0)).reshape(shape)
        left, right = _earlier(widths, axis), _later(widths, axis)
        first, last = span(widths, axis, 0, 1), span(widths, axis, size - 2, size - 1)
    else:
        widths = left = right = first = last = spacing
    rises = sub(_later(x, axis), _earlier(x, axis)) / widths
    before, after = _earlier(rises, axis), _later(rises, axis)
    weight = right / (left + right)
    inside = add(mul(before, weight), mul(after, 1 - weight))
    start, stop = span(rises, axis, 0, 1), span(rises, axis, size - 2, size - 1)
    if edge_order == 2:
        bends = sub(after, before) / (left + right)
        count = bends._type.shape[axis]
        start = sub(start, mul(span(bends, axis, 0, 1), first))
        stop = add(stop, mul(span(bends, axis, count - 1, count), last))
    return cat([start, inside, stop], axis)


def gradient(
    input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Return the slopes along dims (all), by second-order differences; edges of edge_order.

    spacing: the distance of neighbours, one for each dim, or the places of all elements.
    """
    if edge_order not in (1, 2):
        raise RuntimeError(at_line(f"gradient knows edge_order 1 and 2, got {edge_order}"))
    given: Sequence[int] = [dim] if isinstance(dim, int) else dim or range(input.ndim)
    normal_dims(list(given), input.ndim)
    axes = [normal_dim(each, input.ndim) for each in given]
    x = to_float(input)
    spacings = _spacings(spacing, len(axes))
    return tuple(
        _slope(x, axis, width, edge_order) for axis, width in zip(axes, spacings, strict=True)
    )


# -- integrals ----------------------------------------------------------------------------------


def _areas(y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, int]:
    """Return the areas between neighbours along dim, and that dim counted from the end."""
    if not y.ndim:
        raise IndexError(at_line("trapezoid wants at least one dim, got a zero-dimensional tensor"))
    axis = normal_dim(dim, y.ndim)
    behind = axis - y.ndim
    heights = add(_later(y, axis), _earlier(y, axis))
    if x is None:
        return mul(heights, dx) / 2, behind
    if x.ndim == 1:
        x = x.reshape([-1, *[1] * (-behind - 1)])
    along = normal_dim(behind, x.ndim)
    if x._type.shape[along] != y._type.shape[axis]:
        raise ShapeError(
            at_line(f"trapezoid wants a place for each value of {y._type}, got {x._type}")
        )
    return mul(heights, sub(_later(x, along), _earlier(x, along))) / 2, behind


@rounded_once
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """Return the integral along dim by the trapezoidal rule; x: where the values stand."""
    areas, axis = _areas(y, x, dx, dim)
    return areas.sum(axis, dtype=None if y._type.shape[axis] else y._type.dtype)  # type: ignore[no-any-return]


trapz = trapezoid


@rounded_once
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1
) -> Tensor:
    """Return the integrals along dim from the first value to each of the others."""
    areas, axis = _areas(y, x, dx, dim)
    return cumsum(areas, axis)
