"""Random numbers by counter: Philox4x32-10, and the stream that docs/architecture.md defines on it.

Philox: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

from __future__ import annotations

import math

from ..emitter import F32, F64, I32, I64, Function, Value
from .logarithm import log
from .real import Real
from .trigonometric import cos_of_small

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _product(f: Function, a: Value, multiplier: int) -> tuple[Value, Value]:
    """Return the high and low words of a times a constant."""
    wide = f.convert("zext", a, I64)
    product = f.binary("mul", wide, f.const(wide.type, multiplier))
    high = f.binary("lshr", product, f.const(wide.type, 32))
    return f.convert("trunc", high, I32), f.convert("trunc", product, I32)


def philox4x32(
    f: Function, counter: tuple[Value, Value, Value, Value], key: tuple[Value, Value]
) -> tuple[Value, Value, Value, Value]:
    """Return the four random words of a counter (4 x <n x i32>) under a key (i32 or <n x i32>)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for number in range(ROUNDS):
        key0, key1 = f.splat(k0, c0.lanes), f.splat(k1, c0.lanes)
        high0, low0 = _product(f, c0, MULTIPLIERS[0])
        high1, low1 = _product(f, c2, MULTIPLIERS[1])
        c0 = f.binary("xor", f.binary("xor", high1, c1), key0)
        c2 = f.binary("xor", f.binary("xor", high0, c3), key1)
        c1, c3 = low1, low0
        if number < ROUNDS - 1:
            k0 = f.binary("add", k0, f.const(k0.type, _signed(KEY_STEPS[0])))
            k1 = f.binary("add", k1, f.const(k1.type, _signed(KEY_STEPS[1])))
    return c0, c1, c2, c3


def _halves(f: Function, x: Value) -> tuple[Value, Value]:
    """Return the low and the high 32 bits of 64-bit integers."""
    high = f.binary("lshr", x, f.const(x.type, 32))
    return f.convert("trunc", x, I32), f.convert("trunc", high, I32)


def random_words(
    f: Function, index: Value, seed: Value, call: Value, second: bool = False
) -> Value:
    """Return the random word of each element index (<n x i64>) of a call (seed, call: i64).

    second: the word of the second evaluation, whose call number has bit 63 set.
    """
    lanes = index.lanes

    def integral(op: str, a: Value, b: int) -> Value:
        return f.binary(op, a, f.const(a.type, b))

    group = integral("shl", integral("lshr", index, 5), 3)
    block = f.binary("or", group, integral("and", index, 7))
    low, high = _halves(f, block)
    call_low, call_high = _halves(f, call)
    if second:
        call_high = integral("or", call_high, -(1 << 31))
    counter = (low, high, f.splat(call_low, lanes), f.splat(call_high, lanes))
    words = philox4x32(f, counter, _halves(f, seed))
    place = integral("and", integral("lshr", f.convert("trunc", index, I32), 3), 3)
    result = words[3]
    for position in (2, 1, 0):
        here = f.compare("icmp eq", place, f.const(place.type, position))
        result = f.select(here, words[position], result)
    return result


def uniform32(f: Function, word: Value) -> Value:
    """Return floats in [0, 1) from words."""
    top = f.binary("lshr", word, f.const(word.type, 8))
    whole = f.convert("uitofp", top, F32)
    return Real(f, whole).mul(whole, 2.0**-24)


def uniform64(f: Function, word: Value, second: Value) -> Value:
    """Return doubles in [0, 1) from words and the words of the second evaluation."""
    high, low = f.convert("zext", word, I64), f.convert("zext", second, I64)
    both = f.binary("or", f.binary("shl", high, f.const(high.type, 32)), low)
    top = f.binary("lshr", both, f.const(both.type, 11))
    whole = f.convert("uitofp", top, F64)
    return Real(f, whole).mul(whole, 2.0**-53)


def normal(f: Function, word: Value, second: Value, element: str) -> Value:
    """Return normal numbers of an LLVM type (Box and Muller): sqrt(-2 ln u) cos(2 pi v)."""
    bits = 24 if element == F32 else 32
    unused = f.const(word.type, 32 - bits)
    words = [f.binary("lshr", each, unused) for each in (word, second)]
    first, other = (f.convert("uitofp", each, element) for each in words)
    real = Real(f, first)
    u = real.mul(real.add(first, 1.0), 2.0**-bits)
    v = real.mul(other, 2.0**-bits)
    radius = real.sqrt(real.mul(log(f, u), -2.0))
    return real.mul(radius, cos_of_small(f, real.mul(v, 2.0 * math.pi)))
