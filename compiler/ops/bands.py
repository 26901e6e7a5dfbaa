"""The internal op that long sums over columns are written with: one sum for each band of rows."""

from __future__ import annotations

import numpy as np

from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ir.lowering import BandSum
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from .elementwise import quiet


def _type(x: TensorType, *, rows: int, bands: int) -> TensorType:
    assert numel(x.shape[:rows]) % bands == 0, f"{x} has no {bands} bands of equal height"
    return TensorType(x.dtype, (bands, *x.shape[rows:]))


def _sum(x: np.ndarray, *, rows: int, bands: int) -> np.ndarray:
    parts = x.reshape(bands, -1, *x.shape[rows:])
    return np.asarray(parts.sum(axis=1), dtype=x.dtype)


# The first `rows` dims of x count rows; result[b] is the sum of all rows in the b-th band of them.
band_sums = Op("band_sums", _type, quiet(_sum), None, BandSum())
