"""Where each element of a moved, generated or looked-up value comes from: builders for Inline.

Each builder gets `read(argument, index, conditions)`, the result's index tuple and the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.compiler.ir.index import Index, lookup, ravel, unravel
from jitnet.compiler.ir.loops import Apply, Bound, Const, Expr, Holds, Position
from jitnet.runtime.dtype import bool_, int64, rounded

Read = Callable[..., Expr]
Place = tuple[Index, ...]


def copy(read: Read, at: Place, node: Any) -> Expr:
    """The same element."""
    del node
    return read(0, at)


def reshape(read: Read, at: Place, node: Any) -> Expr:
    """The element at the same row-major position; dims that do not change are passed through."""
    source = node.args[0].shape
    target = node.shape
    index: list[Index] = []
    left, right = 0, 0
    while left < len(source) or right < len(target):
        taken, size_left, size_right = right, 1, 1
        start = left
        if left < len(source):
            size_left, left = source[left], left + 1
        if right < len(target):
            size_right, right = target[right], right + 1
        while size_left != size_right:
            if size_left < size_right and left < len(source):
                size_left, left = size_left * source[left], left + 1
            elif right < len(target):
                size_right, right = size_right * target[right], right + 1
            else:
                size_left, left = size_left * source[left], left + 1
        flat = ravel(at[taken:right], target[taken:right])
        index.extend(unravel(flat, source[start:left]))
    return read(0, tuple(index))


def permute(read: Read, at: Place, node: Any) -> Expr:
    """Result dim i is argument dim axes[i]."""
    index = [Index(0)] * len(at)
    for position, axis in enumerate(node.params["axes"]):
        index[axis] = at[position]
    return read(0, tuple(index))


def expand(read: Read, at: Place, node: Any) -> Expr:
    """Dims of size 1 repeat their one element."""
    shape = node.args[0].shape
    index = [Index(0) if size == 1 else position for size, position in zip(shape, at, strict=True)]
    return read(0, tuple(index))


def slice_(read: Read, at: Place, node: Any) -> Expr:
    """start + step * i."""
    starts, steps = node.params["starts"], node.params["steps"]
    return read(
        0, tuple(i * step + start for i, start, step in zip(at, starts, steps, strict=True))
    )


def flip(read: Read, at: Place, node: Any) -> Expr:
    """size - 1 - i along the flipped axes."""
    axes = node.params["axes"]
    return read(
        0,
        tuple(
            i * -1 + (size - 1) if axis in axes else i
            for axis, (i, size) in enumerate(zip(at, node.shape, strict=True))
        ),
    )


def choose(bounds: tuple[Bound, ...], inside: Expr, outside: Expr) -> Expr:
    """inside where all bounds hold, else outside; decided here where the ranges tell."""
    open_bounds = []
    for bound in bounds:
        low, high = bound.index.bounds
        if low >= bound.low and high < bound.high:
            continue
        open_bounds.append(bound)
    if not open_bounds:
        return inside
    return Apply("where", (Holds(tuple(open_bounds), bool_), inside, outside), inside.dtype)


def pad(read: Read, at: Place, node: Any) -> Expr:
    """The argument inside its shifted box, the fill value outside; negative padding crops."""
    shape = node.args[0].shape
    low = node.params["low"]
    index = tuple(i - before for i, before in zip(at, low, strict=True))
    bounds = tuple(
        Bound(i, 0, size)
        for i, size in zip(index, shape, strict=True)
        if i.bounds[0] < 0 or i.bounds[1] >= size
    )
    fill = Const(rounded(node.params["value"], node.dtype), node.dtype)
    return choose(bounds, read(0, index, bounds), fill)


def concat(read: Read, at: Place, node: Any) -> Expr:
    """The argument whose range along the axis holds the position."""
    axis = node.params["axis"]
    result: Expr | None = None
    stop = node.shape[axis]
    for number in reversed(range(len(node.args))):
        size = node.args[number].shape[axis]
        start = stop - size
        stop = start
        if size == 0:
            continue
        index = tuple(i - start if d == axis else i for d, i in enumerate(at))
        bound = Bound(at[axis], start, start + size)
        here = read(number, index, (bound,))
        result = here if result is None else choose((bound,), here, result)
    assert result is not None
    return result


def slice_assign(read: Read, at: Place, node: Any) -> Expr:
    """The value inside the slice, the argument outside."""
    starts, stops, steps = (node.params[key] for key in ("starts", "stops", "steps"))
    sizes = node.args[1].shape
    bounds: list[Bound] = []
    index: list[Index] = []
    for i, start, step, size, whole in zip(at, starts, steps, sizes, node.shape, strict=True):
        shifted = i - start
        if size == whole and step == 1:
            index.append(i)
            continue
        bounds.append(Bound(shifted, 0, (size - 1) * step + 1))
        if step > 1:
            bounds.append(Bound(shifted % step, 0, 1))
        index.append(shifted // step)
    del stops
    inside = read(1, tuple(index), tuple(bounds))
    return choose(tuple(bounds), inside, read(0, at, ()))


def take(read: Read, at: Place, node: Any) -> Expr:
    """Place i along `axis`, i looked up; the range of i is checked before the program's work."""
    axis = node.params["axis"]
    after = axis + len(node.args[1].shape)
    place = lookup(read(1, at[axis:after]), node.args[0].shape[axis])
    return read(0, (*at[:axis], place, *at[after:]))


