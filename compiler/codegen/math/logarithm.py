"""log, log1p, log2 and log10.

x = 2^e m with m in [2/3, 4/3) (float) or [0.7, 1.41) (double). float: log(1 + f) = f - f^2/2 +
f^3 P(f). double: s = f / (2 + f), log(1 + f) = 2 s + s^3 P(s^2), summed as fdlibm does. Minimax
polynomials as in exponential.py: relative error 2^-27 and 2^-59.
"""

from __future__ import annotations

import math

from ..emitter import F32, F64, Function, Value
from .exponential import LN2_HIGH, LN2_LOW
from .real import Real, through_double

LOG32 = (
    0.33333197236061096, -0.24999919533729553, 0.20011432468891144, -0.16674456000328064,
    0.13989795744419098, -0.1227380707859993, 0.14062820374965668, -0.12485325336456299,
)  # fmt: skip
LOG64 = (
    0.6666666666666735, 0.39999999999409225, 0.2857142874375996, 0.22222198416959651,
    0.1818357320247919, 0.15313805018568152, 0.1479858279034036,
)  # fmt: skip
# log((1+s)/(1-s)) = 2s + s^3 (2/3 + s^2 (c0 + c1 s^2 + ...)): relative error 2^-65
LOG_PAIR = (
    0.39999999999999974, 0.2857142857144529, 0.2222222221749172, 0.18181818875899183,
    0.153845564843917, 0.13336332483555466, 0.11674509255458657, 0.11991614540250341,
)  # fmt: skip
LN2 = 0.6931471805599453
TWO_THIRDS = 2.0 / 3.0
TWO_THIRDS_LOW = 3.700743415417188e-17
LOG10_E = 0.4342944819032518
LOG2_E = 1.4426950408889634
# The bits of the least m: 2/3 for float, sqrt(1/2) for double.
LEAST = {F32: 0x3F2AAAAB, F64: 0x3FE6A09E667F3BCD}


def normalize(real: Real, x: Value) -> tuple[Value, Value]:
    """Return (positive) x with its denormals multiplied into the normal range, and log2 of that."""
    shift = float(real.format.mantissa + 1)
    tiny = real.compare("olt", x, real.format.smallest)
    scaled = real.select(tiny, real.mul(x, 2.0**shift), x)
    return scaled, real.select(tiny, -shift, 0.0)


def split(real: Real, x: Value) -> tuple[Value, Value]:
    """Return m and e with (normal, positive) x = m 2^e, m near 1, e as a number."""
    bits = real.bits(x)
    field = -(1 << real.format.mantissa)
    shifted = real.integral("sub", bits, LEAST[real.format.element])
    exponent = real.integral("and", shifted, field)
    m = real.from_bits(real.integral("sub", bits, exponent))
    whole = real.integral("ashr", exponent, real.format.mantissa)
    return m, real.f.convert("sitofp", whole, real.format.element)


def combine(real: Real, fraction: Value, e: Value) -> Value:
    """Return log(1 + fraction) + e ln 2 for 1 + fraction in the range of split."""
    f2 = real.mul(fraction, fraction)
    if real.format.element == F32:
        tail = real.fma(fraction, real.polynomial(fraction, LOG32), -0.5)
        return real.fma(e, LN2, real.fma(tail, f2, fraction))
    s = real.div(fraction, real.add(fraction, 2.0))
    z = real.mul(s, s)
    half = real.mul(f2, 0.5)
    inner = real.add(half, real.mul(z, real.polynomial(z, LOG64)))
    low = real.fma(s, inner, real.mul(e, LN2_LOW[F64]))
    return real.fma(e, LN2_HIGH[F64], real.sub(fraction, real.sub(half, low)))


def finish(real: Real, x: Value, result: Value) -> Value:
    """Return result, or log's value where x is 0, negative, infinite or NaN."""
    infinity = real.format.infinity
    usual = real.f.compare(
        "icmp ult", real.integral("sub", real.bits(x), 1), real.integer(infinity - 1)
    )
    special = real.select(real.compare("oeq", x, 0.0), -math.inf, math.nan)
    special = real.select(real.compare("ogt", x, 0.0), x, special)
    return real.select(usual, result, special)


def log(f: Function, x: Value) -> Value:
    """ln x."""
    real = Real(f, x)
    scaled, offset = normalize(real, x)
    m, e = split(real, scaled)
    return finish(real, x, combine(real, real.sub(m, 1.0), real.add(e, offset)))


def log1p(f: Function, x: Value) -> Value:
    """ln(1 + x), also where 1 + x loses most of x: what the sum lost is added to the fraction."""
    real = Real(f, x)
    total = real.add(x, 1.0)
    small = real.compare("olt", total, 2.0)
    lost = real.select(small, real.sub(x, real.sub(total, 1.0)), real.sub(1.0, real.sub(total, x)))
    m, e = split(real, total)
    exponent = real.integral("sub", real.bits(total), real.bits(m))
    one_over = real.from_bits(real.integral("sub", real.bits(real.const(1.0)), exponent))
    fraction = real.sub(m, 1.0)
    whole = real.fma(lost, one_over, fraction)
    # Where 1 no longer counts, 1 / 2^e may be too small for a normal number.
    whole = real.select(real.compare("ogt", total, 2.0**60), fraction, whole)
    result = finish(real, total, combine(real, whole, e))
    return real.select(real.compare("oeq", x, 0.0), x, result)  # keeps -0


@through_double
def log2(f: Function, x: Value) -> Value:
    """The logarithm to base 2."""
    real = Real(f, x)
    scaled, offset = normalize(real, x)
    m, e = split(real, scaled)
    fraction = combine(real, real.sub(m, 1.0), real.const(0.0))
    return finish(real, x, real.fma(fraction, LOG2_E, real.add(e, offset)))


@through_double
def log10(f: Function, x: Value) -> Value:
    """The logarithm to base 10."""
    return Real(f, x).mul(log(f, x), LOG10_E)


def log_pair(real: Real, x: Value) -> tuple[Value, Value]:
    """Return the logarithm of a positive finite double as a sum of two, right to 2^-65."""
    scaled, offset = normalize(real, x)
    m, e = split(real, scaled)
    e = real.add(e, offset)
    fraction = real.sub(m, 1.0)
    below, below_low = real.quick_two_sum(real.const(2.0), fraction)
    s = real.div(fraction, below)
    product, error = real.two_product(s, below)
    rest = real.sub(real.sub(fraction, product), error)
    s_low = real.div(real.sub(rest, real.mul(s, below_low)), below)
    z, z_low = real.two_product(s, s)
    z_low = real.add(z_low, real.mul(real.add(s, s), s_low))
    third, third_low = real.quick_two_sum(
        real.const(TWO_THIRDS), real.mul(z, real.polynomial(z, LOG_PAIR))
    )
    third_low = real.add(third_low, TWO_THIRDS_LOW)
    t, t_low = real.two_product(z, third)
    t_low = real.fma(z, third_low, real.fma(z_low, third, t_low))
    w, w_low = real.quick_two_sum(real.const(2.0), t)
    w_low = real.add(w_low, t_low)
    small, small_low = real.two_product(s, w)
    small_low = real.fma(s, w_low, real.fma(s_low, w, small_low))
    high, low = real.two_sum(real.mul(e, LN2_HIGH[F64]), small)
    return high, real.fma(e, LN2_LOW[F64], real.add(low, small_low))
