"""exp, exp2, expm1 and sigmoid.

exp(x) = 2^n exp(r) with r = x - n ln 2 in [-0.35, 0.35]. The polynomials are minimax (discrete
Remez exchange in 180-bit arithmetic on the relative error; float32 coefficients were rounded one
after the other, the rest fitted again): relative error 2^-28 for float, 2^-60 for double.
"""

from __future__ import annotations

from jitnet.runtime.dataclass import dataclass

from ..emitter import F32, F64, I32, Function, Value
from .estimate import reciprocal, scaled
from .real import Real

# exp(r) = 1 + r + r^2 (c0 + c1 r + ...)
EXP = {
    F32: (
        0.4999999403953552, 0.16666516661643982, 0.04166810214519501, 0.00836916547268629,
        0.0013837978476658463,
    ),
    F64: (
        0.5, 0.16666666666666682, 0.041666666666666095, 0.008333333333316982,
        0.0013888888889116307, 0.00019841269896515845, 2.4801586925802693e-05,
        2.7557234727238364e-06, 2.7557582220970616e-07, 2.5112084676342372e-08,
        2.082659911969691e-09,
    ),
}  # fmt: skip
# 2^r = 1 + r (c0 + c1 r + ...), r in [-0.5, 0.5]
EXP2 = {
    F32: (
        0.6931472420692444, 0.24022655189037323, 0.05550272762775421, 0.009617065079510212,
        0.001341775176115334, 0.00015823604189790785,
    ),
    F64: (
        0.6931471805599457, 0.24022650695910097, 0.05550410866479025, 0.0096181291076069,
        0.00133335581534652, 0.00015403530441744084, 1.5252727369747638e-05,
        1.3215442570407132e-06, 1.0180650759180224e-07, 7.072591418137428e-09,
        4.078071729786077e-10,
    ),
}  # fmt: skip
LOG2_E = 1.4426950408889634
# ln 2 in two parts; n * high is exact for every n that occurs.
LN2_HIGH = {F32: 0.693145751953125, F64: 0.6931471803691238}
LN2_LOW = {F32: 1.42860682030941723212e-6, F64: 1.90821492927058770002e-10}
# Below, results round to 0; above, they are infinite.
LOWEST = {F32: -104.0, F64: -746.0}
HIGHEST = {F32: 89.0, F64: 710.0}
LOWEST2 = {F32: -151.0, F64: -1076.0}
HIGHEST2 = {F32: 128.0, F64: 1024.0}


@dataclass(frozen=True)
class Rounded:
    """An integer n as a number, and a number whose last bits hold n plus an offset."""

    n: Value
    shifted: Value

    def less(self, real: Real, count: int) -> Rounded:
        """Return n - count."""
        return Rounded(real.sub(self.n, float(count)), real.sub(self.shifted, float(count)))


def round_scaled(real: Real, x: Value, factor: float, offset: int) -> Rounded:
    """Return x * factor rounded to an integer."""
    magic = real.format.magic + offset
    shifted = real.fma(x, factor, magic)
    return Rounded(real.sub(shifted, magic), shifted)


def round_to_scale(real: Real, x: Value, factor: float) -> Rounded:
    """Return x * factor rounded to an integer n, as `scale` wants it: plus twice the bias."""
    return round_scaled(real, x, factor, 2 * real.format.bias)


def scale(real: Real, x: Value, by: Rounded) -> Value:
    """Return x * 2^n, n from round_to_scale; right even where 2^n is not a number.

    Multiplying twice by about 2^(n/2) rounds once, into denormals too, and lets a NaN pass, which
    adding n to the bits of x would not. AVX-512 has an instruction that does the same.
    """
    if real.f.target.is_avx512 and x.element == F32:
        return scaled(real.f, x, by.n)
    bits = real.bits(by.shifted)
    if real.f.target.is_avx512:
        n = real.integral("sub", bits, real.format.magic_bits + 2 * real.format.bias)
        return real.f.intrinsic("llvm.ldexp", [x, real.f.convert("trunc", n, I32)], overloads=2)
    first = real.integral("lshr", bits, 1)
    second = real.integral("sub", bits, first)
    shift = real.format.mantissa
    x = real.mul(x, real.from_bits(real.integral("shl", first, shift)))
    return real.mul(x, real.from_bits(real.integral("shl", second, shift)))


