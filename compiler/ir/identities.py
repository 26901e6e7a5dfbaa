"""What each kind of reduction starts from."""

from __future__ import annotations

import math

from jitnet.runtime.dtype import DType

REDUCTIONS = ("add", "mul", "max", "min", "and", "or")


def identity(fn: str, dtype: DType) -> float | int | bool:
    """Return what a reduction starts from: combined with x, it gives x."""
    assert fn in REDUCTIONS, fn
    if dtype.kind == "bool":
        return fn in ("mul", "min", "and")
    if fn in ("add", "mul"):
        one = fn == "mul"
        return float(one) if dtype.kind == "float" else int(one)
    if fn == "or":
        return 0
    if fn == "and":
        return -1 if dtype.is_signed else dtype.limits[1]
    if dtype.kind == "float":
        return -math.inf if fn == "max" else math.inf
    least, greatest = dtype.limits
    return least if fn == "max" else greatest
