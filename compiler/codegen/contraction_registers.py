"""Whole tiles written into the kernel itself, so that their sums are finished in registers.

A tile of the library leaves its sums in memory, from which the epilogue reads them. With short sums
these stores, loads and loops take as long as a tenth of the multiply-adds, and 3 % with long ones.
So where the whole of K is one block and the epilogue is short, tiles of the full size are written
where they are used, and the epilogue once for each of their vectors. What the epilogue touches is
asked for row by row, between the multiply-adds: all of it at once, before or after them, waits for
level 2.

Tiles at the edges are the library's; both add up the same products in the same order, so how rows
fall into tiles decides no bit.
"""

from __future__ import annotations

from dataclasses import replace

from .contraction_affine import column_of
from .contraction_finish import Ask, Epilogue
from .contraction_later import LaterTile, Stored
from .contraction_next_panel import NextPanel, TilePlace
from .contraction_plan import Plan
from .contraction_rows import whole_lines
from .emitter import I1, Function, Value
from .microkernels import Meanwhile, Tile, emit_run, entry

SHALLOWEST = 16  # steps along K: finding the rows of A anew for each tile takes longer than fewer
DEEPEST_APART = 256  # steps where rows of a panel lie apart: low tiles read it more often
APART = 512  # bytes between rows of a panel, from which on few sets of level 1 hold it
LOWEST = 8  # rows of a whole tile
MOST_POINTERS = 9  # to rows of A, beside what the kernel around a tile keeps
SHORTEST_PART = 4  # steps along K between rows of which the epilogue's memory is asked for
WHOLE_CYCLES = 50  # between the multiply-adds of one whole tile and those of the next
EDGE_CYCLES = 200  # around a tile of the library, which has fewer rows


class RegisterTiles:
    """Writes the tiles of a plan that are whole."""

    def __init__(
        self,
        f: Function,
        plan: Plan,
        epilogue: Epilogue,
        ask: Ask | None,
        stored: Stored | None,
        state: Value,
    ) -> None:
        self.f = f
        self.plan = plan
        self.epilogue = epilogue
        has_parts = plan.k.run >= SHORTEST_PART * plan.rows
        self.ask = ask if has_parts else None
        self.later = None
        if has_parts and stored is not None:
            self.later = LaterTile(f, plan, stored, state)
        self.tile = Tile(plan.c.dtype, plan.rows, plan.vectors)

    def end(self) -> None:
        """Write what comes after all tiles."""
        if self.later is not None:
            self.later.finish()

    def are_whole(self, rows: Value, line: Value) -> Value:
        """Return whether so many rows, and the panel from a line on, make up a whole tile."""
        f = self.f
        all_rows = f.compare("icmp eq", rows, f.i64(self.plan.rows))
        all_lines = f.compare("icmp slt", line, f.i64(whole_lines(self.plan)))
        return f.binary("and", all_rows, all_lines)

    def write(
        self,
        at: TilePlace,
        a: list[Value],
        b: list[Value],
        next_panel: NextPanel | None,
    ) -> None:
        """Write one tile and its epilogue; a and b are what a tile of the library is told.

        Some tiles pack rows of the next panel, where given, meanwhile.
        """
        if next_panel is None:
            self._write(at, a, b, self._meanwhile(at))
            return
        packs = next_panel.has_rows_for(at)
        with self.f.when(packs):
            self._write(at, a, b, next_panel.packing(at, b[0], self._meanwhile(at)))
        with self.f.when(negated(self.f, packs)):
            self._write(at, a, b, self._meanwhile(at))

    def _write(
        self, at: TilePlace, a: list[Value], b: list[Value], meanwhile: Meanwhile | None
    ) -> None:
        f, plan = self.f, self.plan
        base, table, *_, a_step = a
        element = plan.c.dtype.llvm
        pointers = []
        for r in range(plan.rows):
            offset = f.i64(r) if plan.packs_a else entry(f, table, f.i64(r))
            pointers.append(f.gep(base, offset, element))
        sums = emit_run(f, self.tile, pointers, a_step, b[0], b[1], plan.k.run, meanwhile)
        if self.later is not None:
            self.later.leave(at.batch, at.row, at.line, sums)
            return
        for r in range(plan.rows):
            for v in range(plan.vectors):
                column = column_of(f, plan.lines, f.add(at.line, f.i64(v)))
                row = f.add(at.row, f.i64(r))
                total = sums[r * plan.vectors + v]
                self.epilogue(f, at.batch, row, column, plan.lines.lanes, total)

    def _meanwhile(self, at: TilePlace) -> Meanwhile | None:
        """Return what is written between parts of a run, if it pays.

        It asks for the memory that the tile's epilogue touches in a row, and finishes a row of the
        tile before.
        """
        f, plan, ask, later = self.f, self.plan, self.ask, self.later
        if ask is None and later is None:
            return None

        def write(part: Value) -> None:
            if ask is not None:
                row = f.add(at.row, part)
                for v in range(plan.vectors):
                    column = column_of(f, plan.lines, f.add(at.line, f.i64(v)))
                    for place in ask.addresses(f, at.batch, row, column, plan.lines.lanes):
                        f.prefetch(place)
            if later is not None:
                later.finish_row()

        return Meanwhile(-(-plan.k.run // plan.rows), write)


def finishes_in_registers(plan: Plan) -> bool:
    """Return whether sums lie along one run of K, in one block; most of the rows in whole tiles.

    What follows must be short as well: its caller knows.
    """
    k = plan.k
    plain = plan.kind == "listed" and not plan.foresees
    by_tile = not (plan.finishes_blocks or plan.single_columns)
    whole = k.count == k.tap_count == 1 and k.run >= SHALLOWEST
    near = k.run <= DEEPEST_APART or not _lies_apart(plan)
    even = plan.lines.outer == 1 or not plan.lines.tail
    many = plan.c.rows >= 2 * plan.rows and plan.lines.count >= 2 * plan.vectors
    return plain and by_tile and whole and near and even and many


def _lies_apart(plan: Plan) -> bool:
    """Return whether a panel is read in place, and its rows meet in few sets of level 1."""
    return plan.source == "matrix" and abs(plan.c.b.k[-1]) * plan.c.dtype.size >= APART


def with_whole_tiles(plan: Plan) -> Plan:
    """Return the plan with tiles so high that half of the rows, one thread's of two, cost least."""
    half = -(-plan.c.rows // 2)

    def around(rows: int) -> int:
        return half // rows * WHOLE_CYCLES + (EDGE_CYCLES if half % rows else 0)

    most = plan.rows if plan.packs_a else min(plan.rows, MOST_POINTERS)
    rows = min(range(most, min(most, LOWEST) - 1, -1), key=around)
    return replace(plan, rows=rows, row_block=plan.row_block // rows * rows)


def negated(f: Function, condition: Value) -> Value:
    """Return an i1 that holds where another does not."""
    return f.binary("xor", condition, f.const(I1, True))
