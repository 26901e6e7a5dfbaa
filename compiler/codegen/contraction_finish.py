"""Hands the finished sums of a tile to the caller's epilogue, in vectors along the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitnet.runtime.dataclass import dataclass

from .contraction_affine import column_of, lanes_of, narrower, vectors_of
from .contraction_blocks import Block
from .contraction_plan import DEEP, Plan
from .emitter import PTR, Function, Value, vector
from .team import Range

WORTH_ASKING = 2  # places that a vector of results touches, from which on tiles ask for them ahead

Epilogue = Callable[[Function, Value, Value, Value, int, Value], None]


@dataclass(frozen=True)
class Ask:
    """What finishing a vector of results touches.

    addresses(f, batch, row, column, lanes) writes what finds them; count: how many there are.
    """

    addresses: Callable[[Function, Value, Value, Value, int], Sequence[Value]]
    count: int


@dataclass(frozen=True)
class FinishedTile:
    """A tile of C: its first row, its rows, the first line of its panel, where its sums are."""

    row: Value
    count: Value
    line: Value
    sums: Value


class Finisher:
    """Writes the loops around the epilogue; own: scratch, for addresses that tiles ask for."""

    def __init__(
        self, f: Function, plan: Plan, epilogue: Epilogue, ask: Ask | None, own: Value
    ) -> None:
        self.f = f
        self.plan = plan
        self.own = own
        self.element = plan.c.dtype.llvm
        self.epilogue = epilogue
        self.ask = ask

    def ask_ahead(self, batch: Value, block: Block, tile: FinishedTile) -> None:
        """Ask for what finishing a tile is going to touch, before its last products.

        Where the tile itself asks for it, meanwhile, write the addresses down. All at once, more
        lines than the cache waits for together keep the products waiting.
        """
        f, plan, ask = self.f, self.plan, self.ask
        if ask is None or plan.finishes_blocks or plan.single_columns or plan.k.longest < DEEP:
            return
        with f.when(block.k.last):
            count = vectors_of(f, plan, tile.line)
            with f.loop(f.i64(0), count) as v, f.loop(f.i64(0), tile.count) as r:
                column = column_of(f, plan.lines, f.add(tile.line, v.index))
                row = f.add(tile.row, r.index)
                places = ask.addresses(f, batch, row, column, plan.lines.lanes)
                if plan.foresees == "results":
                    number = f.add(f.mul(v.index, tile.count), r.index)
                    self._list(places, f.mul(number, f.i64(ask.count)))
                else:
                    for place in places:
                        f.prefetch(place)

    def _list(self, places: Sequence[Value], number: Value) -> None:
        """Write addresses down, the first under a number."""
        f = self.f
        first = f.gep(self.own, number, PTR)
        for each, place in enumerate(places):
            f.store(place, f.gep(first, f.i64(each), PTR), 8)

    def finish(self, batch: Value, tile: FinishedTile, last: Value | None) -> None:
        """Finish a tile: at once, or where `last` says that the sums are whole."""
        with self.f.when(last):
            count = vectors_of(self.f, self.plan, tile.line)
            if count.text == "1":
                self._line(batch, tile, self.f.i64(0))
                return
            with self.f.loop(self.f.i64(0), count, may_be_empty=False) as v:
                self._line(batch, tile, v.index)

    def finish_rows(self, batch: Value, rows: Range, columns: Range, sums: Value) -> None:
        """Finish a block row by row: the first row's sums are at `sums`."""
        f, plan = self.f, self.plan
        count = f.sub(columns.stop, columns.start)
        lanes = plan.k_lanes if len(plan.c.n) == 1 else 1
        whole = f.mul(f.udiv(count, f.i64(lanes)), f.i64(lanes))
        with f.loop(rows.start, rows.stop) as row:
            before = f.mul(f.sub(row.index, rows.start), f.i64(plan.sums_step))
            line = f.gep(sums, before, self.element)
            for first, stop, width in ((f.i64(0), whole, lanes), (whole, count, 1)):
                with f.loop(first, stop, width) as at:
                    column = f.add(columns.start, at.index)
                    totals = self._load(f.gep(line, at.index, self.element), width)
                    self.epilogue(f, batch, row.index, column, width, totals)

    def _line(self, batch: Value, tile: FinishedTile, v: Value) -> None:
        """Finish one line of a tile; the last of a row of columns may be narrow."""
        f, plan, lines = self.f, self.plan, self.plan.lines
        line = f.add(tile.line, v)
        column, first = column_of(f, lines, line), f.mul(v, f.i64(plan.width))
        if plan.single_columns:
            self._singles(batch, tile, line, column, first)
            return
        chunk = f.urem(line, f.i64(lines.chunks))
        if lines.inner >= lines.lanes:
            full = f.compare("icmp slt", chunk, f.i64(lines.inner // lines.lanes))
            with f.when(full if lines.tail else None):
                self._rows(batch, tile, column, first, lines.lanes)
        if not lines.tail:
            return
        narrow = f.compare("icmp eq", chunk, f.i64(lines.chunks - 1))
        with f.when(narrow if lines.chunks > 1 else None):
            for begin, lanes in narrower(lines.lanes, lines.tail):
                part = f.i64(begin)
                self._rows(batch, tile, f.add(column, part), f.add(first, part), lanes)

    def _singles(
        self, batch: Value, tile: FinishedTile, line: Value, column: Value, first: Value
    ) -> None:
        """Finish a line column by column."""
        f = self.f
        with f.loop(f.i64(0), lanes_of(f, self.plan.lines, line), may_be_empty=False) as lane:
            at, place = f.add(column, lane.index), f.add(first, lane.index)
            self._rows(batch, tile, at, place, 1)

    def _rows(
        self, batch: Value, tile: FinishedTile, column: Value, first: Value, lanes: int
    ) -> None:
        """Write the loop over a tile's rows for the vector whose sums begin at `first`."""
        f = self.f
        with f.loop(f.i64(0), tile.count, may_be_empty=False) as r:
            place = f.add(f.mul(r.index, f.i64(self.plan.panel)), first)
            sums = self._load(f.gep(tile.sums, place, self.element), lanes)
            self.epilogue(f, batch, f.add(tile.row, r.index), column, lanes, sums)

    def _load(self, place: Value, lanes: int) -> Value:
        return self.f.load(place, vector(self.element, lanes), self.plan.c.dtype.size)
