"""Internal ops that pools are written with: windows of an image as extra dims, and their fold."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import Shape
from jitnet.compiler.ir.index import Index
from jitnet.compiler.ir.loops import Apply, Bound, Const, Expr
from jitnet.compiler.ir.lowering import Inline
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import places
from .places import Place, Read, choose


def pooled_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool
) -> int:
    """Return the number of windows along one dim."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (room + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def pooled_shape(
    image: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil: bool
) -> Shape:
    """Return the number of windows along each spatial dim."""
    sizes = zip(image, kernel, stride, padding, dilation, strict=True)
    return tuple(pooled_size(*numbers, ceil) for numbers in sizes)


def _window_type(
    x: TensorType,
    *,
    kernel: Shape,
    out: Shape,
    stride: Shape,
    dilation: Shape,
    low: Shape,
    fill: Any,
) -> TensorType:
    del stride, dilation, low, fill
    return TensorType(x.dtype, (*x.shape[: len(x.shape) - len(kernel)], *out, *kernel))


def _taps(size: int, kernel: int, out: int, stride: int, dilation: int, low: int) -> np.ndarray:
    """Return the input position of each (window, tap) along one dim; -1 outside."""
    at = np.arange(out)[:, None] * stride + np.arange(kernel)[None, :] * dilation - low
    return np.where((at >= 0) & (at < size), at, -1)


def _window(x: np.ndarray, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    lead = x.ndim - rank
    padded = np.pad(x, [(0, 0)] * lead + [(0, 1)] * rank, constant_values=params["fill"])
    per_dim = zip(
        *(params[key] for key in ("kernel", "out", "stride", "dilation", "low")), strict=True
    )
    for axis, (kernel, out, stride, dilation, low) in enumerate(per_dim):
        at = _taps(x.shape[lead + axis], kernel, out, stride, dilation, low)
        padded = np.take(padded, at, axis=lead + 2 * axis)
    outs, kernels = range(lead, lead + 2 * rank, 2), range(lead + 1, lead + 2 * rank, 2)
    return padded.transpose(*range(lead), *outs, *kernels)


def _fold_type(
    x: TensorType, *, shape: Shape, kernel: Shape, stride: Shape, dilation: Shape, low: Shape
) -> TensorType:
    del stride, dilation, low
    return TensorType(x.dtype, (*x.shape[: len(x.shape) - 2 * len(kernel)], *shape))


def _fold(x: np.ndarray, *, shape: Shape, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    lead = x.shape[: x.ndim - 2 * rank]
    out = x.shape[len(lead) : len(lead) + rank]
    result = np.zeros((*lead, *(size + 1 for size in shape)), x.dtype)
    tables = [
        _taps(size, *numbers)
        for size, *numbers in zip(
            shape, params["kernel"], out, params["stride"], params["dilation"], params["low"],
            strict=True,
        )
    ]  # fmt: skip
    for offsets in np.ndindex(*out, *params["kernel"]):
        at = [table[offsets[a], offsets[rank + a]] for a, table in enumerate(tables)]
        target: tuple[Any, ...] = (..., *at)
        if min(at) >= 0:
            result[target] += x[(..., *offsets)]
    inside: tuple[Any, ...] = (..., *(slice(0, size) for size in shape))
    kept: np.ndarray = result[inside]
    return kept


def _fold_place(read: Read, at: Place, node: Any) -> Expr:
    """The sum over the windows that an element lies in of what they hold at its tap."""
    kernel, stride, dilation, low = (
        node.params[key] for key in ("kernel", "stride", "dilation", "low")
    )
    rank = len(kernel)
    source = node.args[0].shape
    lead = at[: len(at) - rank]
    out = source[len(lead) : len(lead) + rank]
    per_dim = [
        _covering(position + before, *numbers)
        for position, before, *numbers in zip(
            at[-rank:], low, kernel, stride, dilation, out, strict=True
        )
    ]
    total: Expr | None = None
    combos: list[list[tuple[Index, Index, tuple[Bound, ...]]]] = [[]]
    for options in per_dim:
        combos = [[*combo, option] for combo in combos for option in options]
    zero = Const(0, node.dtype)
    for combo in combos:
        bounds = tuple(bound for item in combo for bound in item[2])
        place = (*lead, *(item[0] for item in combo), *(item[1] for item in combo))
        term = choose(bounds, read(0, place, bounds), zero)
        total = term if total is None else Apply("add", (total, term), node.dtype)
    return zero if total is None else total


def _covering(
    position: Index, kernel: int, stride: int, dilation: int, out: int
) -> list[tuple[Index, Index, tuple[Bound, ...]]]:
    """Return (window, tap, conditions) of each way in which a padded position may be covered."""
    found = []
    if dilation == 1:
        first, window = position % stride, position // stride
        for turn in range(-(-kernel // stride)):
            tap, at = first + turn * stride, window - turn
            found.append((at, tap, _limits(at, out) + _limits(tap, kernel)))
        return found
    for number in range(kernel):
        shifted = position - number * dilation
        at = shifted // stride
        exact = Bound(shifted % stride, 0, 1)
        inside = (Bound(shifted, 0, out * stride), *_limits(at, out), exact)
        found.append((at, Index(number), inside))
    return found


def _limits(index: Index, size: int) -> tuple[Bound, ...]:
    low, high = index.bounds
    return () if low >= 0 and high < size else (Bound(index, 0, size),)


window = Op("window", _window_type, _window, None, Inline(places.window, view=True))
fold = Op("fold", _fold_type, _fold, None, Inline(_fold_place))

OPS = (window, fold)
