"""Writes LLVM IR as text, doing by construction what an optimizer would do afterwards.

A value remembers the loop depth at which it exists; a pure instruction is placed in the outermost
open scope that has all its operands, and written once there. So invariants are hoisted and common
subexpressions shared while emitting, and LLVM's own passes need not run.

What a Function can write is stacked in layers, a file each: Body (scopes and constants), Arithmetic
and IndexArithmetic, ControlFlow and, here, memory and calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from .control_flow import ControlFlow
from .module import Module
from .values import F32, F64, I1, I8, I32, I64, PTR, Value, mangle, vector

__all__ = [
    "F32", "F64", "I1", "I8", "I32", "I64", "PTR", "Function", "Module", "Value", "mangle",
    "vector",
]  # fmt: skip


class Function(ControlFlow):
    """One function being written; `finish` closes it and adds it to the module."""

    def gep(self, pointer: Value, index: Value, element: str = I8) -> Value:
        """Return pointer + index elements."""
        if index.text == "0":
            return pointer
        rhs = f"getelementptr inbounds {element}, {pointer}, {index}"
        return self.emit(rhs, PTR, [pointer, index])

    def load(self, pointer: Value, type_: str, align: int, constant: bool = False) -> Value:
        """Load; `constant` promises that nothing in this function writes there, so it may move."""
        rhs = f"load {type_}, {pointer}, align {align}"
        if not constant:
            return self.emit_here(rhs, type_)
        between = self._scopes[pointer.depth + 1 :]
        if any(scope.conditional for scope in between):
            found = self.scope.known.get(rhs)
            if found is None:
                found = self.scope.known[rhs] = self.emit_here(rhs, type_)
            return found
        return self.emit(rhs, type_, [pointer])

    def store(self, value: Value, pointer: Value, align: int) -> None:
        """Store."""
        self.raw(f"store {value}, {pointer}, align {align}")

    def call(self, name: str, args: Sequence[Value], returns: str = "void") -> Value | None:
        """Call a function of this module or one declared with Module.declare, for its effect."""
        text = f"call {returns} @{name}({', '.join(map(str, args))})"
        if returns == "void":
            self.raw(text)
            return None
        return self.emit_here(text, returns)

    def prefetch(self, pointer: Value, locality: int = 3, write: bool = False) -> None:
        """Ask for a cache line that is going to be used; locality 3 is level 1, 2 is level 2."""
        self.module.declare("llvm.prefetch.p0", "void", [PTR, "i32", "i32", "i32"])
        self.raw(f"call void @llvm.prefetch.p0({pointer}, i32 {int(write)}, i32 {locality}, i32 1)")

    def finish(self, result: Value | None = None) -> None:
        """Close the function and add it to its module."""
        assert len(self._scopes) == 1, "a loop is still open"
        ret = f"  ret {result}" if result is not None else "  ret void"
        self.module.functions.append("\n".join([*self._head, *self.scope.lines, ret, "}"]))
