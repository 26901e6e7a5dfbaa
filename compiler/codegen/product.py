"""Writes products into kernels: register tiles with what follows them, or plain loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from jitnet.compiler.ir.loops import Buffer, Contract, Load, Stmt, Store, loads, walk, written

from .contract import as_loops, is_short, streams, uses_tiles
from .contraction import Ask, Epilogue, emit_contraction
from .contraction_later import Place, Stored
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
            stored=self._stored(stmt),
        )

    def _stored(self, stmt: Contract) -> Stored | None:
        """Return the store of the results themselves and what else there is, if both are there.

        What else there is must not need what the store replaces.
        """
        for number, store in enumerate(stmt.body):
            others = (*stmt.body[:number], *stmt.body[number + 1 :])
            if isinstance(store, Store) and _keeps_results(stmt, store):
                apart = store.buffer.owner not in _owners(others)
                stored = Stored(
                    self._place(stmt, store), self._epilogue(replace(stmt, body=others))
                )
                return stored if apart and any(written(others)) else None
        return None

    def _place(self, stmt: Contract, store: Store) -> Place:
        """Return what finds where a store puts a vector of results."""

        def find(f: Function, batch: Value, row: Value, first: Value, lanes: int) -> Value:
            with self._results(stmt, batch, row, first, lanes):
                return self._expressions.memory.address(store.buffer, store.index)

        return find

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


def _keeps_results(stmt: Contract, store: Store) -> bool:
    """Whether a store keeps the results as they are, neighbouring columns side by side."""
    as_is = store.expr is stmt.result and store.buffer.dtype is stmt.result.dtype
    adjacent = store.index.is_affine and store.index.coefficient(lane_var(stmt)) == 1
    return as_is and adjacent and not store.accumulate


def _owners(body: Sequence[Stmt]) -> set[Buffer]:
    """Return the whole buffers that statements touch."""
    read = (load.buffer for load in loads(tuple(body)))
    return {buffer.owner for buffer in (*read, *written(tuple(body)))}
