"""Reduction of great angles (Payne and Hanek), one double at a time, kept out of the usual path.

x = m 2^e with a 53-bit integer m. Of 2/pi only 192 bits matter: those before them give multiples
of 4 quadrants, those after them less than 2^-136 of one.
"""

from __future__ import annotations

from collections.abc import Callable

from ..emitter import F64, I1, I64, Function, Value
from .outline import call_pure, outline
from .real import Real

# 2/pi = 0.A2F98... in words of 64 bits, after one word of zeros.
TWO_OVER_PI_WORDS = (
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
    0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB,
    0xF0CFBC209AF4361D, 0xA9E391615EE61B08,
)  # fmt: skip
HALF_PI, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17
I128 = "i128"


def where_huge(
    real: Real,
    x: Value,
    usual: Value,
    largest: float,
    name: str,
    compute: Callable[[Function, Value], Value],
) -> Value:
    """Return usual, but compute(f, double) in the lanes where x is finite and |x| > largest."""
    f = real.f
    huge = _is_huge(real, x, largest)
    if x.lanes == 1:
        some = huge
    else:
        mask = f.emit(f"bitcast {huge} to i{x.lanes}", f"i{x.lanes}", [huge])
        some = f.compare("icmp ne", mask, f.const(mask.type, 0))

    def each_lane(g: Function, x: Value, usual: Value) -> Value:
        mask = _is_huge(Real(g, x), x, largest)
        result = usual
        for lane in range(x.lanes):
            one = x if x.lanes == 1 else g.extract(x, lane)
            wide = g.convert("fpext", one, F64)
            value = call_pure(g, f"huge_{name}", [wide], F64, compute)
            value = g.convert("fptrunc", value, x.element)
            result = value if x.lanes == 1 else g.insert(result, value, lane)
        return g.select(mask, result, usual)

    helper = outline(f, f"all_{name}", [x, usual], x.type, each_lane)

    def call() -> Value:
        value = f.call(helper, [x, usual], x.type)
        assert value is not None
        return value

    return f.rarely(some, call, usual)


def _is_huge(real: Real, x: Value, largest: float) -> Value:
    """Return whether largest < |x| < infinity, by one unsigned comparison of the bits."""
    f, form = real.f, real.format
    bits = real.bits(real.abs(x))
    exponent = largest.hex()
    assert exponent.startswith("0x1.0000000000000p"), "a power of two has simple bits"
    first = (int(exponent.split("p")[1]) + form.bias) << form.mantissa
    above = real.integral("sub", bits, first + 1)
    return f.compare("icmp ult", above, real.integer(form.infinity - first - 1))


def reduce_huge(real: Real, x: Value) -> tuple[Value, Value, Value]:
    """Return the bits of n, and r as a sum of two, for one double of at least 2^14."""
    f = real.f
    negative = f.compare("icmp slt", real.bits(x), f.i64(0))
    bits = real.bits(real.abs(x))
    mantissa = real.integral("or", real.integral("and", bits, (1 << 52) - 1), 1 << 52)
    # e = field - 1075; the first bit that counts weighs 2^-(e - 1); the table starts at -63.
    skipped = real.integral("sub", real.integral("lshr", bits, 52), 1075 + 2 - 64)
    skipped = f.maximum(f.minimum(skipped, f.i64(64 * 18 - 1)), f.i64(0))
    quadrants = _product(f, mantissa, *_window(f, skipped))
    n, angle, low = _quadrant(real, quadrants)
    sign = f.select(negative, f.i64(-1), f.i64(0))
    n = f.binary("sub", f.binary("xor", n, sign), sign)
    flip = f.select(negative, real.const(-1.0), real.const(1.0))
    return n, real.mul(angle, flip), real.mul(low, flip)


def _window(f: Function, skipped: Value) -> tuple[Value, Value, Value]:
    """Return three words of 2/pi, from the bit after `skipped` on, the highest first."""
    table = f.module.constant_array(I64, [_signed(word) for word in TWO_OVER_PI_WORDS])
    first = f.binary("lshr", skipped, f.i64(6))
    shift = f.binary("and", skipped, f.i64(63))
    words = []
    for position in range(4):
        place = f.gep(table, f.add(first, f.i64(position)), I64)
        words.append(f.load(place, I64, 8, constant=True))
    high, middle, low, rest = words
    return (
        f.intrinsic("llvm.fshl", [high, middle, shift]),
        f.intrinsic("llvm.fshl", [middle, low, shift]),
        f.intrinsic("llvm.fshl", [low, rest, shift]),
    )


def _product(f: Function, m: Value, high: Value, middle: Value, low: Value) -> Value:
    """Return m times three words as quadrants, modulo 4, with 126 bits after the point."""
    wide = [f.convert("zext", word, I128) for word in (m, high, middle, low)]
    bottom = f.binary("lshr", f.binary("mul", wide[0], wide[3]), f.const(I128, 64))
    centre = f.binary("add", f.binary("mul", wide[0], wide[2]), bottom)
    top = f.binary("shl", f.binary("mul", wide[0], wide[1]), f.const(I128, 64))
    return f.binary("add", top, centre)


def _quadrant(real: Real, quadrants: Value) -> tuple[Value, Value, Value]:
    """Return the nearest whole quadrant and the angle from there, as a sum of two."""
    f = real.f
    up = f.binary("add", quadrants, f.const(I128, 1 << 125))
    n = f.binary("lshr", up, f.const(I128, 126))
    rest = f.binary("sub", quadrants, f.binary("shl", n, f.const(I128, 126)))
    sign = f.binary("ashr", rest, f.const(I128, 127))
    size = f.binary("sub", f.binary("xor", rest, sign), sign)
    size = f.binary("or", size, f.const(I128, 1))
    zeros = f.intrinsic("llvm.ctlz", [size, f.const(I1, False)])
    shifted = f.binary("shl", size, zeros)
    head = f.convert("trunc", f.binary("lshr", shifted, f.const(I128, 75)), I64)
    tail = f.binary("lshr", shifted, f.const(I128, 22))
    tail = f.binary("and", f.convert("trunc", tail, I64), f.i64((1 << 53) - 1))
    places = f.convert("trunc", zeros, I64)
    # head has 53 bits, the first of weight 2^(1 - zeros): its last weighs 2^(-51 - zeros).
    weight = f.binary("shl", f.binary("sub", f.i64(1023 - 51), places), f.i64(52))
    weight = f.convert("bitcast", weight, F64)
    signed = f.select(f.compare("icmp slt", sign, f.const(I128, 0)), real.neg(weight), weight)
    fraction = real.mul(f.convert("sitofp", head, F64), signed)
    lower = real.mul(real.mul(f.convert("sitofp", tail, F64), 2.0**-53), signed)
    angle, error = real.two_product(fraction, real.const(HALF_PI))
    error = real.fma(lower, HALF_PI, real.fma(fraction, HALF_PI_LOW, error))
    angle, error = real.quick_two_sum(angle, error)
    return f.convert("trunc", n, I64), angle, error


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
