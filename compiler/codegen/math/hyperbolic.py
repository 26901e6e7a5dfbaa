"""sinh, cosh, tanh and their inverses.

tanh goes through (e^2x - 1) / 2 in its own type, the rest through exp, expm1 and log1p in double.
Minimax polynomials as in exponential.py: relative error 2^-26 for float, 2^-58 for double.
"""

from __future__ import annotations

import math

from ..emitter import F32, F64, Function, Value
from .estimate import reciprocal
from .exponential import (
    EXP,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    exp_of_pair,
    expm1,
    power_of_scaled,
)
from .logarithm import LN2, log, log1p
from .real import Real, through_double

# (e^2r - 1) / 2 = r + r^2 (c0 + c1 r + ...), |r| <= 0.174 (a quarter of ln 2)
HALF_EXPM1 = {
    F32: (1.0, 0.6666618585586548, 0.33333486318588257, 0.13386176526546478, 0.04447467625141144),
    F64: tuple(2.0 ** (power + 1) * c for power, c in enumerate(EXP[F64])),
}
# From here on tanh rounds to 1.
TANH_ONE = {F32: 9.2, F64: 19.5}


def _half_growth(real: Real, size: Value) -> Value:
    """Return (e^(2 size) - 1) / 2, with all digits of small results, for sizes up to TANH_ONE."""
    element = real.format.element
    n, half = power_of_scaled(real, size, 2 * LOG2_E, less=1)
    if element == F32:
        r = real.fma(n, -LN2 / 2, size)  # what is lost grows with n, but e^2x grows faster
    else:
        r = real.fma(n, -LN2_HIGH[F64] / 2, size)
        r = real.fma(n, -LN2_LOW[F64] / 2, r)
    part = real.fma(real.mul(r, r), real.short_polynomial(r, HALF_EXPM1[element]), r)
    return real.fma(real.add(half, half), part, real.sub(half, 0.5))


def tanh(f: Function, x: Value) -> Value:
    """The hyperbolic tangent: t / (t + 1), t = (e^2x - 1) / 2, with what t + 1 loses."""
    real = Real(f, x)
    t = _half_growth(real, real.at_most(real.abs(x), TANH_ONE[x.element]))
    inverse = reciprocal(f, real.add(t, 1.0))
    ratio = real.mul(t, inverse)
    left = real.fma(real.neg(ratio), t, real.sub(t, ratio))
    ratio = real.fma(left, inverse, ratio)
    return real.copysign(real.at_most(ratio, 1.0), x)


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
