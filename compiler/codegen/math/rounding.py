"""floor, ceil, round and trunc, tests for NaN and infinity, and float remainders and quotients."""

from __future__ import annotations

import math

from ..emitter import Function, Value
from .ordering import Emit
from .outline import call_pure
from .real import Real, through_double
from .reduction import any_lane


def round_even(f: Function, x: Value) -> Value:
    """The nearest integer, halves to even."""
    if f.target.has_fma:
        return f.intrinsic("llvm.roundeven", [x])
    return _round_by_magic(Real(f, x), x)


def _round_by_magic(real: Real, x: Value) -> Value:
    """Round with an addition: a processor without FMA may have no rounding instruction either."""
    bound = 2.0**real.format.mantissa
    size = real.abs(x)
    rounded = real.sub(real.add(size, bound), bound)
    return real.copysign(real.select(real.compare("olt", size, bound), rounded, size), x)


def _adjusted(name: str, op: str, step: float) -> Emit:
    """Return floor or ceil; from round_even where the intrinsic may be a library call."""

    def emit(f: Function, x: Value) -> Value:
        if f.target.has_fma:
            return f.intrinsic(name, [x])
        real = Real(f, x)
        nearest = _round_by_magic(real, x)
        moved = real.select(real.compare(op, nearest, x), real.add(nearest, step), nearest)
        return real.copysign(moved, x)

    return emit


floor = _adjusted("llvm.floor", "ogt", -1.0)
ceil = _adjusted("llvm.ceil", "olt", 1.0)


def trunc(f: Function, x: Value) -> Value:
    """The integer next to x towards zero."""
    if f.target.has_fma:
        return f.intrinsic("llvm.trunc", [x])
    real = Real(f, x)
    return real.copysign(floor(f, real.abs(x)), x)


def is_nan(f: Function, x: Value) -> Value:
    """Whether x is no number."""
    return f.compare("fcmp uno", x, x)


def is_infinite(f: Function, x: Value) -> Value:
    """Whether x is an infinity."""
    real = Real(f, x)
    return real.compare("oeq", real.abs(x), math.inf)


def is_finite(f: Function, x: Value) -> Value:
    """Whether x is neither NaN nor infinite."""
    real = Real(f, x)
    return real.compare("olt", real.abs(x), math.inf)


@through_double
def fmod(f: Function, a: Value, b: Value) -> Value:
    """The remainder of a / b with the sign of a, exact; NaN for b = 0 and for infinite a."""
    return call_pure(f, "fmod", [a, b], a.type, _fmod)


def _fmod(g: Function, a: Value, b: Value) -> Value:
    """Subtract multiples of b (or of a power of 2 times b), each step exact, until |rest| < |b|."""
    real = Real(g, a)
    divisor = real.abs(b)
    valid = g.binary("and", is_finite(g, a), real.compare("ogt", divisor, 0.0))
    divisor = real.select(valid, divisor, 1.0)
    first = real.select(valid, real.abs(a), 0.0)

    def unfinished(carried: list[Value]) -> Value:
        return any_lane(g, real.compare("oge", carried[0], divisor))

    with g.while_(unfinished, [first, real.const(1.0)]) as loop:
        rest, sign = loop.carried
        left = _remove_multiple(real, rest, divisor)
        flip = real.compare("olt", left, 0.0)
        loop.carry = [real.abs(left), real.select(flip, real.neg(sign), sign)]
    rest, sign = loop.results
    below = g.binary("and", real.compare("olt", sign, 0.0), real.compare("une", rest, 0.0))
    rest = real.select(below, real.sub(divisor, rest), rest)
    return real.select(valid, real.copysign(rest, a), math.nan)


def _remove_multiple(real: Real, rest: Value, divisor: Value) -> Value:
    """Return rest - q * divisor, exactly, for an integer q that leaves little of rest."""
    multiple = divisor
    for _ in range(4):  # 2^2000 covers the range of double, so the quotient below is finite
        far = real.compare("ogt", real.mul(rest, 2.0**-500), multiple)
        multiple = real.select(far, real.mul(multiple, 2.0**500), multiple)
    q = round_even(real.f, real.div(rest, multiple))
    if real.f.target.has_fma:
        left = real.fma(real.neg(q), multiple, rest)
    else:
        shrink = real.select(real.compare("ogt", rest, 2.0**900), 2.0**-200, 1.0)
        small = real.mul(rest, shrink)
        product, error = real.two_product(q, real.mul(multiple, shrink))
        left = real.sub(real.sub(small, product), error)
        left = real.select(real.compare("ogt", rest, 2.0**900), real.mul(left, 2.0**200), left)
    return real.select(real.compare("olt", rest, divisor), rest, left)


def remainder(f: Function, a: Value, b: Value) -> Value:
    """The remainder with the sign of the divisor, as Python's % and torch.remainder."""
    real = Real(f, a)
    rest = fmod(f, a, b)
    return real.select(_is_off(real, rest, b), real.add(rest, b), rest)


def _is_off(real: Real, rest: Value, b: Value) -> Value:
    """Return whether a non-zero remainder has not the sign of the divisor."""
    f = real.f
    signs = f.binary("xor", real.compare("olt", rest, 0.0), real.compare("olt", b, 0.0))
    return f.binary("and", signs, real.compare("une", rest, 0.0))


def floor_divide(f: Function, a: Value, b: Value) -> Value:
    """a / b rounded down, consistent with remainder, as torch.floor_divide; a / b for b = 0."""
    real = Real(f, a)
    rest = fmod(f, a, b)
    exact = real.div(real.sub(a, rest), b)
    exact = real.select(_is_off(real, rest, b), real.sub(exact, 1.0), exact)
    down = floor(f, exact)
    near = real.compare("ogt", real.sub(exact, down), 0.5)
    down = real.select(near, real.add(down, 1.0), down)
    ratio = real.div(a, b)
    zero = real.copysign(real.const(0.0), ratio)
    down = real.select(real.compare("oeq", exact, 0.0), zero, down)
    return real.select(real.compare("oeq", b, 0.0), ratio, down)
