"""Writes LLVM IR as text, doing by construction what an optimizer would do afterwards.

A value remembers the loop depth at which it exists; a pure instruction is placed in the outermost
open scope that has all its operands, and written once there. So invariants are hoisted and common
subexpressions shared while emitting, and LLVM's own passes need not run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from jitnet.runtime.target import Target

I1, I8, I16, I32, I64, PTR = "i1", "i8", "i16", "i32", "i64", "ptr"
F32, F64 = "float", "double"


@dataclass(frozen=True)
class Value:
    """An LLVM value: its text, its LLVM type, and the depth of the scope that defines it."""

    text: str
    type: str
    depth: int = 0

    @property
    def lanes(self) -> int:
        """Elements of a vector; 1 for a scalar."""
        return lanes_of(self.type)

    @property
    def element(self) -> str:
        """The scalar type."""
        return element_of(self.type)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


@lru_cache(maxsize=None)
def lanes_of(type_: str) -> int:
    """Return the number of elements of an LLVM type; 1 for a scalar."""
    return int(type_[1:].split()[0]) if type_.startswith("<") else 1


@lru_cache(maxsize=None)
def element_of(type_: str) -> str:
    """Return the scalar type of an LLVM type."""
    return type_[1:-1].split()[2] if type_.startswith("<") else type_


@lru_cache(maxsize=None)
def vector(element: str, lanes: int) -> str:
    """Return the LLVM type of `lanes` elements; the scalar itself for 1."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def mangle(type_: str) -> str:
    """Return the suffix that LLVM's intrinsics use for a type: v8f32."""
    short = {F32: "f32", F64: "f64", PTR: "p0"}.get(element_of(type_), element_of(type_))
    return short if lanes_of(type_) == 1 else f"v{lanes_of(type_)}{short}"


@lru_cache(maxsize=4096)
def literal(element: str, value: float | int | bool) -> str:
    """Return a constant's text; floats as the hexadecimal bits that LLVM reads exactly."""
    if element == F32:
        value = struct.unpack("<f", struct.pack("<f", _clip_f32(float(value))))[0]
    if element in (F32, F64):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if element == I1:
        return "true" if value else "false"
    return str(int(value))


def _clip_f32(value: float) -> float:
    """Return value, or the infinity that rounding to float32 gives."""
    if value != value or abs(value) <= 3.4028235677973366e38:
        return value
    return float("inf") if value > 0 else float("-inf")


@dataclass
class Scope:
    """An open region of code: instructions so far, the current block, what is known here."""

    label: str
    lines: list[str] = field(default_factory=list)
    known: dict[str, Value] = field(default_factory=dict)
    conditional: bool = False  # code here may not run, so loads must not leave their own scope


@dataclass
class Loop:
    """An open counted loop; set `carry` to the next values of the carried ones before it closes."""

    index: Value
    carried: list[Value]
    carry: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)  # after the loop: the last carried values