def power_of_scaled(real: Real, x: Value, factor: float, less: int = 0) -> tuple[Value, Value]:
    """Return n = x * factor rounded to an integer, and 2^(n - less), which must be normal."""
    rounded = round_scaled(real, x, factor, real.format.bias - less)
    bits = real.integral("shl", real.bits(rounded.shifted), real.format.mantissa)
    return rounded.n, real.from_bits(bits)


def _reduce(real: Real, x: Value, n: Value) -> Value:
    """Return r = x - n ln 2."""
    element = real.format.element
    return real.fma(n, -LN2_LOW[element], real.fma(n, -LN2_HIGH[element], x))


def exponential_part(real: Real, r: Value) -> Value:
    """Return exp(r) for |r| <= 0.35."""
    rest = real.short_polynomial(r, EXP[real.format.element])
    return real.add(real.fma(real.mul(r, r), rest, r), 1.0)


def exp(f: Function, x: Value) -> Value:
    """e^x."""
    real = Real(f, x)
    return _exp_below(real, real.at_most(x, HIGHEST[x.element]))


def _exp_below(real: Real, x: Value) -> Value:
    """Return e^x for x <= HIGHEST."""
    x = real.at_least(x, LOWEST[x.element])
    by = round_to_scale(real, x, LOG2_E)
    return scale(real, exponential_part(real, _reduce(real, x, by.n)), by)


def exp_of_pair(f: Function, high: Value, low: Value, less: int = 0) -> Value:
    """e^(high + low) / 2^less, for |low| much smaller than 1."""
    real = Real(f, high)
    highest = HIGHEST[high.element] + 1.0  # half of e^710 is finite
    high = real.at_least(real.at_most(high, highest), LOWEST[high.element])
    by = round_to_scale(real, high, LOG2_E)
    part = exponential_part(real, real.add(_reduce(real, high, by.n), low))
    return scale(real, part, by.less(real, less) if less else by)


def exp2(f: Function, x: Value) -> Value:
    """2^x."""
    real = Real(f, x)
    element = real.format.element
    x = real.at_least(real.at_most(x, HIGHEST2[element]), LOWEST2[element])
    by = round_to_scale(real, x, 1.0)
    r = real.sub(x, by.n)
    part = real.fma(real.polynomial(r, EXP2[element]), r, 1.0)
    return scale(real, part, by)


def expm1(f: Function, x: Value) -> Value:
    """e^x - 1 without cancellation: 2^n (exp(r) - 1) + (2^n - 1)."""
    real = Real(f, x)
    element = real.format.element
    low = -2.0 * real.format.mantissa  # e^low is less than half an ulp of 1
    bounded_x = real.at_least(real.at_most(x, HIGHEST[element]), low)
    # 2^n overflows where n is largest, half of it does not.
    n, half = power_of_scaled(real, bounded_x, LOG2_E, less=1)
    r = _reduce(real, bounded_x, n)
    part = real.fma(real.mul(r, r), real.polynomial(r, EXP[element]), r)
    result = real.fma(half, part, real.sub(half, 0.5))
    result = real.add(result, result)
    return real.select(real.compare("oeq", x, 0.0), x, result)  # keeps -0


def sigmoid(f: Function, x: Value) -> Value:
    """1 / (1 + e^-x), by e = e^-|x| so that nothing overflows and small results keep their digits.

    What 1 + e lost is put back, or three roundings beside that of e would make 2.3 ulp.
    """
    real = Real(f, x)
    e = _exp_below(real, real.neg(real.abs(x)))
    whole = real.add(e, 1.0)
    lost = real.sub(real.sub(whole, 1.0), e)
    top = real.select(real.compare("oge", x, 0.0), 1.0, e)
    inverse = reciprocal(f, whole)
    ratio = real.mul(top, inverse)
    left = real.fma(ratio, lost, real.fma(real.neg(ratio), whole, top))
    return real.fma(left, inverse, ratio)
