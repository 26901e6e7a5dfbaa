"""Loops, scalars and memory accesses: what kernels consist of, the level that backends render.

An Expr is one scalar value at one point of the loops around it; expressions share parts, so they
are compared by identity. A Stmt does something. Loops say what they are for (`parallel`, `vector`,
...); a backend decides how.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import assert_never

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType
from jitnet.runtime.dtype import int64 as _INDEX

from .host import HostCall
from .index import FloorDiv, Index, Lookup, Mod, Var

# -- memory -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory of one value.

    place: "slot" (pointer number `slot` of those that the caller passes), "arena" (memory of the
    program that kernels share) or "scratch" (memory of each thread, within one kernel).
    size: elements that accesses span.
    whole, offset: the buffer that this one is a part of, and the element at which it begins.
    """

    name: str
    dtype: DType
    size: int
    place: str
    slot: int = -1
    whole: Buffer | None = None
    offset: int = 0

    @property
    def owner(self) -> Buffer:
        """The buffer that this one is a part of, or itself."""
        return self if self.whole is None else self.whole

    def part(self, offset: int, size: int) -> Buffer:
        """Return the buffer of `size` elements from `offset` on; itself if that is all of it."""
        if offset == 0 and size == self.size:
            return self
        owner, start = self.owner, self.offset + offset
        name = f"{owner.name}@{start}"
        return Buffer(name, self.dtype, size, self.place, self.slot, owner, start)

    def __str__(self) -> str:
        return self.name


# -- expressions --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bound:
    """The condition low <= index < high."""

    index: Index
    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} <= {self.index} < {self.high}"


@dataclass(frozen=True)
class Const:
    """A number."""

    value: float | int | bool
    dtype: DType
    vars: frozenset[Var] = frozenset()

    def __str__(self) -> str:
        return f"{self.value}"


@dataclass(frozen=True, eq=False)
class Load:
    """An element of a buffer; not touched, and of any value, unless all conditions hold."""

    buffer: Buffer
    index: Index
    conditions: tuple[Bound, ...] = ()

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.buffer.dtype

    @cached_property
    def vars(self) -> frozenset[Var]:
        """Loop variables that the value depends on."""
        return self.index.vars.union(*(bound.index.vars for bound in self.conditions))

    def __str__(self) -> str:
        return f"{self.buffer}[{self.index}]"


@dataclass(frozen=True, eq=False)
class Apply:
    """fn of scalars; fn is a name in SCALARS, "cast", or "random_..."."""

    fn: str
    args: tuple[Expr, ...]
    dtype: DType

    @cached_property
    def vars(self) -> frozenset[Var]:
        """Loop variables that the value depends on."""
        return frozenset().union(*(arg.vars for arg in self.args))

    def __str__(self) -> str:
        infix = INFIX.get(self.fn)
        if infix and len(self.args) == 2:
            return f"({self.args[0]} {infix} {self.args[1]})"
        name = self.dtype.short if self.fn == "cast" else self.fn
        return f"{name}({', '.join(map(str, self.args))})"


@dataclass(frozen=True)
class Position:
    """The value of an index, as int64."""

    index: Index
    dtype: DType

    @property
    def vars(self) -> frozenset[Var]:
        """Loop variables that the value depends on."""
        return self.index.vars

    def __str__(self) -> str:
        return f"<{self.index}>"


@dataclass(frozen=True)
class Holds:
    """Whether a condition on indices holds, as bool."""

    bounds: tuple[Bound, ...]
    dtype: DType

    @cached_property
    def vars(self) -> frozenset[Var]:
        """Loop variables that the value depends on."""
        return frozenset().union(*(bound.index.vars for bound in self.bounds))

    def __str__(self) -> str:
        return " and ".join(map(str, self.bounds))


@dataclass(frozen=True)
class Local:
    """A named scalar of the kernel: a reduction's result or a value computed once."""

    name: str
    dtype: DType
    vars: frozenset[Var] = frozenset()

    def __str__(self) -> str:
        return self.name


Expr = Const | Load | Apply | Position | Holds | Local

INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=", "and": "and", "or": "or", "bitand": "&", "bitor": "|", "bitxor": "^",
    "shl": "<<", "shr": ">>", "floordiv": "//", "rem": "%",
}  # fmt: skip


# -- statements ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class For:
    """Run body for each value of var.

    kind: "serial", "unroll", "vector", "parallel" (any order, on all threads) or "parallel vector".
    """

    var: Var
    body: tuple[Stmt, ...]
    kind: str = "serial"


@dataclass(frozen=True)
class Define:
    """Compute a value once and name it."""

    local: Local
    expr: Expr


@dataclass(frozen=True)
class Begin:
    """Start an accumulator at the identity of fn; a backend may split it into partial ones.

    dtype: of the values that are accumulated (the local's own, but for "argmax" and "argmin").
    """

    local: Local
    fn: str
    dtype: DType


