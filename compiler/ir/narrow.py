"""Floats of 16 bits: stored so, computed with as float32, and rounded once at an op's result.

PyTorch does the same on a CPU. An op's record needs to know nothing of it: here its arguments are
made wide and its result narrow, as arrays for eager mode, in passes/widen.py as nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType, bfloat16, convert, float16, float32

from .op import Op

_NARROW = frozenset({float16.numpy, bfloat16.numpy})


def is_widened(op: Op, dtypes: Sequence[DType], params: dict[str, Any]) -> bool:
    """Whether an op computes with values of these dtypes (arguments and result) as float32."""
    return any(dtype.narrow for dtype in dtypes) and not op.moves(**params)


def compute(
    op: Op, arrays: Sequence[np.ndarray], params: dict[str, Any], result: DType
) -> np.ndarray:
    """Return op's value for arrays of any dtype, as a result of this dtype."""
    wide = result.narrow
    for array in arrays:
        wide = wide or array.dtype in _NARROW
    if not wide or op.moves(**params):
        return op.eval(*arrays, **params)  # type: ignore[no-any-return]
    found = op.eval(*map(_widen, arrays), **params)
    return convert(np.asarray(found), result) if result.narrow else found


def _widen(array: np.ndarray) -> np.ndarray:
    return convert(array, float32) if array.dtype in _NARROW else array
