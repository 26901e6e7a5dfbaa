"""Comparisons, max, min and sign, by kind of number."""

from __future__ import annotations

from collections.abc import Callable

from ..emitter import Function, Value

Emit = Callable[..., Value]


def comparison(op: str) -> Emit:
    """Return the function that compares by an instruction such as "fcmp olt"."""

    def emit(f: Function, a: Value, b: Value) -> Value:
        return f.compare(op, a, b)

    return emit


def _float_extreme(op: str) -> Emit:
    """Return max or min where NaN wins, in the fewest instructions that a constant allows."""

    def emit(f: Function, a: Value, b: Value) -> Value:
        if _is_constant(b):
            a, b = b, a
        # compare + select passes b where either is NaN, which is x86's own max and min.
        chosen = f.select(f.compare(op, a, b), a, b)
        if _is_constant(a):
            return chosen
        return f.select(f.compare("fcmp uno", a, a), a, chosen)

    return emit


def _is_constant(value: Value) -> bool:
    """Return whether a value is a constant other than NaN, as Function.const writes it."""
    text = value.text.removeprefix("splat (").removeprefix(f"{value.element} ").rstrip(")")
    return text.startswith("0x") and text[3:6] not in ("FF8", "FFC")


def _intrinsic(name: str) -> Emit:
    def emit(f: Function, a: Value, b: Value) -> Value:
        return f.intrinsic(name, [a, b])

    return emit


def _bitwise(op: str) -> Emit:
    def emit(f: Function, a: Value, b: Value) -> Value:
        return f.binary(op, a, b)

    return emit


MAXIMUM: dict[str, Emit] = {
    "float": _float_extreme("fcmp ogt"),
    "int": _intrinsic("llvm.smax"),
    "uint": _intrinsic("llvm.umax"),
    "bool": _bitwise("or"),
}
MINIMUM: dict[str, Emit] = {
    "float": _float_extreme("fcmp olt"),
    "int": _intrinsic("llvm.smin"),
    "uint": _intrinsic("llvm.umin"),
    "bool": _bitwise("and"),
}


def sign_float(f: Function, x: Value) -> Value:
    """1, 0 or -1; 0 for NaN, as PyTorch."""
    zero = f.const(x.type, 0.0)
    one, minus_one = f.const(x.type, 1.0), f.const(x.type, -1.0)
    falling = f.select(f.compare("fcmp olt", x, zero), minus_one, zero)
    return f.select(f.compare("fcmp ogt", x, zero), one, falling)


def sign_signed(f: Function, x: Value) -> Value:
    """1, 0 or -1."""
    one, minus_one = f.const(x.type, 1), f.const(x.type, -1)
    return f.intrinsic("llvm.smax", [f.intrinsic("llvm.smin", [x, one]), minus_one])


def sign_unsigned(f: Function, x: Value) -> Value:
    """1 or 0."""
    return f.intrinsic("llvm.umin", [x, f.const(x.type, 1)])
