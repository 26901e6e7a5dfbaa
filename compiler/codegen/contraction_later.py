"""The last whole tile, finished row by row while the next one multiplies.

Stores wait for the last multiply-adds of their tile, and where there are many, the next tile's wait
behind them. So where a result is stored as it is, as is a weight's gradient beside its update, only
that is done at once; what else follows reads it again, a row between equal parts of the next tile.
"""

from __future__ import annotations

from collections.abc import Callable

from jitnet.runtime.dataclass import dataclass

from .contraction_affine import column_of
from .contraction_finish import Epilogue
from .contraction_plan import Plan
from .emitter import I64, Function, Value, vector

STATE = ("left", "batch", "row", "line")  # i64 each: rows to be finished, and where the tile begins

Place = Callable[[Function, Value, Value, Value, int], Value]


@dataclass(frozen=True)
class Stored:
    """Where the results themselves are stored, and what else follows.

    place(f, batch, row, column, lanes) writes what finds where a vector of them goes.
    rest: the epilogue without that store.
    """

    place: Place
    rest: Epilogue


class LaterTile:
    """Writes what leaves a tile to be finished, and what finishes it; state: a part of scratch."""

    def __init__(self, f: Function, plan: Plan, stored: Stored, state: Value) -> None:
        self.f = f
        self.plan = plan
        self.stored = stored
        self._state = state
        self._note("left", f.i64(0))

    def leave(self, batch: Value, row: Value, line: Value, sums: list[Value]) -> None:
        """Store a tile's results, and note where it is; finish what is left of the one before."""
        f, plan = self.f, self.plan
        self.finish()
        for r in range(plan.rows):
            for v in range(plan.vectors):
                place = self._place(batch, f.add(row, f.i64(r)), f.add(line, f.i64(v)))
                f.store(sums[r * plan.vectors + v], place, plan.c.dtype.size)
        for name, value in zip(STATE, (f.i64(plan.rows), batch, row, line), strict=True):
            self._note(name, value)

    def finish_row(self) -> None:
        """Finish a row of what is left, if something is."""
        left = self._noted("left")
        with self.f.when(self.f.compare("icmp ne", left, self.f.i64(0))):
            self._finish(left)

    def finish(self) -> None:
        """Finish all that is left."""
        with self.f.loop(self.f.i64(0), self._noted("left"), may_be_empty=True):
            self._finish(self._noted("left"))

    def _finish(self, left: Value) -> None:
        """Finish the first of so many rows."""
        f, plan = self.f, self.plan
        batch, first, line = (self._noted(name) for name in STATE[1:])
        row = f.add(first, f.sub(f.i64(plan.rows), left))
        lanes, dtype = plan.lines.lanes, plan.c.dtype
        for v in range(plan.vectors):
            at = f.add(line, f.i64(v))
            results = f.load(self._place(batch, row, at), vector(dtype.llvm, lanes), dtype.size)
            self.stored.rest(f, batch, row, column_of(f, plan.lines, at), lanes, results)
        self._note("left", f.sub(left, f.i64(1)))

    def _place(self, batch: Value, row: Value, line: Value) -> Value:
        column = column_of(self.f, self.plan.lines, line)
        return self.stored.place(self.f, batch, row, column, self.plan.lines.lanes)

    def _noted(self, name: str) -> Value:
        return self.f.load(self._at(name), I64, 8)

    def _note(self, name: str, value: Value) -> None:
        self.f.store(value, self._at(name), 8)

    def _at(self, name: str) -> Value:
        return self.f.gep(self._state, self.f.i64(STATE.index(name)), I64)
