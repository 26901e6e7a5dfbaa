"""Floats of 16 bits: between their bits in memory and the float32 that is computed with.

Where a processor converts float16 itself it is asked to; elsewhere, and for bfloat16 everywhere,
integer instructions do it. All round to the nearest, ties to even, and keep NaN.
"""

from __future__ import annotations

from jitnet.runtime.dtype import DType, bfloat16

from ..emitter import F32, I32, Function, Value
from .real import Real

_I16, _HALF = "i16", "half"
_QUIET_NAN = 0x7FC00000
_SIGN = 0x80000000 - (1 << 32)
_INFINITY = 0x7F800000
_LOST = 13  # bits of a float32's mantissa that float16 has not
_EXPONENTS = 112  # between the two formats' biases


def from_bits(f: Function, bits: Value, dtype: DType) -> Value:
    """Return what i16 from memory stand for, as float."""
    if dtype is bfloat16:
        wide = f.convert("zext", bits, I32)
        return f.convert("bitcast", f.binary("shl", wide, f.const(wide.type, 16)), F32)
    if _converts(f):
        return f.convert("fpext", f.convert("bitcast", bits, _HALF), F32)
    return _from_half(f, f.convert("zext", bits, I32))


def to_bits(f: Function, value: Value, dtype: DType) -> Value:
    """Return the i16 of floats that `nearest` has rounded."""
    if dtype is not bfloat16 and _converts(f):
        return f.convert("bitcast", f.convert("fptrunc", value, _HALF), _I16)
    real = Real(f, value)
    if dtype is bfloat16:
        return f.convert("trunc", real.integral("lshr", real.bits(value), 16), _I16)
    return f.convert("trunc", _to_half(real, value), _I16)


def nearest(f: Function, value: Value, dtype: DType) -> Value:
    """Return the floats of a narrow dtype that are nearest to float."""
    if dtype is bfloat16:
        real = Real(f, value)
        return _keep_nan(real, value, real.from_bits(_rounded_at(real, real.bits(value), 16)))
    if _converts(f):
        # Fenced, or LLVM makes one rounding of a double's two, for which there is no instruction.
        fenced = f.intrinsic("llvm.arithmetic.fence", [value])
        return f.convert("fpext", f.convert("fptrunc", fenced, _HALF), F32)
    return _nearest_half(Real(f, value), value)


def _converts(f: Function) -> bool:
    """Whether the processor converts float16 (all of ARM's 64-bit ones do)."""
    target = f.target
    return "+f16c" in target.features or target.triple.startswith(("aarch64", "arm64"))


def _rounded_at(real: Real, bits: Value, lost: int) -> Value:
    """Return bits of finite numbers rounded to have zeros in the lowest; too large: infinity."""
    odd = real.integral("and", real.integral("lshr", bits, lost), 1)
    bias = real.integral("add", odd, (1 << lost - 1) - 1)
    return real.integral("and", real.integral("add", bits, bias), -(1 << lost))


def _keep_nan(real: Real, value: Value, otherwise: Value) -> Value:
    is_nan = real.f.compare("fcmp uno", value, value)
    return real.f.select(is_nan, real.from_bits(real.integer(_QUIET_NAN)), otherwise)


def _nearest_half(real: Real, value: Value) -> Value:
    """Return float rounded to float16: by its bits, or by its multiple of the least number."""
    f, size = real.f, real.abs(value)
    normal = real.from_bits(_rounded_at(real, real.bits(size), _LOST))
    normal = f.select(
        real.compare("oge", size, 65520.0), real.from_bits(real.integer(_INFINITY)), normal
    )
    small = real.sub(real.add(size, 0.5), 0.5)  # 0.5 has the least float16 as its last bit
    found = f.select(real.compare("olt", size, 2.0**-14), small, normal)
    sign = real.integral("and", real.bits(value), _SIGN)
    return _keep_nan(real, value, real.from_bits(real.integral("or", real.bits(found), sign)))


def _from_half(f: Function, bits: Value) -> Value:
    """Return i32 with a float16 each as float: its fields moved, the exponent corrected."""
    like = Value("zero", bits.type.replace(I32, F32))
    real = Real(f, like)
    size = real.integral("shl", real.integral("and", bits, 0x7FFF), _LOST)
    sign = real.integral("shl", real.integral("and", bits, 0x8000), 16)
    scaled = f.binary("fmul", real.from_bits(size), real.const(2.0**_EXPONENTS))
    special = real.integral("or", size, _INFINITY)
    is_special = f.compare("icmp uge", size, real.integer(0x7C00 << _LOST))
    found = f.select(is_special, special, real.bits(scaled))
    return real.from_bits(real.integral("or", found, sign))


def _to_half(real: Real, value: Value) -> Value:
    """Return i32 with the bits of the float16 that each float is."""
    f, size = real.f, real.abs(value)
    moved = f.binary("fmul", size, real.const(2.0**-_EXPONENTS))
    plain = real.integral("lshr", real.bits(moved), _LOST)
    mantissa = real.integral("and", real.integral("lshr", real.bits(size), _LOST), 0x3FF)
    special = real.integral("or", mantissa, 0x7C00)
    is_special = f.compare("icmp uge", real.bits(size), real.integer(_INFINITY))
    sign = real.integral("and", real.integral("lshr", real.bits(value), 16), 0x8000)
    return real.integral("or", f.select(is_special, special, plain), sign)
