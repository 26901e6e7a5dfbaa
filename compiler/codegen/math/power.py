"""pow of floats as C defines it, and of integers modulo 2^bits."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..emitter import F32, F64, Function, Value
from .exponential import exp, exp_of_pair
from .logarithm import log, log_pair
from .outline import call_pure
from .real import Real
from .reduction import any_lane

Magnitude = Callable[[Function, Value, Value], Value]


def _by_pair(f: Function, size: Value, y: Value) -> Value:
    """Return size^y for positive finite size, right to an ulp: the logarithm is a sum of two."""
    real = Real(f, size)
    high, low = log_pair(real, size)
    product, error = real.two_product(high, y)
    product, error = real.quick_two_sum(product, real.fma(low, y, error))
    ordinary = real.compare("olt", real.abs(product), 1024.0)
    return exp_of_pair(f, product, real.select(ordinary, error, 0.0))


def _plain(f: Function, size: Value, y: Value) -> Value:
    """Return size^y for positive finite size in double, exact enough for a float."""
    return exp(f, Real(f, size).mul(log(f, size), y))


def _with_special_cases(f: Function, x: Value, y: Value, magnitude: Magnitude) -> Value:
    """Return x^y as C's pow, from magnitude(f, |x|, y) for ordinary values."""
    real = Real(f, x)
    size = real.abs(x)
    # Beyond 2^80 an exponent gives only 0, 1 or infinity.
    bounded = real.at_least(real.at_most(y, 2.0**80), -(2.0**80))
    result = magnitude(f, size, bounded)
    rising = real.compare("ogt", y, 0.0)
    result = real.select(real.compare("oeq", size, 0.0), real.select(rising, 0.0, math.inf), result)
    infinite = real.compare("oeq", size, math.inf)
    result = real.select(infinite, real.select(rising, math.inf, 0.0), result)
    whole = real.compare("oeq", f.intrinsic("llvm.trunc", [y]), y)
    half = real.mul(y, 0.5)
    odd = f.binary("and", whole, real.compare("une", f.intrinsic("llvm.trunc", [half]), half))
    result = real.copysign(result, real.select(odd, x, 1.0))
    negative = f.binary("and", real.compare("olt", x, 0.0), real.compare("ogt", x, -math.inf))
    broken = f.binary("and", negative, real.compare("une", f.intrinsic("llvm.trunc", [y]), y))
    result = real.select(broken, math.nan, result)
    result = real.select(real.compare("uno", x, y), math.nan, result)
    one = f.binary("or", real.compare("oeq", x, 1.0), real.compare("oeq", y, 0.0))
    return real.select(one, 1.0, result)


def power(f: Function, x: Value, y: Value) -> Value:
    """x^y for floats."""
    if x.element == F64:
        return _with_special_cases(f, x, y, _by_pair)
    wide_x, wide_y = f.convert("fpext", x, F64), f.convert("fpext", y, F64)
    return f.convert("fptrunc", _with_special_cases(f, wide_x, wide_y, _plain), F32)


def power_unsigned(f: Function, x: Value, y: Value) -> Value:
    """x^y modulo 2^bits, by squaring; a loop over the bits of the greatest exponent."""
    return call_pure(f, "power", [x, y], x.type, _square_and_multiply)


def power_signed(f: Function, x: Value, y: Value) -> Value:
    """x^y modulo 2^bits; a negative exponent gives 0, but 1 or -1 for those bases."""
    zero, one = f.const(x.type, 0), f.const(x.type, 1)
    negative = f.compare("icmp slt", y, zero)
    exponent = f.select(negative, f.binary("and", y, one), y)
    result = power_unsigned(f, x, exponent)
    units = f.compare("icmp ule", f.binary("add", x, one), f.const(x.type, 2))
    units = f.binary("and", units, f.compare("icmp ne", x, zero))
    lost = f.binary("and", negative, f.binary("xor", units, f.const(units.type, True)))
    return f.select(lost, zero, result)


def _square_and_multiply(g: Function, x: Value, y: Value) -> Value:
    zero, one = g.const(x.type, 0), g.const(x.type, 1)

    def unfinished(carried: list[Value]) -> Value:
        return any_lane(g, g.compare("icmp ne", carried[2], zero))

    with g.while_(unfinished, [one, x, y]) as loop:
        result, base, exponent = loop.carried
        odd = g.compare("icmp ne", g.binary("and", exponent, one), zero)
        loop.carry = [
            g.select(odd, g.binary("mul", result, base), result),
            g.binary("mul", base, base),
            g.binary("lshr", exponent, one),
        ]
    return loop.results[0]
