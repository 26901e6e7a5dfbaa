"""Ops that move elements without computing: their results may be views of their arguments."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import Shape, numel
from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Inline, Joined
from jitnet.compiler.ir.op import Op, always
from jitnet.compiler.ir.types import TensorType

from . import check, places
from .leaves import full_like

Axes = tuple[int, ...]


def slices(starts: Axes, stops: Axes, steps: Axes) -> tuple[builtins.slice, ...]:
    """Return Python slices, one for each dim."""
    return tuple(map(builtins.slice, starts, stops, steps))


def _reshape_type(x: TensorType, *, shape: Shape) -> TensorType:
    if numel(shape) != x.numel:
        raise ShapeError(f"reshape wants {x.numel} elements as in {x}, got shape {list(shape)}")
    return TensorType(x.dtype, shape)


def _permute_type(x: TensorType, *, axes: Axes) -> TensorType:
    if sorted(axes) != list(range(len(x.shape))):
        raise ShapeError(f"permute wants every dim of {x} once, got {axes}")
    return TensorType(x.dtype, tuple(x.shape[axis] for axis in axes))


def _expand_type(x: TensorType, *, shape: Shape) -> TensorType:
    fits = len(shape) == len(x.shape) and all(
        old in (1, new) for old, new in zip(x.shape, shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"expand wants {x} to keep its dims except those of size 1, got {list(shape)}"
        )
    return TensorType(x.dtype, shape)


def _expand(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    strides = tuple(
        0 if old != new else step for old, new, step in zip(x.shape, shape, x.strides, strict=True)
    )
    if 0 in shape:
        return np.broadcast_to(x, shape)
    return np.ndarray(shape, x.dtype, x, 0, strides) if _owns_start(x) else _stretch(x, shape)


def _owns_start(x: np.ndarray) -> bool:
    """Whether the constructor of ndarray can use x as a buffer: contiguous memory."""
    return x.flags.c_contiguous


def _stretch(x: np.ndarray, shape: Shape) -> np.ndarray:
    view = np.broadcast_to(x, shape)
    view.flags.writeable = x.flags.writeable
    return view


def _slice_shape(starts: Axes, stops: Axes, steps: Axes) -> Shape:
    return tuple(len(range(*bounds)) for bounds in zip(starts, stops, steps, strict=True))


def _check_slice(name: str, x: TensorType, starts: Axes, stops: Axes, steps: Axes) -> None:
    rank = len(x.shape)
    fits = len(starts) == len(stops) == len(steps) == rank and all(
        0 <= start <= stop <= size and step > 0
        for start, stop, step, size in zip(starts, stops, steps, x.shape, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"{name} wants 0 <= start <= stop <= size and step > 0 for each dim of {x}, "
            f"got starts {starts}, stops {stops}, steps {steps}"
        )


def _slice_type(x: TensorType, *, starts: Axes, stops: Axes, steps: Axes) -> TensorType:
    _check_slice("slice", x, starts, stops, steps)
    return TensorType(x.dtype, _slice_shape(starts, stops, steps))


def _flip_type(x: TensorType, *, axes: Axes) -> TensorType:
    check.axes_of("flip", x, axes)
    return x


def _pad_type(x: TensorType, *, low: Axes, high: Axes, value: Any) -> TensorType:
    if not (len(low) == len(high) == len(x.shape)) or min((0, *low, *high)) < 0:
        raise ShapeError(
            f"pad wants a low and a high amount >= 0 for each dim of {x}, got {low} and {high}"
        )
    shape = tuple(a + size + b for a, size, b in zip(low, x.shape, high, strict=True))
    return TensorType(x.dtype, shape)


def _pad(x: np.ndarray, *, low: Axes, high: Axes, value: Any) -> np.ndarray:
    shape = tuple(a + size + b for a, size, b in zip(low, x.shape, high, strict=True))
    result = np.full(shape, value, x.dtype)
    result[tuple(builtins.slice(a, a + size) for a, size in zip(low, x.shape, strict=True))] = x
    return result


def _concat_type(*xs: TensorType, axis: int) -> TensorType:
    check.same_dtype("concat", *xs)
    check.axes_of("concat", xs[0], (axis,))
    rest = [item.shape[:axis] + item.shape[axis + 1 :] for item in xs]
    if any(other != rest[0] for other in rest) or len({len(item.shape) for item in xs}) != 1:
        raise ShapeError(
            f"concat wants equal sizes except along dim {axis}, got {check.describe(xs)}"
        )
    total = sum(item.shape[axis] for item in xs)
    shape = xs[0].shape
    return TensorType(xs[0].dtype, (*shape[:axis], total, *shape[axis + 1 :]))


def _slice_assign_type(
    x: TensorType, value: TensorType, *, starts: Axes, stops: Axes, steps: Axes
) -> TensorType:
    _check_slice("slice_assign", x, starts, stops, steps)
    check.same_dtype("slice_assign", x, value)
    wanted = _slice_shape(starts, stops, steps)
    if value.shape != wanted:
        raise ShapeError(f"slice_assign wants a value of shape {list(wanted)}, got {value}")
    return x


def _slice_assign(
    x: np.ndarray, value: np.ndarray, *, starts: Axes, stops: Axes, steps: Axes
) -> np.ndarray:
    result = x.copy()
    result[slices(starts, stops, steps)] = value
    return result


# Gradients: each op's is another op of this file.


def _expand_grad(g: Any, y: Any, x: Any, *, shape: Shape) -> tuple[Any]:
    from .reduce import sum as total

    grown = tuple(axis for axis, size in enumerate(x.shape) if size != shape[axis])
    return (reshape(total(g, axes=grown), shape=tuple(x.shape)),)


def _permute_grad(g: Any, y: Any, x: Any, *, axes: Axes) -> tuple[Any]:
    return (permute(g, axes=inverse(axes)),)


def inverse(axes: Axes) -> Axes:
    """Return the permutation that undoes `axes`."""
    return tuple(axes.index(axis) for axis in range(len(axes)))


def _slice_grad(g: Any, y: Any, x: Any, *, starts: Axes, stops: Axes, steps: Axes) -> tuple[Any]:
    zeros = full_like(x, value=0)
    return (slice_assign(zeros, g, starts=starts, stops=stops, steps=steps),)


def _pad_grad(g: Any, y: Any, x: Any, *, low: Axes, high: Axes, value: Any) -> tuple[Any]:
    stops = tuple(a + size for a, size in zip(low, x.shape, strict=True))
    return (slice(g, starts=low, stops=stops, steps=(1,) * len(low)),)


def _concat_grad(g: Any, y: Any, *xs: Any, axis: int) -> tuple[Any, ...]:
    shape, rank = tuple(g.shape), len(g.shape)
    start, parts = 0, []
    for x in xs:
        stop = start + x.shape[axis]
        parts.append(
            slice(
                g,
                starts=tuple(start if i == axis else 0 for i in range(rank)),
                stops=tuple(stop if i == axis else shape[i] for i in range(rank)),
                steps=(1,) * rank,
            )
        )
        start = stop
    return tuple(parts)


def _slice_assign_grad(
    g: Any, y: Any, x: Any, value: Any, *, starts: Axes, stops: Axes, steps: Axes
) -> tuple[Any, Any]:
    where = {"starts": starts, "stops": stops, "steps": steps}
    return (
        lambda: slice_assign(g, full_like(value, value=0), **where),
        lambda: slice(g, **where),
    )


reshape: Op = Op(
    "reshape",
    _reshape_type,
    eval=lambda x, *, shape: x.reshape(shape),
    grad=lambda g, y, x, *, shape: (reshape(g, shape=tuple(x.shape)),),
    lower=Inline(places.reshape, view=True),
    keeps=(),
    moves=always,
)
permute = Op(
    "permute",
    _permute_type,
    eval=lambda x, *, axes: x.transpose(axes),
    grad=_permute_grad,
    lower=Inline(places.permute, view=True),
    keeps=(),
    moves=always,
)
expand = Op(
    "expand",
    _expand_type,
    eval=_expand,
    grad=_expand_grad,
    lower=Inline(places.expand, view=True),
    keeps=(),
    moves=always,
)
slice = Op(
    "slice",
    _slice_type,
    eval=lambda x, *, starts, stops, steps: x[(*slices(starts, stops, steps), ...)],
    grad=_slice_grad,
    lower=Inline(places.slice_, view=True),
    keeps=(),
    moves=always,
)
flip: Op = Op(
    "flip",
    _flip_type,
    eval=lambda x, *, axes: np.ascontiguousarray(np.flip(x, axes)).reshape(x.shape),
    grad=lambda g, y, x, *, axes: (flip(g, axes=axes),),
    lower=Inline(places.flip, view=True),
    keeps=(),
    moves=always,
)
pad = Op(
    "pad", _pad_type, eval=_pad, grad=_pad_grad, lower=Inline(places.pad), keeps=(), moves=always
)
concat = Op(
    "concat",
    _concat_type,
    eval=lambda *xs, axis: np.concatenate(xs, axis),
    grad=_concat_grad,
    lower=Inline(places.concat),
    keeps=(),
    moves=always,
)
join = Op(  # what passes make of a concatenation in memory
    "join",
    _concat_type,
    eval=lambda *xs, axis: np.concatenate(xs, axis),
    lower=Joined(),
    moves=always,
)
slice_assign = Op(
    "slice_assign",
    _slice_assign_type,
    _slice_assign,
    _slice_assign_grad,
    Inline(places.slice_assign),
    keeps=(),
    moves=always,
)
copy = Op(
    "copy",
    type=lambda x: x,
    eval=lambda x: x.copy(),
    grad=lambda g, y, x: (g,),
    lower=Inline(places.copy),
    keeps=(),
    moves=always,
)

OPS = (copy, reshape, permute, expand, slice, flip, pad, concat, slice_assign)
