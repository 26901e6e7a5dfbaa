"""Integer division, remainders, shifts and absolute values: no operand traps or is undefined.

A divisor of 0 gives 0, quotient and remainder alike: compiled code cannot raise eager mode's
ZeroDivisionError. The least integer divided by -1 wraps to itself. A shift by a negative count,
or by at least the width, shifts every bit out.
"""

from __future__ import annotations

from ..emitter import F64, Function, Value
from .ordering import Emit

BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64}


def _quotient(f: Function, a: Value, b: Value, signed: bool) -> Value:
    """Return a / b towards zero, for b neither 0 nor (signed) -1.

    Up to 32 bits through double, which is exact and, unlike division, a vector instruction.
    """
    if BITS[a.element] > 32:
        return f.binary("sdiv" if signed else "udiv", a, b)
    letter = "s" if signed else "u"
    wide = [f.convert(f"{letter}itofp", value, F64) for value in (a, b)]
    return f.convert(f"fpto{letter}i", f.fdiv(*wide), a.element)


def _divide_signed(f: Function, a: Value, b: Value) -> tuple[Value, Value]:
    """Return quotient and remainder towards zero, both 0 where b is 0."""
    zero, one = f.const(a.type, 0), f.const(a.type, 1)
    is_zero = f.compare("icmp eq", b, zero)
    # b is 0 or -1
    special = f.compare("icmp ule", f.binary("add", b, one), one)
    safe = f.select(special, one, b)
    quotient = _quotient(f, a, safe, signed=True)
    remainder = f.binary("sub", a, f.binary("mul", quotient, safe))
    by_special = f.select(is_zero, zero, f.binary("sub", zero, a))
    return f.select(special, by_special, quotient), remainder


def _divide_unsigned(f: Function, a: Value, b: Value) -> tuple[Value, Value]:
    """Return quotient and remainder, both 0 where b is 0."""
    zero = f.const(a.type, 0)
    is_zero = f.compare("icmp eq", b, zero)
    safe = f.select(is_zero, f.const(a.type, 1), b)
    quotient = _quotient(f, a, safe, signed=False)
    remainder = f.binary("sub", a, f.binary("mul", quotient, safe))
    return f.select(is_zero, zero, quotient), remainder


def _is_off(f: Function, remainder: Value, b: Value) -> Value:
    """Return whether a non-zero remainder has not the sign of the divisor."""
    zero = f.const(b.type, 0)
    differs = f.compare("icmp slt", f.binary("xor", remainder, b), zero)
    return f.binary("and", differs, f.compare("icmp ne", remainder, zero))


def floordiv_signed(f: Function, a: Value, b: Value) -> Value:
    """a / b towards minus infinity."""
    quotient, remainder = _divide_signed(f, a, b)
    lower = f.binary("sub", quotient, f.const(a.type, 1))
    return f.select(_is_off(f, remainder, b), lower, quotient)


def rem_signed(f: Function, a: Value, b: Value) -> Value:
    """The remainder with the sign of the divisor."""
    remainder = _divide_signed(f, a, b)[1]
    return f.select(_is_off(f, remainder, b), f.binary("add", remainder, b), remainder)


def fmod_signed(f: Function, a: Value, b: Value) -> Value:
    """The remainder with the sign of the dividend."""
    return _divide_signed(f, a, b)[1]


def floordiv_unsigned(f: Function, a: Value, b: Value) -> Value:
    """a / b rounded down."""
    return _divide_unsigned(f, a, b)[0]


def rem_unsigned(f: Function, a: Value, b: Value) -> Value:
    """The remainder."""
    return _divide_unsigned(f, a, b)[1]


def abs_signed(f: Function, a: Value) -> Value:
    """|a|; the least integer stays itself."""
    return f.intrinsic("llvm.smax", [a, negate(f, a)])


def negate(f: Function, a: Value) -> Value:
    """-a, modulo 2^bits."""
    return f.binary("sub", f.const(a.type, 0), a)


def invert(f: Function, a: Value) -> Value:
    """Every bit turned over; of bool, the logical not."""
    return f.binary("xor", a, f.const(a.type, True if a.element == "i1" else -1))


def _is_count(f: Function, a: Value, count: Value) -> Value:
    return f.compare("icmp ult", count, f.const(a.type, BITS[a.element]))


def shl(f: Function, a: Value, count: Value) -> Value:
    """a times 2^count, modulo 2^bits."""
    valid, zero = _is_count(f, a, count), f.const(a.type, 0)
    return f.select(valid, f.binary("shl", a, f.select(valid, count, zero)), zero)


def shr_signed(f: Function, a: Value, count: Value) -> Value:
    """a / 2^count towards minus infinity."""
    all_but_sign = f.const(a.type, BITS[a.element] - 1)
    return f.binary("ashr", a, f.select(_is_count(f, a, count), count, all_but_sign))


def shr_unsigned(f: Function, a: Value, count: Value) -> Value:
    """a / 2^count rounded down."""
    valid, zero = _is_count(f, a, count), f.const(a.type, 0)
    return f.select(valid, f.binary("lshr", a, f.select(valid, count, zero)), zero)


def instruction(op: str) -> Emit:
    """Return the function that emits one instruction of two operands."""

    def emit(f: Function, a: Value, b: Value) -> Value:
        return f.binary(op, a, b)

    return emit
