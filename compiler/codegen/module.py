"""One LLVM module as text: functions, constants, declarations, attributes."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.host import HostCall, host_symbol
from jitnet.runtime.pool_layout import OFFERED
from jitnet.runtime.target import Target

from .values import I64, PTR, Value, literal

ROLLED = ", !llvm.loop !0"  # on a branch back: leave the loop as it stands
SELDOM = ", !prof !2"  # on a branch: the first way is rare
METADATA = (
    '!0 = distinct !{!0, !1}\n!1 = !{!"llvm.loop.unroll.disable"}',
    '!2 = !{!"branch_weights", i32 1, i32 4000}',
)


class Module:
    """Functions, constants and the declarations that they turned out to need."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.declarations: dict[str, str] = {}
        self.globals: list[str] = []
        self.functions: list[str] = []
        self.helpers: set[str] = set()  # internal functions that several callers share
        self.host_calls: list[HostCall] = []
        self._constants: dict[tuple[str, str], str] = {}

    def declare(self, name: str, returns: str, args: Sequence[str]) -> None:
        """Note that `name` is called with these types."""
        self.declarations[name] = f"declare {returns} @{name}({', '.join(args)})"

    def micro_kernels(self) -> tuple[str, ...]:
        """Return the kernels of the library that are declared."""
        mine = (name for name in self.declarations if name.startswith("jitnet_"))
        return tuple(sorted(name for name in mine if name not in OFFERED))

    def host_function(self, call: HostCall) -> str:
        """Return the name of a function that the runtime has to provide for a call of the host."""
        name = host_symbol(len(self.host_calls), call)
        self.host_calls.append(call)
        self.declare(name, I64, [PTR] * (len(call.args) + 1))
        return name

    def function_table(self, names: Sequence[str | None]) -> Value:
        """Return a pointer to an array of functions or null; equal arrays are stored once."""
        body = ", ".join("ptr null" if name is None else f"ptr @{name}" for name in names)
        return self._constant(PTR, len(names), body)

    def constant_array(self, element: str, values: Sequence[float | int]) -> Value:
        """Return a pointer to read-only data; equal data is stored once."""
        body = ", ".join(f"{element} {literal(element, value)}" for value in values)
        return self._constant(element, len(values), body)

    def _constant(self, element: str, count: int, body: str) -> Value:
        name = self._constants.get((element, body))
        if name is None:
            name = f"const{len(self._constants)}"
            self._constants[element, body] = name
            kind = f"[{count} x {element}]"
            self.globals.append(
                f"@{name} = private unnamed_addr constant {kind} [{body}], align 64"
            )
        return Value(f"@{name}", PTR)

    def text(self) -> str:
        """Return the whole module."""
        size = self.target.vector_bytes
        width = size * 8
        attributes = (  # the stack's alignment keeps spilled vectors inside of cache lines
            f'attributes #0 = {{ nounwind alignstack={size} "target-cpu"="{self.target.cpu}" '
            f'"prefer-vector-width"="{width}" "min-legal-vector-width"="{width}" }}'
        )
        declared = [self.declarations[name] for name in sorted(self.declarations)]
        parts = [*self.globals, *declared, *self.functions, attributes, *METADATA]
        return "\n".join([f'target triple = "{self.target.triple}"', *parts, ""])
