"""Hands the sums of a product that was computed transposed to the caller's epilogue.

Tiles have columns of C for rows, and rows of C in their lanes. Squares of sums are transposed in
registers, so that the epilogue gets neighbouring columns all the same.
"""

from __future__ import annotations

from .contraction_affine import column_of, lanes_of, narrower, vectors_of
from .contraction_blocks import Block, blocks
from .contraction_finish import FinishedTile, Finisher
from .emitter import PTR, Value, vector
from .squares import declare_squares
from .team import Range


class Turner(Finisher):
    """Writes the epilogue of blocks of transposed sums; `rows` and `lines` are the plan's.

    own: scratch, for a panel of sums, transposed.
    """

    def ask_ahead(self, batch: Value, block: Block, tile: FinishedTile) -> None:
        """Ask for what finishing the block is going to touch, before its last products.

        Each tile asks for some rows of C in its panel. Those that there are in a whole block are
        shared out evenly, so that few are asked for at once.
        """
        f, plan, ask = self.f, self.plan, self.ask
        if ask is None:
            return
        rows = f.mul(vectors_of(f, plan, tile.line), f.i64(plan.width))
        tiles = f.i64(plan.row_block // plan.rows)
        before = f.udiv(f.sub(tile.row, block.rows.start), f.i64(plan.rows))
        start = f.udiv(f.mul(rows, before), tiles)
        stop = f.udiv(f.mul(rows, f.add(before, f.i64(1))), tiles)
        first = column_of(f, plan.lines, tile.line)
        with (
            f.when(block.k.last),
            f.loop(start, stop, may_be_empty=True) as row,
            f.loop(block.rows.start, block.rows.stop, plan.width) as column,
        ):
            at = f.add(first, row.index)
            for place in ask.addresses(f, batch, at, column.index, plan.width):
                f.prefetch(place)

    def finish_panel(self, batch: Value, rows: Range, panel: Value, sums: Value) -> None:
        """Finish the sums of one panel."""
        f, plan = self.f, self.plan
        self._turn(rows, panel, sums)
        with f.loop(f.i64(0), vectors_of(f, plan, panel)) as v:
            line = f.add(panel, v.index)
            first = f.mul(v.index, f.i64(plan.width))
            with f.loop(f.i64(0), lanes_of(f, plan.lines, line)) as lane:
                row = f.add(column_of(f, plan.lines, line), lane.index)
                at = f.mul(f.add(first, lane.index), f.i64(plan.row_block))
                self._row(batch, row, rows, f.gep(self.own, at, self.element))

    def _turn(self, rows: Range, panel: Value, sums: Value) -> None:
        """Transpose the sums of a panel, square by square."""
        f, plan = self.f, self.plan
        name = declare_squares(f.module, plan.c.dtype, by_table=False)
        with f.loop(rows.start, rows.stop, plan.width) as first:
            inside = f.sub(first.index, rows.start)
            to = f.gep(self.own, inside, self.element)
            source = f.gep(sums, f.mul(inside, f.i64(plan.panel)), self.element)
            left = f.minimum(f.i64(plan.width), f.sub(rows.stop, first.index))
            step = f.i64(plan.panel)
            steps = f.mul(vectors_of(f, plan, panel), f.i64(plan.width))
            null = Value("null", PTR)
            f.call(name, [to, f.i64(plan.row_block), null, source, step, left, steps])

    def _row(self, batch: Value, row: Value, columns: Range, sums: Value) -> None:
        """Run the epilogue along a row of C; only the last vector of all may be narrow."""
        f, plan, width = self.f, self.plan, self.plan.width
        tail = plan.c.rows % width
        count = f.sub(columns.stop, columns.start)
        whole = f.add(columns.start, f.mul(f.udiv(count, f.i64(width)), f.i64(width)))
        with blocks(f, Range(columns.start, whole), width) as part:
            self._columns(batch, row, columns, part.start, width, sums)
        if not tail:
            return
        with f.when(f.compare("icmp slt", whole, columns.stop)):
            for begin, lanes in narrower(width, tail):
                self._columns(batch, row, columns, f.add(whole, f.i64(begin)), lanes, sums)

    def _columns(
        self, batch: Value, row: Value, columns: Range, first: Value, lanes: int, sums: Value
    ) -> None:
        f = self.f
        place = f.gep(sums, f.sub(first, columns.start), self.element)
        value = f.load(place, vector(self.element, lanes), self.plan.c.dtype.size)
        self.epilogue(f, batch, row, first, lanes, value)
