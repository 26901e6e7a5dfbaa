"""How Numba names the dtypes, in memory and computed with."""

from __future__ import annotations

import math

from jitnet.runtime.dtype import DType, bfloat16, bool_, float32

# Numba does not store bools through pointers, and its simulator knows no bfloat16.
_STORED = {"bool": "uint8", "bfloat16": "uint16"}


def stored(dtype: DType) -> str:
    """Return the Numba type of an element in memory."""
    return _STORED.get(dtype.name, dtype.name)


def computed(dtype: DType) -> DType:
    """Return the dtype that values are computed with: float32 for floats of 16 bits."""
    return float32 if dtype.narrow else dtype


def constant(value: float | int | bool, dtype: DType) -> str:
    """Return a number of a dtype; what Numba would take for a wider one says its type."""
    dtype = computed(dtype)
    if dtype is bool_:
        return str(bool(value))
    if dtype.kind == "float":
        text = repr(float(value)) if math.isfinite(value) else _special(float(value))
        return text if dtype.size == 8 else f"{dtype.name}({text})"
    return str(int(value)) if dtype.name == "int64" else f"{dtype.name}({int(value)})"


def _special(value: float) -> str:
    if math.isnan(value):
        return "math.nan"
    return "math.inf" if value > 0 else "-math.inf"


def from_memory(text: str, dtype: DType) -> str:
    """Return what was loaded as it is computed with."""
    if dtype is bool_:
        return f"({text} != 0)"
    if dtype is bfloat16:
        return f"from_bfloat16({text})"
    return f"float32({text})" if dtype.narrow else text


def to_memory(text: str, dtype: DType) -> str:
    """Return a computed value as it is stored."""
    if dtype is bool_:
        return f"uint8({text})"
    if dtype is bfloat16:
        return f"to_bfloat16({text})"
    return f"float16({text})" if dtype.narrow else text