@dataclass(frozen=True)
class Accumulate:
    """local = fn(local, expr); for "argmax" and "argmin", `at` is the candidate's position."""

    local: Local
    fn: str
    expr: Expr
    at: Index | None = None


@dataclass(frozen=True)
class Store:
    """buffer[index] = expr (or += expr)."""

    buffer: Buffer
    index: Index
    expr: Expr
    accumulate: bool = False


@dataclass(frozen=True)
class Fetch:
    """Let buffer[index] come into the cache: it is going to be written. Changes no result."""

    buffer: Buffer
    index: Index


@dataclass(frozen=True)
class Check:
    """Unless low <= expr < high, set the program's status to code and expr; the first stays."""

    expr: Expr
    low: int
    high: int
    code: int


@dataclass(frozen=True)
class CallHost:
    """Let NumPy compute a value; if it cannot, set the program's status to code.

    operands: where the arguments begin, and last the result: a buffer and an element of it.
    spare: memory that a backend needs which computes the value itself.
    """

    call: HostCall
    operands: tuple[tuple[Buffer, int], ...]
    code: int
    spare: tuple[Buffer, ...] = ()


@dataclass(frozen=True)
class Operand:
    """An affine read of a buffer: element offset + the sum of stride * index."""

    buffer: Buffer
    offset: int
    batch: tuple[int, ...]
    outer: tuple[int, ...]  # strides of the row (or column) dims
    inner: tuple[int, ...]  # strides of the summed dims


@dataclass(frozen=True)
class Contract:
    """For all batch, rows, columns: result = sum over inner of a * b; then run body with it.

    batch, rows, columns, inner: the loop variables of each group of dims.
    within: bounds of batch and inner variables; terms for which one does not hold do not count.
    library: whether a GPU's vendor library does it.
    """

    batch: tuple[Var, ...]
    rows: tuple[Var, ...]
    columns: tuple[Var, ...]
    inner: tuple[Var, ...]
    a: Operand
    b: Operand
    result: Local
    body: tuple[Stmt, ...]
    within: tuple[Bound, ...] = ()
    library: bool = False


Stmt = For | Define | Begin | Accumulate | Store | Fetch | Check | CallHost | Contract


def walk(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Yield every statement, outer before inner."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, For | Contract):
            yield from walk(stmt.body)


def expressions(stmt: Stmt) -> tuple[Expr, ...]:
    """Return the expressions of one statement, not of those inside it."""
    match stmt:
        case Define() | Accumulate() | Check():
            return (stmt.expr,)
        case Store():
            return (stmt.expr, Position(stmt.index, _INDEX))
        case For() | Begin() | Fetch() | CallHost() | Contract():
            return ()
        case _:
            assert_never(stmt)


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """Yield expr and all inside it, those in lookups too; what several parts share, once."""
    seen: set[int] = set()
    stack = [expr]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        stack.extend(reversed(list(_parts(part))))


def _parts(expr: Expr) -> Iterator[Expr]:
    """Yield what an expression consists of directly."""
    match expr:
        case Apply():
            yield from expr.args
        case Load():
            yield from _in_index(expr.index)
            for bound in expr.conditions:
                yield from _in_index(bound.index)
        case Position():
            yield from _in_index(expr.index)
        case Holds():
            for bound in expr.bounds:
                yield from _in_index(bound.index)
        case Const() | Local():
            pass
        case _:
            assert_never(expr)


def _in_index(index: Index) -> Iterator[Expr]:
    for atom, _ in index.terms:
        match atom:
            case Lookup():
                yield atom.expr
            case FloorDiv() | Mod():
                yield from _in_index(atom.value)
            case Var():
                pass
            case _:
                assert_never(atom)


@dataclass(frozen=True)
class Access:
    """A read of a whole operand, as `loads` reports it for contractions and calls of the host."""

    buffer: Buffer


def loads(body: tuple[Stmt, ...]) -> Iterator[Load | Access]:
    """Yield every read of memory."""
    for stmt in walk(body):
        if isinstance(stmt, Contract):
            yield Access(stmt.a.buffer)
            yield Access(stmt.b.buffer)
        if isinstance(stmt, CallHost):
            for buffer, _ in stmt.operands[:-1]:
                yield Access(buffer)
        if isinstance(stmt, Store) and stmt.accumulate:
            yield Load(stmt.buffer, stmt.index)
        for expr in expressions(stmt):
            for inner in subexpressions(expr):
                if isinstance(inner, Load):
                    yield inner


def written(body: tuple[Stmt, ...]) -> Iterator[Buffer]:
    """Yield every buffer that is written, once for each statement that writes it."""
    for stmt in walk(body):
        if isinstance(stmt, Store):
            yield stmt.buffer
        if isinstance(stmt, CallHost):
            yield stmt.operands[-1][0]
            yield from stmt.spare
