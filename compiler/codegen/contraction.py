"""Writes a contraction inside a function: blocks, packing, tiles, and the caller's epilogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from jitnet.runtime.dataclass import dataclass

from .contraction_affine import affine, column_of, vectors_of
from .contraction_ahead import of_next_panel, of_next_rows, of_results
from .contraction_blocks import Block, Tables, blocks
from .contraction_choice import cycles, plan, prefers_tiles, scratch_bytes
from .contraction_columns import PackB
from .contraction_copies import RowPacker
from .contraction_finish import WORTH_ASKING, Ask, Epilogue, FinishedTile, Finisher
from .contraction_form import Contraction, Limit, Operand, canonical, flops, swapped
from .contraction_later import Stored
from .contraction_next_panel import NextPanel, TilePlace, next_panel
from .contraction_packing import PanelPacker
from .contraction_plan import MOST_PLACES, Plan
from .contraction_registers import (
    RegisterTiles,
    finishes_in_registers,
    negated,
    with_whole_tiles,
)
from .contraction_rows import next_rows, next_tile, possible_rows, whole_first
from .contraction_turning import Turner
from .emitter import I64, PTR, Function, Value
from .microkernels import Tile
from .team import Range, Team

__all__ = [
    "Ask",
    "Contraction",
    "Epilogue",
    "Limit",
    "Operand",
    "PackB",
    "canonical",
    "cycles",
    "emit_contraction",
    "flops",
    "prefers_tiles",
    "scratch_bytes",
    "swapped",
]


def emit_contraction(
    f: Function,
    c: Contraction,
    a: Value,
    b: Value,
    scratch: Value,
    team: Team,
    epilogue: Epilogue,
    pack_b: PackB | None = None,
    streams: bool = False,
    ask: Ask | None = None,
    is_short: bool = False,
    stored: Stored | None = None,
) -> int:
    """Write what a thread of the team does of a contraction into f; return its turns of sharing.

    scratch is this thread's own: scratch_bytes(c, target) bytes, 64-byte aligned.
    `epilogue(f, batch, row, column, lanes, sums)` is called for each vector of finished sums:
    `lanes` neighbouring columns of one row, all indices flat; it stores what it makes of them.
    They never cross the end of the last n dim of more than one column; where that would leave most
    lanes idle and sums are long, there is one column to each call.
    `pack_b(f, batch, k, column, lanes)`, where given, returns `lanes` neighbouring columns of B at
    flat k, in place of a load from b; the plan is then made with packs_b=True.
    `streams` says that the epilogue touches far more memory than the cache holds: it then gets the
    sums of long rows in order, so that memory is read and written in long runs.
    `ask`, where given, says what memory the epilogue touches: it is asked for between the products.
    `is_short`: it is a few instructions, which may be written many times.  `stored`, where given,
    takes it apart: results are stored at once, the rest may follow later.
    Each sum is that of the same blocks in the same order for any number of threads.
    """
    decided = plan(c, f.target, pack_b is not None, streams)
    if decided.turned:
        a, b = b, a
    if ask is not None and not (decided.turned or ask.count >= WORTH_ASKING):
        ask = None
    in_registers = is_short and finishes_in_registers(decided)
    if in_registers:
        decided = with_whole_tiles(decided)
    elif ask is not None and ask.count <= MOST_PLACES and decided.may_foresee_results:
        decided = replace(decided, foresees="results")
    part = {name: f.gep(scratch, f.i64(at)) for name, (at, _) in decided.regions.items()}
    kind, own = (Turner, part["turned"]) if decided.turned else (Finisher, part["asked"])
    finisher = kind(f, decided, epilogue, ask, own)
    whole_tiles = None
    if in_registers:
        whole_tiles = RegisterTiles(f, decided, epilogue, ask, stored, part["later"])
    _Writer(f, decided, a, b, part, team, finisher, pack_b, whole_tiles).write()
    if whole_tiles is not None:
        whole_tiles.end()
    return decided.turns


@dataclass(frozen=True)
class _Operands:
    """Where the operands of the current batch element are."""

    batch: Value
    a: Value
    b: Value
    panels: PanelPacker
    next_panel: NextPanel | None  # where tiles pack it meanwhile


class _Writer:
    """Writes one contraction."""

    def __init__(
        self,
        f: Function,
        plan: Plan,
        a: Value,
        b: Value,
        part: Mapping[str, Value],
        team: Team,
        finisher: Finisher,
        pack_b: PackB | None,
        whole_tiles: RegisterTiles | None,
    ) -> None:
        self.f = f
        self.plan = plan
        self.c = plan.c
        self.element = plan.c.dtype.llvm
        self.size = plan.c.dtype.size
        self.a = f.gep(a, f.i64(plan.c.a.offset), self.element)
        self.b = f.gep(b, f.i64(plan.c.b.offset), self.element)
        self.part = part
        self.team = team
        self.tables = Tables(f, plan, self.part)
        self.packer = RowPacker(f, plan, part) if plan.packs_a else None
        self.finisher = finisher
        self.pack_b = pack_b
        self.whole_tiles = whole_tiles
        self.next_rows = next_rows if whole_tiles is None else whole_first

    # -- loops, from the outside in ----------------------------------------------------------

    def write(self) -> None:
        """Write the loop over the batch."""
        f, c = self.f, self.c
        with self._blocks("batch", f.i64(0)) as batch:
            index = batch.start
            a = f.gep(self.a, affine(f, index, c.batch, c.a.batch), self.element)
            b = f.gep(self.b, affine(f, index, c.batch, c.b.batch), self.element)
            packer = PanelPacker(f, self.plan, b, index, self.pack_b)
            foreseen = next_panel(f, self.plan, packer) if self.whole_tiles else None
            self._block(_Operands(index, a, b, packer, foreseen))

    @contextmanager
    def _blocks(self, axis: str, turn: Value) -> Iterator[Range]:
        """Write a loop over the blocks of an axis: of this thread's parts, if it is the split one.

        turn: how often threads have shared out the same before.
        """
        shared, block = self.plan.shared(axis)
        if self.plan.split != axis:
            with blocks(self.f, Range(self.f.i64(0), self.f.i64(shared.count)), block) as each:
                yield each
            return
        with (
            self.team.parts(self.f, shared, turn) as part,
            blocks(self.f, part, block) as each,
        ):
            yield each

    def _block(self, at: _Operands) -> None:
        """Write the loops over blocks of columns, of rows, and of K."""
        f, plan = self.f, self.plan
        panels = self.part["b"]
        if self.packer is not None:
            self.packer.begin()
        with self._blocks("columns", at.batch) as lines:
            if at.next_panel is not None:
                at.next_panel.pack_others(panels, lines)
            elif plan.source == "packed":
                at.panels.pack(panels, lines.start, lines.stop, f.i64(0), f.i64(self.c.depth))
            self.tables.fill_lines(lines)
            with self._blocks("rows", self._turn(at, lines)) as rows:
                self.tables.fill_rows(rows)
                with self.tables.k_blocks(at.batch) as k:
                    if plan.source == "blocks":
                        at.panels.pack(panels, lines.start, lines.stop, k.start, k.length)
                    packed = at.a if self.packer is None else self.packer.pack(at.a, rows, k)
                    self._multiply(at, Block(rows, lines, k, packed))
                if plan.finishes_blocks:
                    self._finish(at, rows, lines)

    def _turn(self, at: _Operands, lines: Range) -> Value:
        """Return how many blocks of columns come before; equal parts are not numbered."""
        f, plan = self.f, self.plan
        if not self.team.claims:
            return f.i64(0)
        before = f.mul(at.batch, f.i64(plan.line_blocks))
        return f.add(before, f.udiv(lines.start, f.i64(plan.line_block)))

    # -- panels and tiles ---------------------------------------------------------------------

    def _multiply(self, at: _Operands, block: Block) -> None:
        """Write the loops over panels and the tiles of each; or, turned, panels inside."""
        if self.plan.rows_stay:
            self._multiply_rows(at, block)
        elif self.plan.turned:
            with self._tiles(block.rows) as tile, self._panels(block.lines) as panel:
                self._tile(at, block, tile, panel)
        else:
            with self._panels(block.lines) as panel, self._tiles(block.rows) as tile:
                self._tile(at, block, tile, panel)

    def _multiply_rows(self, at: _Operands, block: Block) -> None:
        """Multiply the rows of each tile with all whole panels in one call, then with the last."""
        f, plan, lines = self.f, self.plan, block.lines
        whole = f.minimum(lines.stop, f.i64(plan.lines.count - plan.tail_vectors))
        with self._tiles(block.rows) as tile:
            self._tile(at, block, tile, Range(lines.start, whole))
            if plan.tail_vectors:
                with f.when(f.compare("icmp slt", whole, lines.stop)):
                    self._tile(at, block, tile, Range(whole, lines.stop))

    def _panels(self, lines: Range) -> AbstractContextManager[Range]:
        return blocks(self.f, lines, self.plan.vectors)

    @contextmanager
    def _tiles(self, rows: Range) -> Iterator[Range]:
        """Loop over the rows of a block, tile by tile."""
        f = self.f

        def more(state: list[Value]) -> Value:
            return f.compare("icmp slt", state[0], rows.stop)

        with f.while_(more, [rows.start]) as tiles:
            row = tiles.carried[0]
            stop = f.add(row, next_tile(f, f.sub(rows.stop, row), self.plan.rows, self.next_rows))
            yield Range(row, stop)
            tiles.carry = [stop]

    def _tile(self, at: _Operands, block: Block, rows: Range, lines: Range) -> None:
        """Multiply one tile of a panel, and finish it unless that happens block by block."""
        f, plan, panel = self.f, self.plan, lines.start
        before = f.mul(f.sub(panel, block.lines.start), f.i64(plan.width))
        a = self._a_arguments(block, rows.start)
        b = self._b_arguments(at, block, lines, before)
        sums = self._sums(block.rows, rows.start, before)
        if plan.source == "rows":
            sums = self._as_far_behind_a_line(b[0], sums)
        tile = FinishedTile(rows.start, f.sub(rows.stop, rows.start), panel, sums)
        if self.whole_tiles is None:
            self._called_tile(at, block, tile, a, b)
            return
        whole = self.whole_tiles.are_whole(tile.count, panel)
        with f.when(whole):
            place = TilePlace(at.batch, block, rows.start, panel)
            self.whole_tiles.write(place, a, b, at.next_panel)
        with f.when(negated(f, whole)):
            self._called_tile(at, block, tile, a, b)

    def _called_tile(
        self, at: _Operands, block: Block, tile: FinishedTile, a: list[Value], b: list[Value]
    ) -> None:
        """Let the library multiply a tile; a and b say where its operands are."""
        f, plan = self.f, self.plan
        self.finisher.ask_ahead(at.batch, block, tile)
        rows = Range(tile.row, f.add(tile.row, tile.count))
        self._call(self._kernels(tile.line), tile.count, [
            *a,
            *b,
            *self._ahead(at, block, rows, tile.line),
            tile.sums, f.i64(plan.sums_step), block.k.accumulate,
        ])  # fmt: skip
        if not plan.finishes_blocks:
            self.finisher.finish(at.batch, tile, block.k.last)

    def _sums(self, rows: Range, row: Value, before: Value) -> Value:
        """Return where the sums of a panel's tile begin: one tile after the other, unless kept."""
        f, plan, sums = self.f, self.plan, self.part["sums"]
        if not plan.keeps_sums:
            return sums
        if plan.source != "dots":
            before = f.mul(before, f.i64(plan.row_block))
        sums = f.gep(sums, before, self.element)
        return f.gep(sums, f.mul(f.sub(row, rows.start), f.i64(plan.sums_step)), self.element)

    def _as_far_behind_a_line(self, as_is: Value, sums: Value) -> Value:
        """Return where sums begin whose vectors meet the same cache lines as those of B."""
        f = self.f
        line = f.i64(self.plan.width * self.size)
        return f.gep(sums, f.urem(f.convert("ptrtoint", as_is, I64), line))

    def _finish(self, at: _Operands, rows: Range, lines: Range) -> None:
        """Write the epilogue of a block: turned panel by panel, else row by row."""
        f, plan = self.f, self.plan
        if plan.source == "dots":
            self.finisher.finish_rows(at.batch, rows, lines, self._sums(rows, rows.start, f.i64(0)))
            return
        if isinstance(self.finisher, Turner):
            with self._panels(lines) as panel:
                before = f.mul(f.sub(panel.start, lines.start), f.i64(plan.width))
                sums = self._sums(rows, rows.start, before)
                self.finisher.finish_panel(at.batch, rows, panel.start, sums)
            return
        with (
            f.loop(rows.start, rows.stop) as row,
            f.loop(lines.start, lines.stop, plan.vectors) as panel,
        ):
            before = f.mul(f.sub(panel.index, lines.start), f.i64(plan.width))
            sums = self._sums(rows, row.index, before)
            tile = FinishedTile(row.index, f.i64(1), panel.index, sums)
            self.finisher.finish(at.batch, tile, None)

    def _a_arguments(self, block: Block, row: Value) -> list[Value]:
        """Return what the kernel for the tile at a row is told of A."""
        f, k, base = self.f, block.k, block.a
        if self.plan.packs_a:
            base = f.gep(base, f.sub(row, block.rows.start), self.element)
        return [base, self.tables.rows(block, row), k.taps, k.tap_count, k.run, k.a_step]

    def _b_arguments(self, at: _Operands, block: Block, lines: Range, before: Value) -> list[Value]:
        """Return what kernels for a panel are told of B; `before` columns of the block precede."""
        f, plan, k, panel = self.f, self.plan, block.k, lines.start
        if plan.reads_lines:
            found = [at.b, self.tables.lines(block, panel)]
            if plan.source == "dots":
                count = f.sub(lines.stop, panel)
                found.append(f.udiv(f.add(count, f.i64(plan.vectors - 1)), f.i64(plan.vectors)))
            return [*found, k.b_taps, f.i64(plan.k.b_step)]
        if plan.source == "matrix" or plan.reads_runs:
            step = f.i64(self.c.b.k[-1] if self.c.k else 0)
            column = column_of(f, plan.lines, panel)
            first = affine(f, column, self.c.n, self.c.b.free)
            place = f.gep(at.b, f.add(f.mul(k.start, step), first), self.element)
            if plan.source == "matrix":
                return [place, step]
            count = f.minimum(f.i64(plan.panel), f.sub(f.i64(self.c.columns), column))
            return [place, f.i64(plan.run_step), f.i64(plan.run_ahead), count]
        width = f.mul(vectors_of(f, plan, panel), f.i64(plan.width))
        if plan.source == "packed":
            place = f.add(f.mul(before, f.i64(self.c.depth)), f.mul(k.start, width))
        else:
            place = f.mul(before, k.length)
        return [f.gep(self.part["b"], place, self.element), width]

    def _ahead(self, at: _Operands, block: Block, tile: Range, panel: Value) -> list[Value]:
        """Return what a tile is to ask for, or copy; where nothing is foreseen, an empty list."""
        f, plan = self.f, self.plan
        if plan.reads_lines or plan.reads_runs:
            return []
        match plan.foresees:
            case "results":
                ask = self.finisher.ask
                assert ask is not None
                return of_results(f, plan, self.finisher.own, ask.count, block, tile, panel)
            case "panel":
                return of_next_panel(f, plan, at.b, block, panel, tile.start)
            case "rows":
                return of_next_rows(f, plan, at.a, block, tile, panel)
            case "block":
                assert self.packer is not None
                return self.packer.copying(at.a, block, tile, panel)
            case _:
                return [at.a, f.i64(0), f.i64(0)]

    def _kernels(self, panel: Value) -> Value:
        """Return the table of kernels, by rows, for a panel."""
        f, plan = self.f, self.plan

        def table(vectors: int) -> Value:
            sizes = range(1, plan.rows + 1)
            tiles = [Tile(self.c.dtype, rows, vectors, plan.kind) for rows in sizes]
            come = possible_rows(plan, self.next_rows)
            return f.module.function_table(
                [tile.declare(f.module) if tile.rows in come else None for tile in tiles]
            )

        if plan.reads_runs:
            return table(1)
        if not plan.tail_vectors:
            return table(plan.vectors)
        full = f.compare("icmp slt", panel, f.i64(plan.lines.count - plan.tail_vectors))
        return f.select(full, table(plan.vectors), table(plan.tail_vectors))

    def _call(self, kernels: Value, rows: Value, arguments: list[Value]) -> None:
        """Call the kernel for a tile of that many rows."""
        f = self.f
        kernel = f.load(f.gep(kernels, f.sub(rows, f.i64(1)), PTR), PTR, 8, constant=True)
        f.raw(f"call void {kernel.text}({', '.join(map(str, arguments))})")