class Module:
    """Functions, constants and the declarations that they turned out to need."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.declarations: dict[str, str] = {}
        self.globals: list[str] = []
        self.functions: list[str] = []
        self.helpers: set[str] = set()  # internal functions that several callers share
        self._constants: dict[tuple[str, str], str] = {}

    def declare(self, name: str, returns: str, args: Sequence[str]) -> None:
        """Note that `name` is called with these types."""
        self.declarations[name] = f"declare {returns} @{name}({', '.join(args)})"

    def function_table(self, names: Sequence[str]) -> Value:
        """Return a pointer to an array of functions; equal arrays are stored once."""
        body = ", ".join(f"ptr @{name}" for name in names)
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
        width = self.target.vector_bytes * 8
        attributes = (
            f'attributes #0 = {{ nounwind "target-cpu"="{self.target.cpu}" '
            f'"prefer-vector-width"="{width}" "min-legal-vector-width"="{width}" }}'
        )
        loops = '!0 = distinct !{!0, !1}\n!1 = !{!"llvm.loop.unroll.disable"}\n!2 = !{i32 1}'
        loops += '\n!3 = !{!"branch_weights", i32 1, i32 4000}'
        declared = [self.declarations[name] for name in sorted(self.declarations)]
        parts = [*self.globals, *declared, *self.functions, attributes, loops]
        return "\n".join([f'target triple = "{self.target.triple}"', *parts, ""])


class Function:
    """One function being written; `finish` closes it and adds it to the module."""

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
        self.name = name
        self.args = [Value(f"%{arg}", type_) for arg, type_ in args]
        signature = ", ".join(
            f"{type_}{' noalias' if type_ == PTR and arg.startswith('r_') else ''} %{arg}"
            for arg, type_ in args
        )
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

    def comment(self, text: str) -> None:
        """Write a comment line."""
        self.scope.lines.append(f"  ; {text}")

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
        """Return a vector of different integer constants, such as 0, 1, 2, ..."""
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

    # -- arithmetic -------------------------------------------------------------------------

    def binary(self, op: str, a: Value, b: Value) -> Value:
        """Emit `op a, b` on equal types, for example binary("fadd contract", a, b)."""
        assert a.type == b.type, (op, a, b)
        return self.emit(f"{op} {a}, {b.text}", a.type, [a, b])

    def fadd(self, a: Value, b: Value) -> Value:
        """a + b, which may become part of a fused multiply-add."""
        return self.binary("fadd contract", a, b)

    def fsub(self, a: Value, b: Value) -> Value:
        """a - b, which may become part of a fused multiply-add."""
        return self.binary("fsub contract", a, b)

    def fmul(self, a: Value, b: Value) -> Value:
        """a * b, which may become part of a fused multiply-add."""
        return self.binary("fmul contract", a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        """a / b."""
        return self.binary("fdiv", a, b)

    def fneg(self, a: Value) -> Value:
        """-a."""
        return self.emit(f"fneg {a}", a.type, [a])

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once."""
        return self.intrinsic("llvm.fma", [a, b, c])

    def intrinsic(self, name: str, args: Sequence[Value], returns: str = "") -> Value:
        """Call a pure LLVM intrinsic overloaded on the type of its first argument."""
        full = f"{name}.{mangle(args[0].type)}"
        returns = returns or args[0].type
        self.module.declare(full, returns, [arg.type for arg in args])
        return self.emit(f"call {returns} @{full}({', '.join(map(str, args))})", returns, args)

    def compare(self, op: str, a: Value, b: Value) -> Value:
        """Emit fcmp / icmp, for example compare("fcmp olt", a, b); the result is i1 or <n x i1>."""
        assert a.type == b.type, (op, a, b)
        return self.emit(f"{op} {a}, {b.text}", vector(I1, a.lanes), [a, b])

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """condition ? a : b, by element."""
        assert a.type == b.type and condition.lanes in (1, a.lanes), (condition, a, b)
        return self.emit(f"select {condition}, {a}, {b}", a.type, [condition, a, b])

    def convert(self, op: str, a: Value, element: str) -> Value:
        """Emit a conversion (sitofp, fptosi, zext, trunc, bitcast ...) to another element type."""
        type_ = vector(element, a.lanes)
        if type_ == a.type:
            return a
        return self.emit(f"{op} {a} to {type_}", type_, [a])

    def shuffle(self, a: Value, b: Value | None, picks: Sequence[int]) -> Value:
        """Return the elements of a ++ b at `picks`; one alone is a scalar."""
        if a.lanes == 1 or len(picks) == 1:
            return self._shuffle_scalars(a, b, picks)
        other = b.text if b is not None else "poison"
        mask = ", ".join(f"i32 {pick}" for pick in picks)
        type_ = vector(a.element, len(picks))
        operands = [a] if b is None else [a, b]
        rhs = f"shufflevector {a}, {a.type} {other}, <{len(picks)} x i32> <{mask}>"
        return self.emit(rhs, type_, operands)

    def _shuffle_scalars(self, a: Value, b: Value | None, picks: Sequence[int]) -> Value:
        elements = [
            self.extract(a, pick)
            if b is None or pick < a.lanes
            else self.extract(b, pick - a.lanes)
            for pick in picks
        ]
        result = self.splat(elements[-1], len(picks))
        for lane, element in enumerate(elements):
            if element != elements[-1]:
                result = self.insert(result, element, lane)
        return result

    def extract(self, a: Value, lane: int) -> Value:
        """Return one element of a vector."""
        if a.lanes == 1:
            return a
        return self.emit(f"extractelement {a}, i32 {lane}", a.element, [a])

    def insert(self, a: Value, element: Value, lane: int) -> Value:
        """Return a with one element replaced."""
        if a.lanes == 1:
            return element
        return self.emit(f"insertelement {a}, {element}, i32 {lane}", a.type, [a, element])

    # -- integers used as indices: constants are folded --------------------------------------

    def _int_constants(self, a: Value, b: Value) -> tuple[int, int] | None:
        if a.text.lstrip("-").isdigit() and b.text.lstrip("-").isdigit():
            return int(a.text), int(b.text)
        return None

    def add(self, a: Value, b: Value) -> Value:
        """a + b on i64."""
        both = self._int_constants(a, b)
        if both:
            return self.i64(both[0] + both[1])
        if a.text == "0":
            return b
        if b.text == "0":
            return a
        return self.binary("add nsw", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b on i64."""
        both = self._int_constants(a, b)
        if both:
            return self.i64(both[0] - both[1])
        return a if b.text == "0" else self.binary("sub nsw", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b on i64."""
        both = self._int_constants(a, b)
        if both:
            return self.i64(both[0] * both[1])
        if "0" in (a.text, b.text):
            return self.i64(0)
        if a.text == "1":
            return b
        return a if b.text == "1" else self.binary("mul nsw", a, b)

    def udiv(self, a: Value, b: Value) -> Value:
        """a // b on i64, neither negative."""
        both = self._int_constants(a, b)
        if both:
            return self.i64(both[0] // both[1])
        return a if b.text == "1" else self.binary("udiv", a, b)

    def urem(self, a: Value, b: Value) -> Value:
        """a % b on i64, neither negative."""
        both = self._int_constants(a, b)
        if both:
            return self.i64(both[0] % both[1])
        return self.i64(0) if b.text == "1" else self.binary("urem", a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller of two i64."""
        both = self._int_constants(a, b)
        return self.i64(min(both)) if both else self.intrinsic("llvm.smin", [a, b])

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger of two i64."""
        both = self._int_constants(a, b)
        return self.i64(max(both)) if both else self.intrinsic("llvm.smax", [a, b])

    # -- memory -----------------------------------------------------------------------------

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

    def store(self, value: Value, pointer: Value, align: int, nontemporal: bool = False) -> None:
        """Store; nontemporal writes past the caches."""
        tail = ", !nontemporal !2" if nontemporal else ""
        self.raw(f"store {value}, {pointer}, align {align}{tail}")

    def call(self, name: str, args: Sequence[Value], returns: str = "void") -> Value | None:
        """Call a function of this module or one declared with Module.declare, for its effect."""
        text = f"call {returns} @{name}({', '.join(map(str, args))})"
        if returns == "void":
            self.raw(text)
            return None
        return self.emit_here(text, returns)

    # -- control flow -----------------------------------------------------------------------

    @contextmanager
    def loop(
        self,
        start: Value,
        stop: Value,
        step: int = 1,
        carried: Sequence[Value] = (),
        may_be_empty: bool | None = None,
    ) -> Iterator[Loop]:
        """Count from start to stop by step; with constant bounds the emptiness test is dropped.

        A non-empty range need not be a multiple of step: the loop runs while index < stop.
        """
        both = self._int_constants(start, stop)
        if may_be_empty is None:
            may_be_empty = not (both and both[0] < both[1])
        outer = self.scope
        head, done = self.fresh("loop"), self.fresh("done")
        depth = self.depth + 1
        self._scopes.append(Scope(head))
        index = Value(f"%{self.fresh('i')}", I64, depth)
        inner = [Value(f"%{self.fresh('c')}", value.type, depth) for value in carried]
        loop = Loop(index, inner)
        yield loop
        scope = self.scope
        following = self.add(index, self.i64(step))
        more = self.compare("icmp slt", following, stop)
        carry = loop.carry or inner
        assert len(carry) == len(carried), "carry must name one next value for each carried one"
        scope.lines.append(f"  br {more}, label %{head}, label %{done}, !llvm.loop !0")
        self._scopes.pop()
        if may_be_empty:
            some = self.compare("icmp slt", start, stop)
            outer.lines.append(f"  br {some}, label %{head}, label %{done}")
        else:
            outer.lines.append(f"  br label %{head}")
        back = scope.label
        outer.lines.append(f"{head}:")
        outer.lines.append(
            f"  {index.text} = phi i64 [{start.text}, %{outer.label}], [{following.text}, %{back}]"
        )
        for value, first, later in zip(inner, carried, carry, strict=True):
            arms = f"[{first.text}, %{outer.label}], [{later.text}, %{back}]"
            outer.lines.append(f"  {value.text} = phi {value.type} {arms}")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"{done}:")
        before = outer.label
        outer.label = done
        for first, later in zip(carried, carry, strict=True):
            if not may_be_empty:
                loop.results.append(Value(later.text, later.type, depth - 1))
                continue
            arms = f"[{first.text}, %{before}], [{later.text}, %{back}]"
            loop.results.append(self.emit_here(f"phi {first.type} {arms}", first.type))

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Run a block only where condition (i1) holds."""
        outer = self.scope
        then, done = self.fresh("then"), self.fresh("end")
        self._scopes.append(Scope(then, conditional=True))
        yield
        scope = self._scopes.pop()
        outer.lines.append(f"  br {condition}, label %{then}, label %{done}")
        outer.lines.append(f"{then}:")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"  br label %{done}")
        outer.lines.append(f"{done}:")
        outer.label = done

    def rarely(self, condition: Value, compute: Callable[[], Value], otherwise: Value) -> Value:
        """Return compute() where condition (i1, seldom true) holds, else otherwise.

        What compute emits for its effect or with `call` runs only then; pure instructions on
        outer values are hoisted as everywhere, so a costly computation belongs into a function.
        """
        outer = self.scope
        then, done = self.fresh("rare"), self.fresh("usual")
        self._scopes.append(Scope(then, conditional=True))
        value = compute()
        scope = self._scopes.pop()
        outer.lines.append(f"  br {condition}, label %{then}, label %{done}, !prof !3")
        outer.lines.append(f"{then}:")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"  br label %{done}")
        outer.lines.append(f"{done}:")
        arms = f"[{value.text}, %{scope.label}], [{otherwise.text}, %{outer.label}]"
        outer.label = done
        return self.emit_here(f"phi {otherwise.type} {arms}", otherwise.type)

    @contextmanager
    def while_(
        self, condition: Callable[[list[Value]], Value], carried: Sequence[Value]
    ) -> Iterator[Loop]:
        """Loop while condition(carried) holds, tested before each turn; set `carry` inside."""
        outer = self.scope
        head, body, done = self.fresh("test"), self.fresh("body"), self.fresh("done")
        depth = self.depth + 1
        self._scopes.append(Scope(head, conditional=True))
        inner = [Value(f"%{self.fresh('c')}", value.type, depth) for value in carried]
        proceed = condition(inner)
        scope = self.scope
        test_label = scope.label
        scope.lines.append(f"  br {proceed}, label %{body}, label %{done}")
        scope.lines.append(f"{body}:")
        scope.label = body
        loop = Loop(self.i64(0), inner)
        yield loop
        scope = self.scope
        scope.lines.append(f"  br label %{head}")
        self._scopes.pop()
        outer.lines.append(f"  br label %{head}")
        outer.lines.append(f"{head}:")
        for value, first, later in zip(inner, carried, loop.carry, strict=True):
            arms = f"[{first.text}, %{outer.label}], [{later.text}, %{scope.label}]"
            outer.lines.append(f"  {value.text} = phi {value.type} {arms}")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"{done}:")
        outer.label = done
        assert test_label == head, "the condition must be straight-line code"
        loop.results = [Value(value.text, value.type, depth - 1) for value in inner]

    def return_when(self, condition: Value) -> None:
        """Leave a void function here if condition (i1) holds."""
        leave, stay = self.fresh("leave"), self.fresh("stay")
        lines = self.scope.lines
        lines.append(f"  br {condition}, label %{leave}, label %{stay}")
        lines.extend([f"{leave}:", "  ret void", f"{stay}:"])
        self.scope.label = stay

    def finish(self, result: Value | None = None) -> None:
        """Close the function and add it to its module."""
        assert len(self._scopes) == 1, "a loop is still open"
        ret = f"  ret {result}" if result is not None else "  ret void"
        self.module.functions.append("\n".join([*self._head, *self.scope.lines, ret, "}"]))
