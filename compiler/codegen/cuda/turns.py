"""Writes a nest as a CUDA function: which turn is this thread's, and the statements of a turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from jitnet.compiler.ir.errors import CompileError
from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import (
    Accumulate,
    Begin,
    CallHost,
    Check,
    Contract,
    Define,
    Fetch,
    For,
    Local,
    Stmt,
    Store,
    loads,
    walk,
)
from jitnet.runtime.dtype import bfloat16

from .expressions import Expressions, bare, divided, remainder
from .nests import WARP, Nest
from .reductions import Reductions
from .text import Names, Source
from .types import from_memory, stored, to_memory


class Turns:
    """Writes the turns of one nest."""

    def __init__(
        self, nest: Nest, source: Source, names: Names, expressions: Expressions, guarded: bool
    ) -> None:
        self._nest = nest
        self._source = source
        self._names = names
        self._expressions = expressions
        self._guarded = guarded
        self._reductions = Reductions(source, names, expressions, nest.team)
        self._begun: dict[Local, Begin] = {}
        self._together = True  # whether all threads of the team are here
        self._read = {load.buffer for load in loads(nest.body)}

    def begin(self) -> None:
        """Write what stands before all turns."""
        self._expressions.expect(self._nest.body)
        if self._guarded:
            with self._source.block("if status[0] != 0"):
                self._source.add("return")
        self._scratch()

    def write(self) -> None:
        """Write it all."""
        self.begin()
        with self.turn():
            self.statements(self._nest.body)

    def _scratch(self) -> None:
        """Declare the memory of a turn: shared by its team, or a thread's own."""
        buffers = {stmt.buffer for stmt in walk(self._nest.body) if isinstance(stmt, Store)}
        for buffer in sorted((b for b in buffers | self._read if b.place == "scratch"), key=str):
            name, element = self._names.new(buffer.name), stored(buffer.dtype)
            if self._nest.team == 1:
                self._source.add(f"{name} = cuda.local.array({buffer.size}, {element})")
            elif self._nest.teams == 1:
                self._source.add(f"{name} = cuda.shared.array({buffer.size}, {element})")
            else:
                size = (self._nest.teams, buffer.size)
                self._source.add(f"{name} = cuda.shared.array({size}, {element})")
                name = f"{name}[cuda.threadIdx.y]"
            self._expressions.buffers[buffer] = name

    # -- which turn -------------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Write what counts turns, and the test for the end of them."""
        nest, source = self._nest, self._source
        number = self._names.new("i" if nest.team == 1 else "turn")
        if not nest.shared:
            if nest.team > 1:
                yield
                return
            with source.block("if cuda.grid(1) == 0"):
                yield
            return
        if nest.team == 1:
            source.add(f"{number} = cuda.grid(1)")
        elif nest.teams == 1:
            source.add(f"{number} = cuda.blockIdx.x")
        else:
            source.add(f"{number} = cuda.blockIdx.x * {nest.teams} + cuda.threadIdx.y")
        if nest.turns % (nest.teams) == 0:
            self._place(nest.shared, number)
            yield
            return
        with source.block(f"if {number} < {nest.turns}"):
            self._place(nest.shared, number)
            yield

    def _place(self, variables: Sequence[Var], number: str) -> None:
        """Write the loop variables of the turn with a number."""
        place_variables(self._source, self._names, self._expressions, variables, number)

    # -- statements -------------------------------------------------------------------------

    def statements(self, body: Sequence[Stmt]) -> None:
        """Write statements."""
        for stmt in body:
            match stmt:
                case For():
                    self._loop(stmt)
                case Define():
                    value = self._expressions.value(stmt.expr)
                    name = self._expressions.name(stmt.local.name, value)
                    self._expressions.locals[stmt.local] = name
                case Begin():
                    self._begun[stmt.local] = stmt
                case Accumulate():
                    self._accumulate(stmt)
                case Store():
                    self._store(stmt)
                case Check():
                    self._check(stmt)
                case Fetch():
                    pass  # for caches of processors
                case CallHost():
                    raise CompileError(
                        f"{stmt.call.op} has no CUDA kernel: it runs on the host, where the "
                        "CPU's programs call NumPy; compute it outside of what runs on the GPU"
                    )
                case Contract():
                    raise AssertionError("a product inside a loop has become loops")
                case _:
                    assert_never(stmt)

    def _loop(self, loop: For) -> None:
        waiting = self._waiting(loop)
        for local in waiting:
            self._reductions.start(self._begun.pop(local))
        lanes = self._nest.team > 1 and loop.kind.endswith("vector")
        with self._counted(loop, lanes), self._expressions.scope():
            self.statements(loop.body)
        if lanes:
            self._together = True
            for local in waiting:
                self._reductions.finish(local)
            if self._writes_what_is_read(loop.body):
                self._meet()
        elif self._together and self._nest.team > 1:
            for local in waiting:
                if _has_lanes(loop):
                    self._reductions.finish(local)

    def _waiting(self, loop: For) -> list[Local]:
        inside = {stmt.local for stmt in walk(loop.body) if isinstance(stmt, Accumulate)}
        return [local for local in self._begun if local in inside]

    @contextmanager
    def _counted(self, loop: For, lanes: bool) -> Iterator[None]:
        name = self._names.new(loop.var.name)
        extent = loop.var.extent
        self._expressions.vars[loop.var] = name
        if lanes:
            assert self._together, "a vector loop inside another"
            self._together = False
            with self._source.block(
                f"for {name} in range(cuda.threadIdx.x, {extent}, {self._nest.team})"
            ):
                yield
            return
        with self._source.block(f"for {name} in range({extent})"):
            yield

    def _writes_what_is_read(self, body: tuple[Stmt, ...]) -> bool:
        return any(isinstance(s, Store) and s.buffer in self._read for s in walk(body))

    def _meet(self) -> None:
        """Let the team wait for what its other threads have written."""
        warp = self._nest.team <= WARP
        self._source.add("cuda.syncwarp()" if warp else "cuda.syncthreads()")

    def _accumulate(self, stmt: Accumulate) -> None:
        value = self._expressions.value(stmt.expr)
        at = None if stmt.at is None else self._expressions.index(stmt.at)
        self._reductions.add(stmt.local, value, at)

    def _store(self, stmt: Store) -> None:
        value = self._expressions.value(stmt.expr)
        alone = self._nest.team > 1 and self._together
        if not alone:
            self._source.add(store_of(self._expressions, stmt, value))
            return
        is_read = stmt.buffer in self._read
        if is_read:  # by all of the team, perhaps just now
            self._meet()
        with self._source.block("if cuda.threadIdx.x == 0"):
            self._source.add(store_of(self._expressions, stmt, value))
        if is_read:
            self._meet()

    def _check(self, stmt: Check) -> None:
        """Write a test whose failure sets the status; if several fail at once, one of them does."""
        value = self._expressions.name("checked", self._expressions.value(stmt.expr))
        with self._source.block(f"if not {stmt.low} <= {value} < {stmt.high} and status[0] == 0"):
            self._source.add(f"status[1] = {value}")
            self._source.add(f"status[0] = {stmt.code}")


