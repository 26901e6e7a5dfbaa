"""Conversion of values from one dtype to another.

A float that no target integer holds (NaN too) becomes the least integer of 32 bits (64 for int64,
uint32 and uint64), of which a narrower type keeps the low bits: what NumPy and PyTorch give on x86,
on every machine. What is too large for uint64 becomes 0.
A float of 16 bits is computed with as a float32 that it could hold.
"""

from __future__ import annotations

from jitnet.runtime.dtype import DType, bool_, float32, int64, uint32, uint64

from ..emitter import I1, I8, I32, I64, Function, Value, vector
from .narrow import from_bits, nearest, to_bits
from .real import Real


def from_memory(f: Function, value: Value, dtype: DType) -> Value:
    """Return what was loaded as it is computed with: bool as i1, floats of 16 bits as float."""
    if dtype.narrow:
        return from_bits(f, value, dtype)
    if dtype is bool_:
        return f.compare("icmp ne", value, f.const(value.type, 0))
    return value


def to_memory(f: Function, value: Value, dtype: DType) -> Value:
    """Return a computed value as it is stored."""
    if dtype.narrow:
        return to_bits(f, value, dtype)
    return f.convert("zext", value, I8) if dtype is bool_ else value


def emit_cast(f: Function, value: Value, from_dtype: DType, to_dtype: DType) -> Value:
    """Return value converted; bool is i1 on both sides, everything else is true that is not 0."""
    if from_dtype is to_dtype:
        return value
    if to_dtype.narrow:
        return nearest(f, emit_cast(f, value, from_dtype, float32), to_dtype)
    if from_dtype.narrow:
        return emit_cast(f, value, float32, to_dtype)
    if to_dtype is bool_:
        zero = f.const(value.type, 0)
        op = "fcmp une" if from_dtype.kind == "float" else "icmp ne"
        return f.compare(op, value, zero)
    match from_dtype.kind, to_dtype.kind:
        case "float", "float":
            op = "fpext" if to_dtype.size > from_dtype.size else "fptrunc"
            return f.convert(op, value, to_dtype.llvm)
        case "float", _:
            return _to_integer(f, value, to_dtype)
        case "int", "float":
            return f.convert("sitofp", value, to_dtype.llvm)
        case _, "float":
            return f.convert("uitofp", value, to_dtype.llvm)
        case kind, _:
            source = I1 if from_dtype is bool_ else from_dtype.llvm
            return _resize(f, value, source, to_dtype.llvm, signed=kind == "int")


def _resize(f: Function, value: Value, source: str, target: str, signed: bool) -> Value:
    """Return an integer widened by its sign or zeros, or narrowed modulo 2^bits."""
    have, want = int(source[1:]), int(target[1:])
    if have < want:
        return f.convert("sext" if signed else "zext", value, target)
    return f.convert("trunc", value, target)


def _to_integer(f: Function, value: Value, dtype: DType) -> Value:
    """Return a float rounded towards zero."""
    wide = I64 if dtype in (int64, uint32, uint64) else I32
    if dtype is not uint64:
        return f.convert("trunc", _to_signed(f, value, wide), dtype.llvm)
    half = 2.0**63
    real = Real(f, value)
    upper = real.compare("oge", value, half)
    lower = real.select(upper, real.sub(value, half), value)
    whole = _to_signed(f, lower, wide)
    return f.select(upper, f.binary("xor", whole, f.const(whole.type, -(1 << 63))), whole)


def _to_signed(f: Function, value: Value, wide: str) -> Value:
    bits = int(wide[1:])
    real = Real(f, value)
    fits = real.compare("olt", real.abs(value), 2.0 ** (bits - 1))
    least = f.const(vector(wide, value.lanes), -(1 << (bits - 1)))
    # Where the conversion is undefined, its result is not chosen.
    return f.select(fits, f.convert("fptosi", value, wide), least)
