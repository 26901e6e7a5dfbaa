"""sinh, cosh, tanh and their inverses.

tanh is a polynomial up to 0.55 and 1 - 2 / (e^2x + 1) beyond, both computed: no branch. The rest
goes through exp, expm1 and log1p in double. Minimax polynomials as in exponential.py: relative
error 2^-29 for float, 2^-60 for double.
"""

from __future__ import annotations

import math

from ..emitter import F32, F64, Function, Value
from .exponential import (
    EXP2,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    exp_of_pair,
    expm1,
    exponential_part,
    power_of_two,
    round_scaled,
)
from .logarithm import LN2, log, log1p
from .real import Real, through_double

# tanh x = x + x^3 (c0 + c1 x^2 + ...), |x| <= 0.56
TANH = {
    F32: (
        -0.3333331346511841, 0.13332436978816986, -0.053835757076740265, 0.021000375971198082,
        -0.00616961345076561,
    ),
    F64: (
        -0.3333333333333333, 0.13333333333332947, -0.053968253967960934, 0.02186948852495765,
        -0.008863235278647998, 0.003592124437745606, -0.001455799885909491,
        0.0005898005067708344, -0.00023809730480118664, 9.37021645679735e-05,
        -3.2621344549000054e-05, 7.253306463105001e-06,
    ),
}  # fmt: skip
TANH_SPLIT = 0.55
# From here on tanh rounds to 1.
TANH_ONE = {F32: 9.2, F64: 19.5}


def _twice_exponential(real: Real, size: Value) -> Value:
    """Return e^(2 size) for sizes whose result is a normal number."""
    if real.format.element == F32:
        # The error of one rounded constant shrinks with e^-2x, faster than it grows with x.
        n, bits = round_scaled(real, size, 2 * LOG2_E)
        r = real.fma(size, 2 * LOG2_E, real.neg(n))
        part = real.fma(real.polynomial(r, EXP2[F32]), r, 1.0)
    else:
        twice = real.add(size, size)
        n, bits = round_scaled(real, twice, LOG2_E)
        r = real.fma(n, -LN2_LOW[F64], real.fma(n, -LN2_HIGH[F64], twice))
        part = exponential_part(real, r)
    return real.mul(part, power_of_two(real, bits))


def tanh(f: Function, x: Value) -> Value:
    """The hyperbolic tangent."""
    real = Real(f, x)
    element = real.format.element
    size = real.abs(x)
    growth = _twice_exponential(real, real.at_most(size, TANH_ONE[element]))
    outer = real.sub(1.0, real.div(2.0, real.add(growth, 1.0)))
    z = real.mul(x, x)
    inner = real.fma(real.mul(z, x), real.polynomial(z, TANH[element]), x)
    large = real.compare("ogt", size, TANH_SPLIT)
    return real.copysign(real.select(large, outer, inner), x)


@through_double
def sinh(f: Function, x: Value) -> Value:
    """The hyperbolic sine."""
    real = Real(f, x)
    size = real.abs(x)
    half = exp_of_pair(f, size, real.const(0.0), less=1)
    outer = real.sub(half, real.div(0.25, half))
    near = expm1(f, real.at_most(size, 2.0))
    inner = real.mul(real.add(near, real.div(near, real.add(near, 1.0))), 0.5)
    return real.copysign(real.select(real.compare("ogt", size, 1.5), outer, inner), x)


@through_double
def cosh(f: Function, x: Value) -> Value:
    """The hyperbolic cosine."""
    real = Real(f, x)
    half = exp_of_pair(f, real.abs(x), real.const(0.0), less=1)
    return real.add(half, real.div(0.25, half))


@through_double
def asinh(f: Function, x: Value) -> Value:
    """The inverse hyperbolic sine."""
    real = Real(f, x)
    size = real.abs(x)
    near = real.at_most(size, 2.0**30)
    square = real.mul(near, near)
    root = real.sqrt(real.add(square, 1.0))
    inner = log1p(f, real.add(near, real.div(square, real.add(root, 1.0))))
    outer = real.add(log(f, size), LN2)
    return real.copysign(real.select(real.compare("ogt", size, 2.0**29), outer, inner), x)


@through_double
def acosh(f: Function, x: Value) -> Value:
    """The inverse hyperbolic cosine; NaN below 1."""
    real = Real(f, x)
    above = real.at_most(real.sub(x, 1.0), 2.0**30)
    root = real.sqrt(real.mul(above, real.add(above, 2.0)))
    inner = log1p(f, real.add(above, root))
    outer = real.add(log(f, x), LN2)
    result = real.select(real.compare("ogt", x, 2.0**29), outer, inner)
    return real.select(real.compare("olt", x, 1.0), math.nan, result)


@through_double
def atanh(f: Function, x: Value) -> Value:
    """The inverse hyperbolic tangent; infinite at 1, NaN beyond."""
    real = Real(f, x)
    size = real.abs(x)
    twice = real.add(size, size)
    result = real.mul(log1p(f, real.div(twice, real.sub(1.0, size))), 0.5)
    return real.copysign(result, x)
