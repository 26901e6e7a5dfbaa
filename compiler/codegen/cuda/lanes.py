"""Element-by-element work, four neighbours to a thread: 16 bytes are read and written at a time.

So it is where there is enough of it, and float32 values lie side by side along the fastest loop.
Other values are read and written one by one.
"""

from __future__ import annotations

from math import prod

from jitnet.compiler.ir.index import Index, Var
from jitnet.compiler.ir.loops import (
    Buffer,
    Define,
    Expr,
    Load,
    Stmt,
    Store,
    expressions,
    subexpressions,
)
from jitnet.runtime.dtype import float32

from .expressions import Expressions, bare
from .nests import Nest
from .text import Names, Source
from .turns import store_of

LANES = 4
ENOUGH_TURNS = 1 << 16  # with fewer elements, threads are worth more than wide reads
LARGEST = 400  # expressions of a body that is written four times


def has_lanes(nest: Nest) -> bool:
    """Whether the turns of a nest are four neighbours each."""
    if nest.team > 1 or not nest.shared or prod(v.extent for v in nest.shared) < ENOUGH_TURNS:
        return False
    var = nest.shared[-1]
    if var.extent % LANES or not all(isinstance(stmt, Define | Store) for stmt in nest.body):
        return False
    reads = list(_reads(nest.body))
    if len(reads) > LARGEST or _reads_what_it_wrote(nest.body):
        return False
    touched = [part for part in reads if isinstance(part, Load)]
    stores = [stmt for stmt in nest.body if isinstance(stmt, Store)]
    buffers = {load.buffer for load in touched} | {store.buffer for store in stores}
    if any(buffer.place == "scratch" for buffer in buffers):
        return False
    return any(_is_wide(load, var) for load in touched) or any(
        _is_wide(store, var) for store in stores
    )


def _reads(body: tuple[Stmt, ...]) -> list[Expr]:
    found: dict[int, Expr] = {}
    for stmt in body:
        for top in expressions(stmt):
            found.update((id(part), part) for part in subexpressions(top))
    return list(found.values())


def _reads_what_it_wrote(body: tuple[Stmt, ...]) -> bool:
    """Whether a statement reads a buffer that one before it writes: then lanes would take turns."""
    written: set[Buffer] = set()
    for stmt in body:
        for top in expressions(stmt):
            for part in subexpressions(top):
                if isinstance(part, Load) and part.buffer in written:
                    return True
        if isinstance(stmt, Store):
            if stmt.accumulate:
                return True
            written.add(stmt.buffer)
    return False


def _is_wide(access: Load | Store, var: Var) -> bool:
    """Whether four neighbours lie side by side, at a multiple of four elements."""
    if access.buffer.dtype is not float32 or access.index.coefficient(var) != 1:
        return False
    rest = [factor for atom, factor in access.index.terms if atom != var]
    if any(step % LANES for step in (*rest, access.index.const, access.buffer.offset)):
        return False
    conditions = access.conditions if isinstance(access, Load) else ()
    return not any(var in bound.index.vars for bound in conditions)


class Lanes:
    """Writes the turns of a nest whose threads do four neighbours each."""

    def __init__(self, nest: Nest, source: Source, names: Names, expressions: Expressions) -> None:
        self._nest = nest
        self._var = nest.shared[-1]
        self._source = source
        self._names = names
        self._expressions = expressions
        self._stored: dict[Store, list[str]] = {}

    @property
    def turns(self) -> Nest:
        """The nest that counts groups of neighbours."""
        wide = Var(self._var.name, self._var.extent // LANES)
        return Nest((*self._nest.shared[:-1], wide), self._nest.body)

    def write(self) -> None:
        """Write a turn, whose loop variables are known."""
        wide = self.turns.shared[-1]
        first = self._expressions.name("first", f"{self._expressions.vars[wide]} * {LANES}")
        self._expressions.vars[self._var] = first
        loaded = self._load()
        for lane in range(LANES):
            self._expressions.vars[self._var] = f"({first} + {lane})" if lane else first
            self._expressions.loaded = {load: four[lane] for load, four in loaded.items()}
            with self._expressions.scope():
                self._lane()
        self._expressions.vars[self._var] = first
        for stmt, four in self._stored.items():
            self._expressions.calls.add_instruction("store4")
            place = bare(self._expressions.index(stmt.index))
            memory = self._expressions.buffers[stmt.buffer]
            self._source.add(f"store4({memory}, {place}, {', '.join(four)})")

    def _load(self) -> dict[Load, list[str]]:
        """Write the wide reads, and return the names of what they read."""
        found: dict[Load, list[str]] = {}
        known: dict[tuple[Buffer, Index, str], list[str]] = {}
        for load in _reads(self._nest.body):
            if not isinstance(load, Load) or not _is_wide(load, self._var):
                continue
            wanted = self._expressions.holds(load.conditions) or "True"
            key = (load.buffer, load.index, wanted)
            if key not in known:
                self._expressions.calls.add_instruction("load4")
                known[key] = [self._names.new(load.buffer.name) for _ in range(LANES)]
                place = bare(self._expressions.index(load.index))
                memory = self._expressions.buffers[load.buffer]
                call = f"load4({memory}, {place}, {wanted})"
                self._source.add(f"{', '.join(known[key])} = {call}")
            found[load] = known[key]
        return found

    def _lane(self) -> None:
        """Write the statements of one element."""
        for stmt in self._nest.body:
            match stmt:
                case Define():
                    value = self._expressions.value(stmt.expr)
                    name = self._expressions.name(stmt.local.name, value)
                    self._expressions.locals[stmt.local] = name
                case Store() if _is_wide(stmt, self._var):
                    value = self._expressions.value(stmt.expr)
                    name = self._expressions.name("value", value)
                    self._stored.setdefault(stmt, []).append(name)
                case Store():
                    value = self._expressions.value(stmt.expr)
                    self._source.add(store_of(self._expressions, stmt, value))
                case _:
                    raise AssertionError(f"{stmt} has no lanes")