def pick(read: Read, at: Place, node: Any) -> Expr:
    """The element along `axis` whose place is looked up."""
    axis = node.params["axis"]
    place = lookup(read(1, at), node.args[0].shape[axis])
    return read(0, (*at[:axis], place, *at[axis:]))


def full(read: Read, at: Place, node: Any) -> Expr:
    """The same number everywhere."""
    del read, at
    value = node.params["value"]
    return Const(rounded(value, node.dtype) if node.dtype.narrow else value, node.dtype)


def full_like(read: Read, at: Place, node: Any) -> Expr:
    """The same number everywhere."""
    return full(read, at, node)


def iota(read: Read, at: Place, node: Any) -> Expr:
    """The position along an axis."""
    del read
    position = Position(at[node.params["axis"]], int64)
    return cast(position, node.dtype)


def cast(expr: Expr, dtype: Any) -> Expr:
    """Return expr as dtype."""
    return expr if expr.dtype is dtype else Apply("cast", (expr,), dtype)


def convert(read: Read, at: Place, node: Any) -> Expr:
    """The cast op."""
    return cast(read(0, at), node.dtype)


def constant(read: Read, at: Place, node: Any) -> Expr:
    """A zero-dimensional constant is a number; others are memory and never reach here."""
    del read, at
    value: np.ndarray = node.params["value"]
    return Const(value.item(), node.dtype)


def random(fn: str) -> Callable[[Read, Place, Any], Expr]:
    """Return the builder of a random op: fn of (seed, call, position)."""

    def build(read: Read, at: Place, node: Any) -> Expr:
        flat = Position(ravel(at, node.shape), int64)
        seed, call = read(0, (Index(0),)), read(0, (Index(1),))
        return Apply(fn, (flat, seed, call), node.dtype)

    return build


def window(read: Read, at: Place, node: Any) -> Expr:
    """Windows of the trailing dims as extra dims: result [*, *out, *kernel]; outside is fill."""
    kernel, stride, dilation = (node.params[key] for key in ("kernel", "stride", "dilation"))
    low = node.params["low"]
    spatial = len(kernel)
    shape = node.args[0].shape
    lead = at[: len(at) - 2 * spatial]
    out, inside = at[-2 * spatial : -spatial], at[-spatial:]
    index = tuple(
        o * s + k * d - before
        for o, s, k, d, before in zip(out, stride, inside, dilation, low, strict=True)
    )
    bounds = tuple(
        Bound(i, 0, size)
        for i, size in zip(index, shape[-spatial:], strict=True)
        if i.bounds[0] < 0 or i.bounds[1] >= size
    )
    fill = Const(rounded(node.params["fill"], node.dtype), node.dtype)
    return choose(bounds, read(0, (*lead, *index), bounds), fill)
