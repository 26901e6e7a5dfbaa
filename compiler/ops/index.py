"""Reading and writing at looked-up places of a dim: take, put, pick one element of each line."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Inline, Scatter
from jitnet.compiler.ir.op import Op, always
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int64

from . import check, places
from .elementwise import cast, eq, where
from .leaves import full_like, iota_like
from .movement import expand, reshape


def _taken(x: TensorType, i: TensorType, axis: int) -> tuple[int, ...]:
    return (*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])


def _take_type(x: TensorType, i: TensorType, *, axis: int) -> TensorType:
    check.kind("take's index", ("int",), i)
    check.axes_of("take", x, (axis,))
    return TensorType(x.dtype, _taken(x, i, axis))


def put_type(
    x: TensorType, i: TensorType, v: TensorType, *, axis: int, accumulate: bool
) -> TensorType:
    """Return x's type, if index and values fit it."""
    check.kind("put's index", ("int",), i)
    check.axes_of("put", x, (axis,))
    check.same_dtype("put", x, v)
    wanted = _taken(x, i, axis)
    if v.shape != wanted:
        raise ShapeError(f"put wants values of shape {list(wanted)} for {x} and {i}, got {v}")
    return x


def check_index(i: np.ndarray, size: int, axis: int) -> None:
    """Raise IndexError naming the first index outside 0 .. size - 1."""
    if not i.size or (i.min() >= 0 and i.max() < size):
        return
    bad = i[(i < 0) | (i >= size)].flat[0]
    raise IndexError(f"index {bad} is out of bounds for dimension {axis} with size {size}")


def _take(x: np.ndarray, i: np.ndarray, *, axis: int) -> np.ndarray:
    check_index(i, x.shape[axis], axis)
    return np.take(x, i, axis=axis)


def _put(x: np.ndarray, i: np.ndarray, v: np.ndarray, *, axis: int, accumulate: bool) -> np.ndarray:
    check_index(i, x.shape[axis], axis)
    result = x.copy()
    at: Any = (*(slice(None),) * axis, i)
    if not accumulate:
        result[at] = v  # the last of several equal indices wins
    elif x.dtype == np.bool_:
        np.logical_or.at(result, at, v)
    else:
        np.add.at(result, at, v)
    return result


def _take_grad(g: Any, y: Any, x: Any, i: Any, *, axis: int) -> tuple[Any, None]:
    return put(full_like(x, value=0), i, g, axis=axis, accumulate=True), None


def _put_grad(
    g: Any, y: Any, x: Any, i: Any, v: Any, *, axis: int, accumulate: bool
) -> tuple[Any, ...]:
    def rest() -> Any:
        return g if accumulate else put(g, i, full_like(v, value=0), axis=axis, accumulate=False)

    return rest, None, lambda: take(g, i, axis=axis)


take = Op(
    "take",
    _take_type,
    _take,
    _take_grad,
    lower=Inline(places.take),
    keeps=(1,),
    moves=always,
)
put: Op = Op(
    "put",
    put_type,
    _put,
    _put_grad,
    Scatter(),
    keeps=(1,),
    moves=lambda *, axis, accumulate: not accumulate,
)


def _pick_type(x: TensorType, i: TensorType, *, axis: int) -> TensorType:
    check.kind("pick's index", ("int",), i)
    check.axes_of("pick", x, (axis,))
    wanted = x.shape[:axis] + x.shape[axis + 1 :]
    if i.shape != wanted:
        raise ShapeError(f"pick wants an index of shape {list(wanted)} for {x}, got {i}")
    return TensorType(x.dtype, wanted)


def _pick(x: np.ndarray, i: np.ndarray, *, axis: int) -> np.ndarray:
    check_index(i, x.shape[axis], axis)
    where = np.expand_dims(i, axis)
    return np.take_along_axis(x, where, axis).reshape(i.shape)


def _pick_grad(g: Any, y: Any, x: Any, i: Any, *, axis: int) -> tuple[Any, None]:
    shape = tuple(x.shape)
    lined = (*shape[:axis], 1, *shape[axis + 1 :])
    chosen = eq(
        iota_like(x, axis=axis), cast(expand(reshape(i, shape=lined), shape=shape), dtype=int64)
    )
    spread = expand(reshape(g, shape=lined), shape=shape)
    return where(chosen, spread, full_like(spread, value=0)), None


pick = Op("pick", _pick_type, _pick, _pick_grad, Inline(places.pick), keeps=(1,), moves=always)

OPS = (take, put, pick)
