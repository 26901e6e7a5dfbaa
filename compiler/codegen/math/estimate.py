"""What AVX-512 has instructions of its own for: estimates of reciprocals, powers of two as factors.

A division takes as long as a dozen multiply-adds and hinders those.
"""

from __future__ import annotations

from collections.abc import Callable

from ..emitter import F32, Function, Value

REGISTER = 16  # lanes of these instructions


def reciprocal(f: Function, x: Value) -> Value:
    """Return 1 / x to 14 bits at least: q = n y, q + y (n - q x) is then n / x to 28.

    The bits do not depend on how many lanes there are: a number gives the same in each of them.
    """
    if not f.target.is_avx512 or x.element != F32:
        return f.fdiv(f.const(x.type, 1.0), x)
    return _in_registers(f, _estimate, x)


def scaled(f: Function, x: Value, n: Value) -> Value:
    """Return x * 2^n, rounded once, on AVX-512; n is a whole number or NaN."""
    return _in_registers(f, _scale, x, n)


def _scale(f: Function, x: Value, n: Value) -> Value:
    name, rest = (
        "llvm.x86.avx512.mask.scalef.ps.512",
        "i16 -1, i32 4",
    )  # all lanes; round to nearest
    f.module.declare(name, x.type, [x.type] * 3 + ["i16", "i32"])
    call = f"call {x.type} @{name}({x}, {n}, {x.type} zeroinitializer, {rest})"
    return f.emit(call, x.type, [x, n])


def _estimate(f: Function, x: Value) -> Value:
    name, all_lanes = "llvm.x86.avx512.rcp14.ps.512", Value("-1", "i16")
    f.module.declare(name, x.type, [x.type, x.type, all_lanes.type])
    arguments = f"{x}, {x.type} zeroinitializer, {all_lanes}"
    return f.emit(f"call {x.type} @{name}({arguments})", x.type, [x])


def _in_registers(f: Function, emit: Callable[..., Value], *args: Value) -> Value:
    """Apply what takes a register's lanes to any number of them."""
    x = args[0]
    parts: list[Value] = []
    for start in range(0, x.lanes, REGISTER):
        picks = [min(start + lane, x.lanes - 1) for lane in range(REGISTER)]
        whole = x.lanes == REGISTER
        parts.append(emit(f, *(arg if whole else f.shuffle(arg, None, picks) for arg in args)))
    while len(parts) > 1:
        both = range(2 * parts[0].lanes)
        pairs = [(parts[k], parts[min(k + 1, len(parts) - 1)]) for k in range(0, len(parts), 2)]
        parts = [f.shuffle(a, b, both) for a, b in pairs]
    return parts[0] if parts[0].lanes == x.lanes else f.shuffle(parts[0], None, range(x.lanes))
