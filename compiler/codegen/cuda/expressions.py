"""Expressions as Python: what is used once stands where it is used, the rest gets a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import assert_never

from jitnet.compiler.ir.index import Atom, FloorDiv, Index, Lookup, Mod, Var
from jitnet.compiler.ir.loops import (
    Apply,
    Bound,
    Buffer,
    Const,
    Expr,
    Holds,
    Load,
    Local,
    Position,
    Stmt,
    expressions,
    subexpressions,
    walk,
)
from jitnet.runtime.dtype import DType, bfloat16, bool_, int32, int64, uint32, uint64

from .scalars import resolved, wrapped, write_scalar
from .text import Names, Source
from .types import computed, constant, from_memory

LONGEST = 72  # characters of an expression that stands where it is used


class Calls:
    """What the source of a program calls besides itself.

    own: the source of functions that were made for this program, by name.
    """

    def __init__(self) -> None:
        self.libdevice: set[str] = set()
        self.prelude: dict[str, None] = {}
        self.own: dict[str, str] = {}
        self.instructions: set[str] = set()

    def add_instruction(self, name: str) -> None:
        """Remember a function of runtime/cuda/instructions.py."""
        self.instructions.add(name)

    def add(self, libdevice: Iterable[str], prelude: Iterable[str]) -> None:
        """Remember functions."""
        self.libdevice.update(libdevice)
        self.prelude.update(dict.fromkeys(prelude))


class Expressions:
    """Writes the expressions of one function.

    buffers: the parameter of each buffer.  vars, locals: names of what loops and statements define.
    loaded: names of elements that have been read already.
    """

    def __init__(
        self, source: Source, names: Names, calls: Calls, buffers: dict[Buffer, str]
    ) -> None:
        self.buffers = buffers
        self.vars: dict[Var, str] = {}
        self.locals: dict[Local, str] = {}
        self.loaded: dict[Load, str] = {}
        self._source = source
        self._names = names
        self.calls = calls
        self._known: list[dict[int, str]] = [{}]
        self._uses: Counter[int] = Counter()

    def expect(self, body: tuple[Stmt, ...]) -> None:
        """Count how often each part of the statements' expressions is used."""
        self._uses.update(_uses(body))

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Forget at the end what is named inside."""
        self._known.append({})
        yield
        self._known.pop()

    def value(self, expr: Expr) -> str:
        """Return an expression's text, after statements that name what is used again."""
        for known in reversed(self._known):
            if id(expr) in known:
                return known[id(expr)]
        text = self._text(expr)
        if isinstance(expr, Const | Local | Position | Holds):
            return text
        if self._uses[id(expr)] < 2 and len(text) <= LONGEST:
            return text
        name = self._names.new("v")
        self._source.add(f"{name} = {bare(text)}")
        self._known[-1][id(expr)] = name
        return name

    def name(self, wish: str, text: str) -> str:
        """Assign text to a new name."""
        name = self._names.new(wish)
        self._source.add(f"{name} = {bare(text)}")
        return name

    def _text(self, expr: Expr) -> str:
        match expr:
            case Const():
                return constant(expr.value, expr.dtype)
            case Load():
                return self._load(expr)
            case Local():
                return self.locals[expr]
            case Position():
                return self._cast(self.index(expr.index), int64, expr.dtype)
            case Holds():
                return self.holds(expr.bounds) or "True"
            case Apply():
                return self._apply(expr)
            case _:
                assert_never(expr)

    def _load(self, load: Load) -> str:
        if load in self.loaded:
            return self.loaded[load]
        text = f"{self.buffers[load.buffer]}[{bare(self.index(load.index))}]"
        self.need_memory(load.dtype)
        text = from_memory(text, load.dtype)
        condition = self.holds(load.conditions)
        if condition is None:
            return text
        return f"({text} if {bare(condition)} else {constant(0, load.dtype)})"

    def need_memory(self, dtype: DType) -> None:
        """Remember what reading a dtype calls."""
        if dtype is bfloat16:
            self.calls.add(("int_as_float",), ("from_bfloat16",))

    def _apply(self, expr: Apply) -> str:
        args = [self.value(arg) for arg in expr.args]
        if expr.fn == "cast":
            return self._cast(args[0], expr.args[0].dtype, expr.dtype)
        if expr.fn.startswith("random"):
            name = expr.fn if expr.fn == "random_bits" else f"{expr.fn}_{expr.dtype.name}"
            self.calls.add((), (name,))
            text = f"{name}({', '.join(map(bare, args))})"
            return text if expr.fn != "random_bits" else wrapped(text, expr.dtype)
        written = write_scalar(expr.fn, args, expr.args[-1].dtype)
        self.calls.add(written.libdevice, written.prelude)
        return written.text

    def combined(self, fn: str, a: str, b: str, dtype: DType) -> str:
        """Return what a reduction makes of two values."""
        name = {"and": "bitand", "or": "bitor"}.get(fn, fn)
        written = write_scalar(name, (a, b), dtype)
        self.calls.add(written.libdevice, written.prelude)
        return written.text

    # -- conversions ------------------------------------------------------------------------

    def _cast(self, text: str, source: DType, target: DType) -> str:
        if target.narrow:
            wide = self._cast(text, source, computed(target))
            name = f"nearest_{target.name}"
            self.calls.add(("int_as_float", "float_as_int"), (name,))
            return f"{name}({bare(wide)})"
        source = computed(source)
        if source is target:
            return text
        if target is bool_:
            return f"({text} != 0)"
        if source.kind == "float" and target.kind != "float":
            written = resolved(f"$to_{_whole(target)}_{source.name}({bare(text)})", source)
            self.calls.add((), written.prelude)
            return wrapped(written.text, target)
        return f"{target.name}({bare(text)})"

    # -- indices ----------------------------------------------------------------------------

    def index(self, index: Index) -> str:
        """Return an index as a sum."""
        parts = [self._term(atom, factor) for atom, factor in index.terms]
        if index.const or not parts:
            parts.append(str(index.const))
        text = " + ".join(parts).replace("+ -", "- ")
        return f"({text})" if len(parts) > 1 else text

    def _term(self, atom: Atom, factor: int) -> str:
        text = self._atom(atom)
        if factor == 1:
            return text
        return f"-{text}" if factor == -1 else f"{text} * {factor}"

    def _atom(self, atom: Atom) -> str:
        match atom:
            case Var():
                return self.vars[atom]
            case FloorDiv(value, by):
                return divided(self.index(value), by)
            case Mod(value, by):
                return remainder(self.index(value), by)
            case Lookup(expr):
                return f"int64({bare(self.value(expr))})"
            case _:
                assert_never(atom)

    def holds(self, bounds: tuple[Bound, ...]) -> str | None:
        """Return conditions as a test; None where they always hold."""
        tests: list[str] = []
        for bound in bounds:
            low, high = bound.index.bounds
            text = bare(self.index(bound.index))
            below, above = low < bound.low, high >= bound.high
            if below and above:
                tests.append(f"{bound.low} <= {text} < {bound.high}")
            elif below:
                tests.append(f"{text} >= {bound.low}")
            elif above:
                tests.append(f"{text} < {bound.high}")
        return f"({' and '.join(tests)})" if tests else None


def divided(text: str, by: int) -> str:
    """Return an integer that is not negative, divided: by shifting where that does it."""
    if by & (by - 1) == 0:
        return f"({text} >> {by.bit_length() - 1})"
    return f"({text} // {by})"


def remainder(text: str, by: int) -> str:
    """Return the remainder of an integer that is not negative."""
    return f"({text} & {by - 1})" if by & (by - 1) == 0 else f"({text} % {by})"


def bare(text: str) -> str:
    """Return text without parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def _uses(body: tuple[Stmt, ...]) -> Counter[int]:
    """Return how many places use each part of the statements' expressions."""
    uses: Counter[int] = Counter()
    seen: set[int] = set()
    for stmt in walk(body):
        for top in expressions(stmt):
            uses[id(top)] += 1
            for part in subexpressions(top):
                if id(part) in seen:
                    continue
                seen.add(id(part))
                uses.update(id(arg) for arg in part.args) if isinstance(part, Apply) else None
    return uses


def _whole(target: DType) -> str:
    """Return the dtype that a float becomes first on its way to one of whole numbers."""
    if target is uint64:
        return target.name
    return (int64 if target in (int64, uint32) else int32).name
