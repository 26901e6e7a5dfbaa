"""Reading and writing at looked-up places: take and put rows, pick one element of each line."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Inline, Scatter
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int64

from . import check, places
from .elementwise import cast, eq, where
from .leaves import full_like, iota_like
from .movement import expand, reshape


def _take_type(x: TensorType, i: TensorType) -> TensorType:
    check.kind("take's index", ("int",), i)
    check.rank_at_least("take", 1, x)
    return TensorType(x.dtype, (*i.shape, *x.shape[1:]))


def _put_type(x: TensorType, i: TensorType, v: TensorType, *, accumulate: bool) -> TensorType:
    check.kind("put's index", ("int",), i)
    check.rank_at_least("put", 1, x)
    check.same_dtype("put", x, v)
    wanted = (*i.shape, *x.shape[1:])
    if v.shape != wanted:
        raise ShapeError(f"put wants values of shape {list(wanted)} for {x} and {i}, got {v}")
    return x


def check_index(i: np.ndarray, size: int) -> None:
    """Raise IndexError naming the first index outside 0 .. size - 1."""
    if not i.size or (i.min() >= 0 and i.max() < size):
        return
    bad = i[(i < 0) | (i >= size)].flat[0]
    raise IndexError(f"index {bad} is out of bounds for dimension 0 with size {size}")


def _take(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    check_index(i, x.shape[0])
    return np.take(x, i, axis=0)


def _put(x: np.ndarray, i: np.ndarray, v: np.ndarray, *, accumulate: bool) -> np.ndarray:
    check_index(i, x.shape[0])
    result = x.copy()
    if not accumulate:
        result[i] = v  # the last of several equal indices wins
    elif x.dtype == np.bool_:
        np.logical_or.at(result, i, v)
    else:
        np.add.at(result, i, v)
    return result


def _put_grad(g: Any, y: Any, x: Any, i: Any, v: Any, *, accumulate: bool) -> tuple[Any, ...]:
    def rest() -> Any:
        return g if accumulate else put(g, i, full_like(v, value=0), accumulate=False)

    return rest, None, lambda: take(g, i)


take = Op(
    "take",
    _take_type,
    _take,
    grad=lambda g, y, x, i: (put(full_like(x, value=0), i, g, accumulate=True), None),
    lower=Inline(places.take),
    keeps=(1,),
)
put: Op = Op("put", _put_type, _put, _put_grad, Scatter(), keeps=(1,))


def _pick_type(x: TensorType, i: TensorType, *, axis: int) -> TensorType:
    check.kind("pick's index", ("int",), i)
    check.axes_of("pick", x, (axis,))
    wanted = x.shape[:axis] + x.shape[axis + 1 :]
    if i.shape != wanted:
        raise ShapeError(f"pick wants an index of shape {list(wanted)} for {x}, got {i}")
    return TensorType(x.dtype, wanted)


def _pick(x: np.ndarray, i: np.ndarray, *, axis: int) -> np.ndarray:
    check_index(i, x.shape[axis])
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


pick = Op("pick", _pick_type, _pick, _pick_grad, Inline(places.pick), keeps=(1,))

OPS = (take, put, pick)
