"""asin, acos, atan and atan2, in double for both types.

Minimax polynomials as in exponential.py: relative error 2^-60 (atan) and 2^-59 (asin).
"""

from __future__ import annotations

import math

from ..emitter import Function, Value
from .real import Real, through_double

# atan t = t + t^3 (c0 + c1 t^2 + ...), |t| <= tan(pi/8)
ATAN = (
    -0.33333333333333326, 0.19999999999997642, -0.14285714285384876, 0.11111111088001156,
    -0.09090908138755235, 0.07692282640287755, -0.06666225170842757, 0.05877007687185564,
    -0.05218321845821136, 0.04503244369607072, -0.033468003005547885, 0.015189200051658905,
)  # fmt: skip
# asin t = t + t^3 (c0 + c1 t^2 + ...), |t| <= 1/2
ASIN = (
    0.1666666666666676, 0.07499999999970816, 0.04464285717459659, 0.03038194270849524,
    0.022372214968204154, 0.01735161235309394, 0.01398081658424758, 0.011398943839069347,
    0.010780079940398375, 0.003707046103604986, 0.021705931349301336, -0.020996962925689096,
    0.03262733658618438,
)  # fmt: skip
HALF_PI, HALF_PI_LOW = math.pi / 2, 6.123233995736766e-17
TAN_EIGHTH_PI = 0.41421356237309503


def _arc_of_ratio(real: Real, small: Value, large: Value) -> Value:
    """Return atan(small / large) for 0 <= small <= large."""
    upper = real.compare("ogt", small, real.mul(large, TAN_EIGHTH_PI))
    top = real.select(upper, real.sub(small, large), small)
    bottom = real.select(upper, real.add(small, large), large)
    t = real.div(top, bottom)
    z = real.mul(t, t)
    p = real.mul(real.mul(z, t), real.polynomial(z, ATAN))
    low = real.select(upper, HALF_PI_LOW / 2, 0.0)
    return real.add(real.select(upper, HALF_PI / 2, 0.0), real.add(t, real.add(p, low)))


def _complement(real: Real, angle: Value) -> Value:
    """Return pi/2 - angle."""
    return real.add(real.sub(HALF_PI, angle), HALF_PI_LOW)


@through_double
def atan(f: Function, x: Value) -> Value:
    """The arc tangent."""
    real = Real(f, x)
    size = real.abs(x)
    beyond = real.compare("ogt", size, 1.0)
    infinite = real.compare("oeq", size, math.inf)
    small = real.select(beyond, 1.0, size)
    large = real.select(infinite, 2.0**1000, real.select(beyond, size, 1.0))
    angle = _arc_of_ratio(real, small, large)
    angle = real.select(beyond, _complement(real, angle), angle)
    return real.copysign(angle, x)


@through_double
def atan2(f: Function, y: Value, x: Value) -> Value:
    """The angle of the point (x, y), with C's results for zeros and infinities."""
    real = Real(f, x)
    width, height = real.abs(x), real.abs(y)
    steep = real.compare("ogt", height, width)
    small, large = real.select(steep, width, height), real.select(steep, height, width)
    both_infinite = real.compare("oeq", small, math.inf)
    small = real.select(both_infinite, 1.0, small)
    large = real.select(both_infinite, 1.0, large)
    # Keeps small + large finite, and its product with a constant normal where that matters.
    shrink = real.select(real.compare("ogt", large, 2.0**1000), 2.0**-3, 1.0)
    shrink = real.select(real.compare("olt", large, 2.0**-900), 2.0**100, shrink)
    small, large = real.mul(small, shrink), real.mul(large, shrink)
    large = real.select(real.compare("oeq", large, 0.0), 1.0, large)
    infinite = real.compare("oeq", large, math.inf)
    small, large = real.select(infinite, 0.0, small), real.select(infinite, 1.0, large)
    angle = _arc_of_ratio(real, small, large)
    angle = real.select(steep, _complement(real, angle), angle)
    left = f.compare("icmp slt", real.bits(x), real.integer(0))
    turned = real.add(real.sub(math.pi, angle), 2 * HALF_PI_LOW)
    angle = real.copysign(real.select(left, turned, angle), y)
    unordered = f.compare("fcmp uno", x, y)
    return real.select(unordered, real.add(x, y), angle)


def _arc_sine_tail(real: Real, t: Value, z: Value) -> Value:
    """Return asin(t) - t for |t| <= 1/2, z = t^2."""
    return real.mul(real.mul(z, t), real.polynomial(z, ASIN))


@through_double
def asin(f: Function, x: Value) -> Value:
    """The arc sine; beyond 1/2 by pi/2 - 2 asin(sqrt((1 - |x|) / 2))."""
    real = Real(f, x)
    size = real.abs(x)
    outer = real.compare("ogt", size, 0.5)
    z = real.select(outer, real.mul(real.sub(1.0, size), 0.5), real.mul(size, size))
    t = real.select(outer, real.sqrt(z), size)
    tail = _arc_sine_tail(real, t, z)
    twice = real.mul(real.add(t, tail), -2.0)
    wide = real.add(real.add(twice, HALF_PI_LOW), HALF_PI)
    return real.copysign(real.select(outer, wide, real.add(t, tail)), x)


@through_double
def acos(f: Function, x: Value) -> Value:
    """The arc cosine."""
    real = Real(f, x)
    size = real.abs(x)
    outer = real.compare("ogt", size, 0.5)
    z = real.select(outer, real.mul(real.sub(1.0, size), 0.5), real.mul(size, size))
    t = real.select(outer, real.sqrt(z), x)
    tail = _arc_sine_tail(real, t, z)
    near_one = real.mul(real.add(t, tail), 2.0)
    negative = real.compare("olt", x, 0.0)
    turned = real.add(real.sub(math.pi, near_one), 2 * HALF_PI_LOW)
    middle = real.sub(HALF_PI, real.add(t, real.sub(tail, HALF_PI_LOW)))
    return real.select(outer, real.select(negative, turned, near_one), middle)