def store_of(expressions: Expressions, stmt: Store, value: str) -> str:
    """Return the assignment that a Store is."""
    dtype = stmt.buffer.dtype
    target = f"{expressions.buffers[stmt.buffer]}[{bare(expressions.index(stmt.index))}]"
    if stmt.accumulate:
        value = expressions.combined("add", from_memory(target, dtype), value, dtype)
    if dtype is bfloat16:
        expressions.calls.add(("float_as_int", "int_as_float"), ("to_bfloat16",))
    return f"{target} = {bare(to_memory(bare(value), dtype))}"


def place_variables(
    source: Source,
    names: Names,
    expressions: Expressions,
    variables: Sequence[Var],
    number: str,
) -> None:
    """Assign loop variables, slowest first, from the number of their turn."""
    live = [var for var in variables if var.extent > 1]
    for var in variables:
        if var.extent <= 1:
            expressions.vars[var] = "0"
    if len(live) == 1:
        expressions.vars[live[0]] = number
        return
    behind = 1
    found: list[tuple[Var, str]] = []
    for place, var in reversed(list(enumerate(live))):
        text = number if behind == 1 else divided(number, behind)
        found.append((var, text if place == 0 else remainder(text, var.extent)))
        behind *= var.extent
    for var, text in reversed(found):
        expressions.vars[var] = names.new(var.name)
        source.add(f"{expressions.vars[var]} = {bare(text)}")


def _has_lanes(loop: For) -> bool:
    return any(isinstance(stmt, For) and stmt.kind.endswith("vector") for stmt in walk(loop.body))
