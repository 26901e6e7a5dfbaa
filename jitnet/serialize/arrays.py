"""NumPy's arrays and scalars in a checkpoint's pickle: numbers only, sizes checked."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .errors import CheckpointError, shown

_DTYPES = re.compile(r"b1|[iu][1248]|f[248]|c8|c16")
_MAX_DIMS = 64


def _dtype(name: Any, align: Any = False, copy: Any = True) -> np.dtype:
    """Return a dtype of its own, which `order` may change."""
    if type(name) is not str or not _DTYPES.fullmatch(name):
        raise CheckpointError(f"a NumPy array has elements {shown(name)}, which are no numbers")
    return np.dtype(name, copy=True)


def order(dtype: np.dtype, state: Any) -> None:
    """Set a dtype's byte order; a dtype of numbers has no other state."""
    match state:
        case (int(), str(), None, None, None, int(), int(), int()) if state[1] in "<>|=" and (
            state[0],
            *state[5:],
        ) == (3, -1, -1, 0):
            dtype.__setstate__(state)  # type: ignore[attr-defined]
        case _:
            raise CheckpointError(f"a NumPy dtype has the state {shown(state)}")


def _scalar(dtype: Any, content: Any) -> Any:
    if not isinstance(dtype, np.dtype) or type(content) is not bytes:
        raise CheckpointError("a NumPy scalar wants a dtype and bytes")
    if len(content) != dtype.itemsize:
        raise CheckpointError(f"a NumPy scalar {dtype} has {len(content)} bytes")
    return np.frombuffer(content, dtype)[0]


def _array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """Return an empty array, which `fill` makes what it is."""
    return np.empty(0, np.int8)


def fill(array: np.ndarray, state: Any) -> None:
    """Give an array its shape, dtype and elements."""
    match state:
        case (int(version), tuple(shape), np.dtype() as dtype, bool(fortran), bytes(content)) if (
            version == 1
        ):
            pass
        case _:
            raise CheckpointError(f"a NumPy array has the state {shown(state)}")
    if len(shape) > _MAX_DIMS or any(type(size) is not int or size < 0 for size in shape):
        raise CheckpointError(f"a NumPy array has the shape {shown(shape)}")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise CheckpointError(f"a NumPy array {dtype} {shown(shape)} has {len(content)} bytes")
    array.__setstate__((1, shape, dtype, fortran, content))  # type: ignore[arg-type]


MAKERS = {
    "numpy.dtype": _dtype,
    "numpy.ndarray": _array,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.multiarray._reconstruct": _array,
}
