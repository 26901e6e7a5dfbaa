"""Reductions of a vector's lanes to one value, in a tree that depends only on the lane count."""

from __future__ import annotations

from jitnet.compiler.ir.identities import REDUCTIONS
from jitnet.runtime.dtype import DType

from ..emitter import Function, Value
from .ordering import MAXIMUM, MINIMUM


def combine(f: Function, fn: str, a: Value, b: Value, dtype: DType) -> Value:
    """Return the reduction step fn of two values of a dtype; bool adds by or, multiplies by and."""
    assert fn in REDUCTIONS, fn
    match fn, dtype.kind:
        case "add", "float":
            return f.fadd(a, b)
        case "mul", "float":
            return f.fmul(a, b)
        case "max", kind:
            return MAXIMUM[kind](f, a, b)
        case "min", kind:
            return MINIMUM[kind](f, a, b)
        case "add", "bool":
            return f.binary("or", a, b)
        case "mul", "bool":
            return f.binary("and", a, b)
        case _:
            return f.binary(fn, a, b)


def horizontal(f: Function, fn: str, value: Value, dtype: DType) -> Value:
    """Return the lanes of value combined by fn: halves pairwise, an odd last lane at the end."""
    if value.lanes == 1:
        return value
    if value.lanes == 2:
        return combine(f, fn, f.extract(value, 0), f.extract(value, 1), dtype)
    if value.lanes % 2:
        first = f.shuffle(value, None, range(value.lanes - 1))
        last = f.extract(value, value.lanes - 1)
        return combine(f, fn, horizontal(f, fn, first, dtype), last, dtype)
    half = value.lanes // 2
    low = f.shuffle(value, None, range(half))
    high = f.shuffle(value, None, range(half, value.lanes))
    return horizontal(f, fn, combine(f, fn, low, high, dtype), dtype)


def any_lane(f: Function, mask: Value) -> Value:
    """Return whether a lane of a mask is set, as i1."""
    if mask.lanes == 1:
        return mask
    whole = f"i{mask.lanes}"
    bits = f.emit(f"bitcast {mask} to {whole}", whole, [mask])
    return f.compare("icmp ne", bits, f.const(whole, 0))
