"""Writes products into kernels: register tiles with what follows them, or plain loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jitnet.compiler.ir.loops import Contract, Load, Stmt, Store, loads, walk

from .contract import as_loops, is_short, streams, uses_tiles
from .contraction import Ask, Epilogue, emit_contraction
from .emitter import Function, Value
from .expressions import Expressions
from .orientation import contraction_of, lane_var, oriented
from .point import Lanes, Point


class ProductWriter:
    """Writes products at a point; scratch: where in scratch their panels begin.

    statements: writes the statements of a body.
    """

    def __init__(
        self,
        point: Point,
        expressions: Expressions,
        statements: Callable[[Sequence[Stmt]], None],
        scratch: int,
    ) -> None:
        self.f = point.f
        self._point = point
        self._expressions = expressions
        self._statements = statements
        self._scratch = scratch

    def write(self, stmt: Contract) -> None:
        """Write a product and what follows it."""
        f, point = self.f, self._point
        if not uses_tiles(stmt, f.target):
            self._statements([as_loops(stmt)])
            return
        stmt = oriented(stmt, f.target)
        point.turns = emit_contraction(
            f,
            contraction_of(stmt),
            point.pointer(stmt.a.buffer),
            point.pointer(stmt.b.buffer),
            f.gep(point.scratch, f.i64(self._scratch)),
            point.team,
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
        """Return what the body touches for a vector of results, if it touches anything."""
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
        if not places:
            return None

        def find(
            f: Function, batch: Value, row: Value, first: Value, lanes: int
        ) -> Sequence[Value]:
            with self._results(stmt, batch, row, first, lanes):
                return [self._expressions.memory.address(*place) for place in places]

        return Ask(find, len(places))

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
