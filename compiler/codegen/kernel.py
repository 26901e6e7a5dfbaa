"""Renders the code of kernels as one LLVM function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

from jitnet.compiler.ir.kernel import Code
from jitnet.compiler.ir.loops import (
    Accumulate,
    Begin,
    Buffer,
    CallHost,
    Check,
    Contract,
    Define,
    Fetch,
    For,
    Load,
    Stmt,
    Store,
    loads,
    walk,
)
from jitnet.runtime.dtype import int64

from .contract import as_loops, is_short, streams, uses_tiles
from .contraction import Ask, Epilogue, emit_contraction
from .emitter import I64, Function, Module, Value
from .expressions import Expressions
from .loops import Loops
from .math import emit_cast
from .orientation import contraction_of, lane_var, oriented
from .partials import Partials
from .point import Lanes, Point

SCRATCH_ALIGN = 64  # of what contractions keep there
WORTH_ASKING = 2  # accesses for each result from which on memory is asked for them ahead


def own_scratch(code: Code, offsets: Mapping[Buffer, int]) -> int:
    """Return the bytes of scratch that a code's own buffers take."""
    buffers = [buffer for buffer in code.parameters if buffer.place == "scratch"]
    ends = [offsets[buffer] + buffer.size * buffer.dtype.size for buffer in buffers]
    return -(-max(ends, default=0) // SCRATCH_ALIGN) * SCRATCH_ALIGN


class CodeWriter:
    """Writes one code into a module; `offsets` says where in its scratch buffers lie."""

    def __init__(self, module: Module, code: Code, offsets: Mapping[Buffer, int]) -> None:
        self._point = Point(module, code, offsets)
        self._scratch = own_scratch(code, offsets)  # where that of contractions begins
        self.f = self._point.f
        self._expressions = Expressions(self._point)
        self._partials = Partials(self.f)
        self._loops = Loops(self._point, self._expressions, self._partials, self._statements)

    def write(self) -> None:
        """Write the whole function."""
        self._statements(self._point.code.body)
        self.f.finish()

    def _statements(self, body: Sequence[Stmt]) -> None:
        for stmt in body:
            match stmt:
                case For():
                    self._loops.write(stmt)
                case Define():
                    self._point.locals[stmt.local] = self._expressions.value(stmt.expr)
                case Begin():
                    self._partials.begin(stmt)
                case Accumulate():
                    self._accumulate(stmt)
                case Store():
                    self._expressions.memory.store(stmt, self._expressions.value(stmt.expr))
                case Fetch():
                    self._expressions.memory.fetch(stmt)
                case Check():
                    self._check(stmt)
                case CallHost():
                    self._call_host(stmt)
                case Contract():
                    self._contract(stmt)
                case _:
                    assert_never(stmt)

    def _accumulate(self, stmt: Accumulate) -> None:
        items = [self._expressions.value(stmt.expr)]
        if stmt.at is not None:
            items.append(self._expressions.indices.position(stmt.at))
        self._partials.add(stmt.local, items)

    def _check(self, stmt: Check) -> None:
        """Write a test whose first failure sets the status: its code, and the value that failed."""
        f = self.f
        value = emit_cast(f, self._expressions.value(stmt.expr), stmt.expr.dtype, int64)
        shifted = f.binary("sub", value, f.const(value.type, stmt.low))
        bad = f.compare("icmp uge", shifted, f.const(value.type, stmt.high - stmt.low))
        status = self._point.status
        with f.when(bad):
            first = f.compare("icmp eq", f.load(status, I64, 8), f.i64(0))
            with f.when(first):
                f.store(f.i64(stmt.code), status, 8)
                f.store(value, f.gep(status, f.i64(1), I64), 8)

    def _call_host(self, stmt: CallHost) -> None:
        """Write a call of the host, which gets the places of all operands, and says if it fails."""
        f = self.f
        name = f.module.host_function(stmt.call)
        starts = [
            f.gep(self._point.pointer(buffer), f.i64(start * buffer.dtype.size))
            for buffer, start in stmt.operands
        ]
        failed = f.call(name, starts, I64)
        assert failed is not None
        with f.when(f.compare("icmp ne", failed, f.i64(0))):
            f.store(f.i64(stmt.code), self._point.status, 8)

    # -- contractions -----------------------------------------------------------------------

    def _contract(self, stmt: Contract) -> None:
        f, point = self.f, self._point
        if not uses_tiles(stmt, f.target):
            self._statements([as_loops(stmt)])
            return
        stmt = oriented(stmt, f.target)
        emit_contraction(
            f,
            contraction_of(stmt),
            point.pointer(stmt.a.buffer),
            point.pointer(stmt.b.buffer),
            f.gep(point.scratch, f.i64(self._scratch)),
            point.thread,
            point.threads,
            self._epilogue(stmt),
            streams=streams(stmt, f.target),
            ask=self._ask(stmt),
            is_short=is_short(stmt),
        )

    def _epilogue(self, stmt: Contract) -> Epilogue:
        """Return what runs for each vector of results: bind the loop variables, run the body."""

        def run(
            f: Function, batch: Value, row: Value, first: Value, lanes: int, result: Value
        ) -> None:
            assert f is self.f
            self._point.locals[stmt.result] = result
            with self._results(stmt, batch, row, first, lanes):
                self._statements(stmt.body)

        return run

    def _ask(self, stmt: Contract) -> Ask | None:
        """Return what asks for the memory that the body touches for a vector of results."""
        column = lane_var(stmt)
        touched = {
            (part.buffer, part.index)
            for part in (*loads(stmt.body), *walk(stmt.body))
            if isinstance(part, Load | Store)
            and part.index.coefficient(column) == 1
            and part.index.is_affine
            and part.buffer.place != "scratch"
        }
        places = sorted(touched, key=str)
        if len(places) < WORTH_ASKING:
            return None

        def ask(f: Function, batch: Value, row: Value, first: Value, lanes: int) -> None:
            with self._results(stmt, batch, row, first, lanes):
                for buffer, index in places:
                    f.prefetch(self._expressions.memory.address(buffer, index))

        return ask

    @contextmanager
    def _results(
        self, stmt: Contract, batch: Value, row: Value, first: Value, lanes: int
    ) -> Iterator[None]:
        """Write what is inside for a vector of results, the loop variables bound."""
        point = self._point
        point.unflatten(stmt.batch, batch)
        point.unflatten(stmt.rows, row)
        point.unflatten(stmt.columns, first)
        with self._expressions.scope(), point.along(Lanes(lane_var(stmt), lanes)):
            yield
