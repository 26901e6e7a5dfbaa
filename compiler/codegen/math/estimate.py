"""Quotients without a division, which takes as long as a dozen multiply-adds and hinders those."""

from __future__ import annotations

from collections.abc import Callable

from ..emitter import F32, Function, Value, vector

ESTIMATED = 16  # lanes of the instruction that estimates


def reciprocal(f: Function, x: Value) -> Value:
    """Return 1 / x to 14 bits at least: q = n y, q + y (n - q x) is then n / x to 28.

    The bits do not depend on how many lanes there are: a number gives the same in each of them.
    """
    if not f.target.is_avx512 or x.element != F32:
        return f.fdiv(f.const(x.type, 1.0), x)
    return _in_registers(f, x, _estimate)


def _estimate(f: Function, x: Value) -> Value:
    name, all_lanes = "llvm.x86.avx512.rcp14.ps.512", Value("-1", "i16")
    f.module.declare(name, x.type, [x.type, x.type, all_lanes.type])
    arguments = f"{x}, {x.type} zeroinitializer, {all_lanes}"
    return f.emit(f"call {x.type} @{name}({arguments})", x.type, [x])


def _in_registers(f: Function, x: Value, emit: Callable[[Function, Value], Value]) -> Value:
    """Apply what takes ESTIMATED lanes to any number of them."""
    last = x.lanes - 1
    parts: list[Value] = []
    for start in range(0, x.lanes, ESTIMATED):
        picks = [min(start + lane, last) for lane in range(ESTIMATED)]
        whole = x.type == vector(x.element, ESTIMATED)
        parts.append(emit(f, x if whole else f.shuffle(x, None, picks)))
    while len(parts) > 1:
        both = range(2 * parts[0].lanes)
        pairs = [(parts[k], parts[min(k + 1, len(parts) - 1)]) for k in range(0, len(parts), 2)]
        parts = [f.shuffle(a, b, both) for a, b in pairs]
    return parts[0] if parts[0].lanes == x.lanes else f.shuffle(parts[0], None, range(x.lanes))
