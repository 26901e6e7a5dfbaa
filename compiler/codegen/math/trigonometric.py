"""sin, cos and tan.

x = n pi/2 + r with |r| <= pi/4. Angles up to a bound are reduced in lanes; greater ones, which are
rare, by huge_angle.py behind a branch. Minimax polynomials as in exponential.py: relative error
2^-28 for float, 2^-57 (of the cubic term on) for double.
"""

from __future__ import annotations

from collections.abc import Callable

from ..emitter import F32, F64, Function, Value
from .huge_angle import reduce_huge, where_huge
from .real import Real, through_double

# sin r = r + r^3 (c0 + c1 r^2 + ...)
SIN = {
    F32: (-0.16666655242443085, 0.008332189172506332, -0.00019518283079378307),
    F64: (
        -0.1666666666666663, 0.008333333333322104, -0.00019841269829578044,
        2.7557313617208817e-06, -2.505074708213308e-08, 1.5896189286197679e-10,
    ),
}  # fmt: skip
# cos r = 1 - r^2 / 2 + r^4 (c0 + c1 r^2 + ...)
COS = {
    F32: (0.04166664555668831, -0.0013887309469282627, 2.4432327336398885e-05),
    F64: (
        0.041666666666666595, -0.0013888888888873036, 2.4801587288839036e-05,
        -2.755731417553146e-07, 2.0875700316311352e-09, -1.1358508610550006e-11,
    ),
}  # fmt: skip
TWO_OVER_PI = 0.6366197723675814
# pi/2 in parts. float: of 24 bits, for fused steps; double: three of 33 bits and a rest, so that n
# times a part is exact for |n| < 2^20.
HALF_PI = {
    F32: (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    F64: (
        1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32,
    ),
}  # fmt: skip
# Up to here angles are reduced in lanes.
LARGEST = {F32: 2.0**16, F64: 2.0**20}

Finish = Callable[[Real, Value, Value, Value], Value]


def reduce(real: Real, x: Value) -> tuple[Value, Value, Value]:
    """Return the bits of n, and r as a sum of two, for |x| <= LARGEST; NaN for infinite x."""
    element = real.format.element
    rounded = real.fma(x, TWO_OVER_PI, real.format.magic)
    n = real.sub(rounded, real.format.magic)
    parts = HALF_PI[element]
    r = x
    if element == F32:
        for part in parts:
            r = real.fma(n, -part, r)
        return real.bits(rounded), r, real.const(0.0)
    r = real.add(x, real.mul(n, -parts[0]))
    r, low1 = real.two_sum(r, real.mul(n, -parts[1]))
    r, low2 = real.two_sum(r, real.mul(n, -parts[2]))
    low = real.fma(n, -parts[3], real.add(low1, low2))
    r, low = real.quick_two_sum(r, low)
    return real.bits(rounded), r, low


def sine(real: Real, r: Value, low: Value) -> Value:
    """Return sin(r + low) for |r| <= pi/4."""
    z = real.mul(r, r)
    p = real.mul(real.mul(z, r), real.polynomial(z, SIN[real.format.element]))
    if real.format.element == F32:
        return real.add(r, p)
    return real.add(r, real.fma(low, real.fma(z, -0.5, 1.0), p))


def cosine(real: Real, r: Value, low: Value) -> Value:
    """Return cos(r + low) for |r| <= pi/4."""
    z = real.mul(r, r)
    p = real.polynomial(z, COS[real.format.element])
    if real.format.element == F32:
        return real.fma(real.fma(p, z, -0.5), z, 1.0)
    half = real.mul(z, 0.5)
    top = real.sub(1.0, half)
    lost = real.sub(real.sub(1.0, top), half)
    return real.add(top, real.add(lost, real.fma(real.mul(z, z), p, real.neg(real.mul(r, low)))))


def _is_odd(real: Real, n: Value) -> Value:
    return real.f.compare("icmp ne", real.integral("and", n, 1), real.integer(0))


def _negate_by_bit(real: Real, x: Value, n: Value) -> Value:
    """Return -x where bit 1 of n is set."""
    sign = real.integral("shl", real.integral("and", n, 2), real.format.bits - 2)
    return real.from_bits(real.integral("xor", real.bits(x), sign))


def finish_sin(real: Real, n: Value, r: Value, low: Value) -> Value:
    """Return sin(n pi/2 + r + low)."""
    value = real.select(_is_odd(real, n), cosine(real, r, low), sine(real, r, low))
    return _negate_by_bit(real, value, n)


def finish_cos(real: Real, n: Value, r: Value, low: Value) -> Value:
    """Return cos(n pi/2 + r + low)."""
    return finish_sin(real, real.integral("add", n, 1), r, low)


def finish_tan(real: Real, n: Value, r: Value, low: Value) -> Value:
    """Return tan(n pi/2 + r + low)."""
    sin, cos = sine(real, r, low), cosine(real, r, low)
    odd = _is_odd(real, n)
    return real.div(real.select(odd, real.neg(cos), sin), real.select(odd, sin, cos))


def _huge(f: Function, x: Value, finish: Finish) -> Value:
    """Return the function of one double of any size."""
    real = Real(f, x)
    return finish(real, *reduce_huge(real, x))


def _everywhere(name: str, finish: Finish) -> Callable[[Function, Value], Value]:
    """Return the function for every angle."""

    def emit(f: Function, x: Value) -> Value:
        real = Real(f, x)
        usual = finish(real, *reduce(real, x))
        largest = LARGEST[x.element]
        return where_huge(real, x, usual, largest, name, lambda g, v: _huge(g, v, finish))

    def without_fma(f: Function, x: Value) -> Value:
        return emit(f, x) if f.target.has_fma else through_double(emit)(f, x)

    return without_fma


def cos_of_small(f: Function, x: Value) -> Value:
    """cos x for |x| <= LARGEST, with no branch."""
    real = Real(f, x)
    return finish_cos(real, *reduce(real, x))


def _odd(emit: Callable[[Function, Value], Value]) -> Callable[[Function, Value], Value]:
    """Return emit with f(-0) = -0."""

    def keep_zero(f: Function, x: Value) -> Value:
        real = Real(f, x)
        return real.select(real.compare("oeq", x, 0.0), x, emit(f, x))

    return keep_zero


sin = _odd(_everywhere("sin", finish_sin))
cos = _everywhere("cos", finish_cos)
tan = through_double(_odd(_everywhere("tan", finish_tan)))
