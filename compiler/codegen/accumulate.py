"""Accumulators: where a reduction starts, how two partial results meet, how lanes fold into one.

An accumulator of "argmax" / "argmin" is two values: the best so far and its position (int64).
"""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.identities import identity
from jitnet.runtime.dtype import DType, bool_

from . import math
from .emitter import F32, I1, I64, Function, Value, vector
from .math import emit_scalar

FARTHEST = (1 << 63) - 1  # a position after every real one


def computed_type(dtype: DType, lanes: int = 1) -> str:
    """Return the LLVM type of a computed value: i1 for bool, float for floats of 16 bits."""
    if dtype.narrow:
        return vector(F32, lanes)
    return vector(I1 if dtype.kind == "bool" else dtype.llvm, lanes)


def start(f: Function, fn: str, dtype: DType, lanes: int) -> list[Value]:
    """Return the accumulator of nothing yet."""
    if not fn.startswith("arg"):
        return [f.const(computed_type(dtype, lanes), identity(fn, dtype))]
    worst = identity(fn.removeprefix("arg"), dtype)
    return [
        f.const(computed_type(dtype, lanes), worst),
        f.const(vector(I64, lanes), FARTHEST),
    ]


def combine(
    f: Function, fn: str, a: Sequence[Value], b: Sequence[Value], dtype: DType
) -> list[Value]:
    """Return the accumulator of everything in a and in b."""
    if not fn.startswith("arg"):
        return [math.combine(f, fn, a[0], b[0], dtype)]
    (best, at), (other, other_at) = a, b
    wins = emit_scalar(f, "gt" if fn == "argmax" else "lt", [other, best], dtype)
    ties = emit_scalar(f, "eq", [other, best], dtype)
    if dtype.kind == "float":
        best_nan = f.compare("fcmp uno", best, best)
        other_nan = f.compare("fcmp uno", other, other)
        here = f.binary("xor", best_nan, f.const(best_nan.type, True))
        wins = f.binary("or", wins, f.binary("and", other_nan, here))
        ties = f.binary("or", ties, f.binary("and", other_nan, best_nan))
    earlier = f.compare("icmp slt", other_at, at)
    wins = f.binary("or", wins, f.binary("and", ties, earlier))
    return [f.select(wins, other, best), f.select(wins, other_at, at)]


def fold(f: Function, fn: str, values: Sequence[Value], dtype: DType) -> list[Value]:
    """Return the accumulator of all lanes together, combined in a fixed tree of halves."""
    if not fn.startswith("arg"):
        return [math.horizontal(f, fn, values[0], dtype)]
    current = list(values)
    while current[0].lanes > 1:
        lanes = current[0].lanes
        half = (lanes + 1) // 2
        low = [f.shuffle(value, None, range(half)) for value in current]
        last = [min(half + lane, lanes - 1) for lane in range(half)]
        high = [f.shuffle(value, None, last) for value in current]
        current = combine(f, fn, low, high, dtype)
        if half == 1:
            return [f.extract(value, 0) for value in current]
    return current


def any_lane(f: Function, value: Value) -> Value:
    """Return whether an i1 is set in any lane."""
    return math.horizontal(f, "or", value, bool_)
