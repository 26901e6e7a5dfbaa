"""The lines of a function being written: open scopes, where an instruction goes, constants.

A value remembers the loop depth at which it exists; a pure instruction is placed in the outermost
open scope that has all its operands, and written once there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from jitnet.runtime.dataclass import dataclass

from .module import Module
from .values import I64, Value, element_of, lanes_of, literal, vector


@dataclass
class Scope:
    """An open region of code: instructions so far, the current block, what is known here."""

    label: str
    lines: list[str] = field(default_factory=list)
    known: dict[str, Value] = field(default_factory=dict)
    conditional: bool = False  # code here may not run, so loads must not leave their own scope


class Body:
    """What a function consists of so far."""

    def __init__(
        self,
        module: Module,
        name: str,
        args: Sequence[tuple[str, str]],
        returns: str = "void",
        internal: bool = True,
        comment: str = "",
    ) -> None:
        self.module = module
        self.target = module.target
        self.args = [Value(f"%{arg}", type_) for arg, type_ in args]
        signature = ", ".join(map(str, self.args))
        linkage = "internal " if internal else ""
        head = f"define {linkage}{returns} @{name}({signature}) #0 {{"
        self._head = [*(f"; {line}" for line in comment.splitlines()), head, "entry:"]
        self._scopes = [Scope("entry")]
        self._count = 0

    # -- scopes -----------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        """Depth of the innermost open scope."""
        return len(self._scopes) - 1

    @property
    def scope(self) -> Scope:
        """The innermost open scope."""
        return self._scopes[-1]

    def fresh(self, base: str = "t") -> str:
        """Return a name not used yet in this function."""
        self._count += 1
        return f"{base}{self._count}"

    def raw(self, line: str) -> None:
        """Write an instruction with an effect, as it stands."""
        self.scope.lines.append(f"  {line}")

    def emit(self, rhs: str, type_: str, operands: Sequence[Value] = ()) -> Value:
        """Write a pure instruction once, in the outermost scope that has its operands."""
        depth = max((operand.depth for operand in operands), default=0)
        scope = self._scopes[depth]
        found = scope.known.get(rhs)
        if found is not None:
            return found
        value = Value(f"%{self.fresh()}", type_, depth)
        scope.lines.append(f"  {value.text} = {rhs}")
        scope.known[rhs] = value
        return value

    def emit_here(self, rhs: str, type_: str) -> Value:
        """Write an instruction whose result depends on when it runs (a load that may change)."""
        value = Value(f"%{self.fresh()}", type_, self.depth)
        self.scope.lines.append(f"  {value.text} = {rhs}")
        return value

    # -- constants --------------------------------------------------------------------------

    def const(self, type_: str, value: float | int | bool) -> Value:
        """Return a constant of a scalar or vector type."""
        text = literal(element_of(type_), value)
        if lanes_of(type_) > 1:
            text = f"splat ({element_of(type_)} {text})"
        return Value(text, type_)

    def lanes_constant(self, element: str, values: Sequence[int]) -> Value:
        """Return a vector of different integer constants, such as 0, 1, 2, ...; one is a scalar."""
        if len(values) == 1:
            return self.const(element, values[0])
        body = ", ".join(f"{element} {value}" for value in values)
        return Value(f"<{body}>", vector(element, len(values)))

    def i64(self, value: int) -> Value:
        """Return an i64 constant."""
        return Value(str(value), I64)

    def splat(self, value: Value, lanes: int) -> Value:
        """Return a vector whose every element is value."""
        if lanes == 1 or value.lanes == lanes:
            return value
        assert value.lanes == 1
        type_ = vector(value.type, lanes)
        if value.text[0] not in "%@":
            return Value(f"splat ({value})", type_)
        one = self.emit(f"insertelement {type_} poison, {value}, i32 0", type_, [value])
        mask = f"<{lanes} x i32> zeroinitializer"
        return self.emit(f"shufflevector {one}, {type_} poison, {mask}", type_, [one])
