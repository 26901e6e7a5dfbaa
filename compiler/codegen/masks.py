"""Writes loads and stores of some lanes of a vector, which touch no memory beyond them."""

from __future__ import annotations

from jitnet.runtime.target import Target

from .emitter import I32, PTR, Function, Value, mangle


def has_masks(target: Target) -> bool:
    """Return whether a target has such loads; without, LLVM writes a branch for each lane."""
    return target.vector_bytes >= 32


def has_mask_registers(target: Target) -> bool:
    """Return whether masks cost nothing; narrower vectors' masked stores are slow on some."""
    return target.vector_bytes >= 64


def lane_mask(f: Function, lanes: int, count: Value) -> Value:
    """Return the mask of the first `count` (i64) lanes."""
    index = f.lanes_constant(I32, range(lanes))
    return f.compare("icmp ult", index, f.splat(f.convert("trunc", count, I32), lanes))


def masked_load(f: Function, pointer: Value, mask: Value, type_: str, align: int) -> Value:
    """Load the lanes of a mask, and zeros; what is masked off is not touched."""
    name = f"llvm.masked.load.{mangle(type_)}.p0"
    f.module.declare(name, type_, [PTR, I32, mask.type, type_])
    arguments = [pointer, Value(str(align), I32), mask, Value("zeroinitializer", type_)]
    loaded = f.call(name, arguments, type_)
    assert loaded is not None
    return loaded


def masked_store(f: Function, value: Value, pointer: Value, mask: Value, align: int) -> None:
    """Store the lanes of a mask; the others' memory is not touched."""
    name = f"llvm.masked.store.{mangle(value.type)}.p0"
    f.module.declare(name, "void", [value.type, PTR, I32, mask.type])
    f.call(name, [value, pointer, Value(str(align), I32), mask])
