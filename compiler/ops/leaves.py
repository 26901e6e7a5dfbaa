"""Values made of nothing: constants, one number repeated, counting."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import Shape
from jitnet.compiler.ir.lowering import Inline
from jitnet.compiler.ir.op import Op, always
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import DType, convert, from_numpy_dtype, int64

from . import places


def _constant_type(*, value: np.ndarray) -> TensorType:
    return TensorType(from_numpy_dtype(value.dtype), tuple(value.shape))


def _full_type(*, shape: Shape, dtype: DType, value: Any) -> TensorType:
    return TensorType(dtype, tuple(shape))


def _iota_type(*, shape: Shape, dtype: DType, axis: int) -> TensorType:
    return TensorType(dtype, tuple(shape))


def _full(*, shape: Shape, dtype: DType, value: Any) -> np.ndarray:
    """Return the number at every place of the shape, stored once (all strides are 0)."""
    one = convert(np.array(value), dtype)
    return np.ndarray(shape, dtype.numpy, one, 0, (0,) * len(shape))


def _iota(*, shape: Shape, dtype: DType, axis: int) -> np.ndarray:
    line = convert(np.arange(shape[axis]), dtype)
    return np.broadcast_to(line.reshape(-1, *(1,) * (len(shape) - axis - 1)), shape).copy()


constant = Op(
    "constant",
    _constant_type,
    eval=lambda *, value: value.copy(),
    lower=Inline(places.constant),
    moves=always,
)
full = Op("full", _full_type, eval=_full, lower=Inline(places.full), moves=always)
iota = Op("iota", _iota_type, eval=_iota, lower=Inline(places.iota), moves=always)
full_like = Op(
    "full_like",
    type=lambda x, *, value: x,
    eval=lambda x, *, value: np.full(x.shape, value, x.dtype),
    grad=lambda g, y, x, *, value: (None,),
    lower=Inline(places.full_like),
    moves=always,
)
iota_like = Op(
    "iota_like",
    type=lambda x, *, axis: TensorType(int64, x.shape),
    eval=lambda x, *, axis: _iota(shape=x.shape, dtype=int64, axis=axis),
    grad=lambda g, y, x, *, axis: (None,),
    lower=Inline(places.iota),
    moves=always,
)

OPS = (constant, full, iota, full_like, iota_like)
