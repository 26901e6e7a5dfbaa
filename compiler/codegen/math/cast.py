"""Conversion of values from one dtype to another.

A float that no target integer holds (NaN too) becomes the least integer of 32 bits (64 for int64),
of which a narrower type keeps the low bits: what NumPy and PyTorch give on x86, on every machine.
A float of 16 bits is computed with as a float32 that it could hold.
"""

from __future__ import annotations

from jitnet.runtime.dtype import DType, bool_, float32

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
            return _to_integer(f, value, to_dtype.llvm)
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


def _to_integer(f: Function, value: Value, target: str) -> Value:
    """Return a float rounded towards zero."""
    wide = I64 if target == I64 else I32
    bits = int(wide[1:])
    real = Real(f, value)
    fits = real.compare("olt", real.abs(value), 2.0 ** (bits - 1))
    least = f.const(vector(wide, value.lanes), -(1 << (bits - 1)))
    # Where the conversion is undefined, its result is not chosen.
    whole = f.select(fits, f.convert("fptosi", value, wide), least)
    return f.convert("trunc", whole, target)
