"""Writes a contraction inside a function: blocks, packing, tiles, and the caller's epilogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .contraction_affine import affine, column_of, fill_table, lanes_of, vectors_of
from .contraction_choice import cycles, plan, prefers_tiles, scratch_bytes
from .contraction_columns import PackB
from .contraction_finish import Ask, Epilogue, FinishedTile, Finisher
from .contraction_form import (
    Contraction,
    Operand,
    Sizes,
    canonical,
    flops,
    swapped,
)
from .contraction_packing import PanelPacker, pack_rows
from .contraction_plan import Plan
from .emitter import I64, PTR, Function, Value
from .microkernels import Tile

__all__ = [
    "Ask",
    "Contraction",
    "Epilogue",
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
    thread: Value,
    threads: Value,
    epilogue: Epilogue,
    pack_b: PackB | None = None,
    streams: bool = False,
    ask: Ask | None = None,
) -> None:
    """Write this thread's share of a contraction into f.

    scratch is this thread's own: scratch_bytes(c, target) bytes, 64-byte aligned.
    `epilogue(f, batch, row, column, lanes, sums)` is called for each vector of finished sums:
    `lanes` neighbouring columns of one row, all indices flat; it stores what it makes of them.
    They never cross the end of the last n dim of more than one column; where that would leave most
    lanes idle and sums are long, there is one column to each call.
    `pack_b(f, batch, k, column, lanes)`, where given, returns `lanes` neighbouring columns of B at
    flat k, in place of a load from b; the plan is then made with packs_b=True.
    `streams` says that the epilogue touches far more memory than the cache holds: it then gets the
    sums of long rows in order, so that memory is read and written in long runs.
    `ask(f, batch, row, column, lanes)`, where given, asks for the memory that the epilogue is going
    to touch there; it is called before the products that the epilogue has to wait for.
    Each element is the sum of the same blocks in the same order for any number of threads.
    """
    decided = plan(c, f.target, pack_b is not None, streams)
    writer = _Writer(f, decided, a, b, scratch, Finisher(f, decided, epilogue, ask), pack_b)
    writer.write(thread, threads)


@dataclass(frozen=True)
class _Range:
    """A range of flat indices: from start, before stop."""

    start: Value
    stop: Value


@dataclass(frozen=True)
class _KBlock:
    """One block of K as tiles are told of it."""

    start: Value  # flat k
    length: Value
    taps: Value  # table of A's offsets
    b_taps: Value  # of B's, where it is read through taps
    tap_count: Value
    run: Value
    a_step: Value
    accumulate: Value  # i64: 1 but for the first block
    last: Value | None  # i1: sums are final after it; None where there is one block


@dataclass(frozen=True)
class _Block:
    """A block of C and of K."""

    rows: _Range
    lines: _Range  # of vectors of columns
    k: _KBlock


@dataclass(frozen=True)
class _Operands:
    """Where the operands of the current batch element are."""

    batch: Value
    a: Value
    b: Value


class _Writer:
    """Writes one contraction."""

    def __init__(
        self,
        f: Function,
        plan: Plan,
        a: Value,
        b: Value,
        scratch: Value,
        finisher: Finisher,
        pack_b: PackB | None,
    ) -> None:
        self.f = f
        self.plan = plan
        self.c = plan.c
        self.element = plan.c.dtype.llvm
        self.size = plan.c.dtype.size
        self.a = f.gep(a, f.i64(plan.c.a.offset), self.element)
        self.b = f.gep(b, f.i64(plan.c.b.offset), self.element)
        self.part = {name: f.gep(scratch, f.i64(at)) for name, (at, _) in plan.regions.items()}
        self.finisher = finisher
        self.pack_b = pack_b

    # -- loops, from the outside in ----------------------------------------------------------

    def write(self, thread: Value, threads: Value) -> None:
        """Share the work out and write the loop over the batch."""
        plan, c = self.plan, self.c

        def share(axis: str, count: int, unit: int) -> _Range:
            if plan.split != axis:
                return _Range(self.f.i64(0), self.f.i64(count))
            return self._share(count, unit, thread, threads)

        rows = share("rows", c.rows, plan.rows)
        lines = share("columns", plan.lines.count, plan.vectors)
        with self._blocks(share("batch", c.batches, 1), 1) as batch:
            index = batch.start
            a = self.f.gep(self.a, affine(self.f, index, c.batch, c.a.batch), self.element)
            b = self.f.gep(self.b, affine(self.f, index, c.batch, c.b.batch), self.element)
            self._block(_Operands(index, a, b), rows, lines)

    def _share(self, count: int, unit: int, thread: Value, threads: Value) -> _Range:
        """Return this thread's part of 0..count, cut at multiples of unit."""
        f, units = self.f, -(-count // unit)

        def cut(index: Value) -> Value:
            at = f.udiv(f.mul(f.i64(units), index), threads)
            return f.minimum(f.mul(at, f.i64(unit)), f.i64(count))

        return _Range(cut(thread), cut(f.add(thread, f.i64(1))))

    @contextmanager
    def _blocks(self, whole: _Range, step: int) -> Iterator[_Range]:
        """Loop over a range in blocks of at most step; no loop where one block is all."""
        f = self.f
        start, stop = whole.start.text, whole.stop.text
        if start.isdigit() and stop.isdigit() and int(stop) - int(start) <= step:
            yield whole
            return
        with f.loop(whole.start, whole.stop, step) as block:
            if step == 1:
                end = f.add(block.index, f.i64(1))
            else:
                end = f.minimum(f.add(block.index, f.i64(step)), whole.stop)
            yield _Range(block.index, end)

    def _block(self, at: _Operands, all_rows: _Range, all_lines: _Range) -> None:
        """Write the loops over blocks of columns, of rows, and of K."""
        f, plan = self.f, self.plan
        packer = PanelPacker(f, plan, at.b, at.batch, self.pack_b)
        panels = self.part["b"]
        with self._blocks(all_lines, plan.line_block) as lines:
            if plan.source == "packed":
                packer.pack(panels, lines.start, lines.stop, f.i64(0), f.i64(self.c.depth))
            self._fill_lines(lines)
            with self._blocks(all_rows, plan.row_block) as rows:
                self._fill_rows(rows)
                with self._k_blocks() as k:
                    if plan.source == "blocks":
                        packer.pack(panels, lines.start, lines.stop, k.start, k.length)
                    if plan.packs_a:
                        count = f.sub(rows.stop, rows.start)
                        to = self.part["a"]
                        pack_rows(f, plan, at.a, to, rows.start, count, k.start, k.length)
                    with self._blocks(lines, plan.vectors) as panel:
                        self._panel(at, _Block(rows, lines, k), panel)
                if plan.streams:
                    self._finish(at, rows, lines)

    # -- tables of offsets --------------------------------------------------------------------

    def _constant_offsets(self, sizes: Sizes, strides: Sizes) -> Value:
        """Return a constant table of the offset of every flat index."""
        offsets = [0]
        for size, stride in zip(sizes, strides, strict=True):
            offsets = [base + index * stride for base in offsets for index in range(size)]
        return self.f.module.constant_array(I64, offsets)

    def _fill_rows(self, rows: _Range) -> None:
        """Fill the table of row offsets where it is not a constant."""
        if self.plan.runtime_rows:
            count = self.f.sub(rows.stop, rows.start)
            fill_table(self.f, self.part["rows"], rows.start, count, self.c.m, self.c.a.free)

    def _fill_lines(self, lines: _Range) -> None:
        """Fill the table of B's lines where it is not a constant."""
        f = self.f
        if not self.plan.runtime_lines:
            return
        with f.loop(f.i64(0), f.sub(lines.stop, lines.start)) as entry:
            line = f.add(lines.start, entry.index)
            offset = affine(f, column_of(f, self.plan.lines, line), self.c.n, self.c.b.free)
            place = f.gep(self.part["lines"], f.mul(entry.index, f.i64(2)), I64)
            f.store(offset, place, 8)
            f.store(lanes_of(f, self.plan.lines, line), f.gep(place, f.i64(1), I64), 8)

    def _lines_table(self, block: _Block, line: Value) -> Value:
        """Return the entry of the table of B's lines for a line."""
        f, lines = self.f, self.plan.lines
        if self.plan.runtime_lines:
            at = f.mul(f.sub(line, block.lines.start), f.i64(2))
            return f.gep(self.part["lines"], at, I64)
        entries = []
        for outer in range(lines.outer):
            for start in range(0, lines.inner, lines.lanes):
                offset = _offset(outer * lines.inner + start, self.c.n, self.c.b.free)
                entries += [offset, min(lines.lanes, lines.inner - start)]
        return f.gep(f.module.constant_array(I64, entries), f.mul(line, f.i64(2)), I64)

    # -- K ------------------------------------------------------------------------------------

    @contextmanager
    def _k_blocks(self) -> Iterator[_KBlock]:
        """Loop over the blocks of K."""
        f, k = self.f, self.plan.k
        if k.count == 1:
            yield self._k_block(f.i64(0), f.i64(0), None)
            return
        with f.loop(f.i64(0), f.i64(k.count)) as block:
            later = f.compare("icmp ne", block.index, f.i64(0))
            last = f.compare("icmp eq", block.index, f.i64(k.count - 1))
            yield self._k_block(block.index, f.convert("zext", later, I64), last)

    def _k_block(self, index: Value, accumulate: Value, last: Value | None) -> _KBlock:
        """Return what tiles are told of block `index`."""
        f, k, plan = self.f, self.plan.k, self.plan
        if k.pieces > 1:
            tap, tap_count = index, f.i64(1)
            done = f.mul(f.urem(index, f.i64(k.pieces)), f.i64(k.piece))
            run = f.minimum(f.i64(k.piece), f.sub(f.i64(k.run), done))
            start = f.add(f.mul(f.udiv(index, f.i64(k.pieces)), f.i64(k.run)), done)
            length = run
        else:
            tap, run = f.mul(index, f.i64(k.taps)), f.i64(k.run)
            tap_count = f.minimum(f.i64(k.taps), f.sub(f.i64(k.tap_count), tap))
            start, length = f.mul(tap, run), f.mul(tap_count, run)
        step = f.i64(k.a_step)
        if plan.packs_a:
            taps, tap_count, run = f.module.constant_array(I64, [0]), f.i64(1), length
            step = f.i64(plan.packed_row)
        else:
            taps = self._taps("taps", tap, tap_count, k.a_strides, k.a_step)
        b_taps = taps
        if plan.reads_lines:
            b_taps = self._taps("b_taps", tap, tap_count, k.b_strides, k.b_step)
        return _KBlock(start, length, taps, b_taps, tap_count, run, step, accumulate, last)

    def _taps(self, region: str, first: Value, count: Value, outer: Sizes, step: int) -> Value:
        """Return the table of an operand's offsets for the taps of a block."""
        f, k = self.f, self.plan.k
        sizes, strides = (*k.sizes, k.pieces), (*outer, k.piece * step)
        if not self.plan.runtime_taps:
            return f.gep(self._constant_offsets(sizes, strides), first, I64)
        fill_table(f, self.part[region], first, count, sizes, strides)
        return self.part[region]

    # -- panels and tiles ---------------------------------------------------------------------

    def _panel(self, at: _Operands, block: _Block, panel: _Range) -> None:
        """Write the loop over the tiles of one panel."""
        f, plan, rows = self.f, self.plan, block.rows
        before = f.mul(f.sub(panel.start, block.lines.start), f.i64(plan.width))
        b = self._b_arguments(at, block, panel, before)
        kernels = self._kernels(panel)

        def more(state: list[Value]) -> Value:
            return f.compare("icmp slt", state[0], rows.stop)

        with f.while_(more, [rows.start]) as tiles:
            row = tiles.carried[0]
            count = self._tile_rows(f.sub(rows.stop, row))
            sums = self._sums(rows, row, before)
            tile = FinishedTile(row, count, panel.start, sums)
            self.finisher.ask_ahead(at.batch, tile, block.k.last)
            self._call(kernels, tile.count, [
                *self._a_arguments(at, block, row), *b, *self._ahead(at, block, panel, row),
                tile.sums, f.i64(plan.panel), block.k.accumulate,
            ])  # fmt: skip
            if not plan.streams:
                self.finisher.finish(at.batch, tile, block.k.last)
            tiles.carry = [f.add(row, tile.count)]

    def _sums(self, rows: _Range, row: Value, before: Value) -> Value:
        """Return where the sums of a panel's tile begin: one tile after the other, unless kept."""
        f, plan, sums = self.f, self.plan, self.part["sums"]
        if not plan.keeps_sums:
            return sums
        sums = f.gep(sums, f.mul(before, f.i64(plan.row_block)), self.element)
        return f.gep(sums, f.mul(f.sub(row, rows.start), f.i64(plan.panel)), self.element)

    def _finish(self, at: _Operands, rows: _Range, lines: _Range) -> None:
        """Write the epilogue of a block, row by row."""
        f, plan = self.f, self.plan
        with (
            f.loop(rows.start, rows.stop) as row,
            f.loop(lines.start, lines.stop, plan.vectors) as panel,
        ):
            before = f.mul(f.sub(panel.index, lines.start), f.i64(plan.width))
            sums = self._sums(rows, row.index, before)
            tile = FinishedTile(row.index, f.i64(1), panel.index, sums)
            self.finisher.finish(at.batch, tile, None)

    def _a_arguments(self, at: _Operands, block: _Block, row: Value) -> list[Value]:
        """Return what the kernel for the tile at a row is told of A."""
        f, plan, k = self.f, self.plan, block.k
        inside = f.sub(row, block.rows.start)
        base = at.a
        if plan.packs_a:
            base = f.gep(self.part["a"], inside, self.element)
            rows = f.module.constant_array(I64, list(range(plan.rows)))
        elif plan.runtime_rows:
            rows = f.gep(self.part["rows"], inside, I64)
        else:
            rows = f.gep(self._constant_offsets(self.c.m, self.c.a.free), row, I64)
        return [base, rows, k.taps, k.tap_count, k.run, k.a_step]

    def _b_arguments(
        self, at: _Operands, block: _Block, panel: _Range, before: Value
    ) -> list[Value]:
        """Return what kernels for a panel are told of B; `before` columns of the block precede."""
        f, plan, k = self.f, self.plan, block.k
        if plan.reads_lines:
            lines = self._lines_table(block, panel.start)
            return [at.b, lines, k.b_taps, f.i64(plan.k.b_step)]
        if plan.source == "matrix":
            step = f.i64(self.c.b.k[-1] if self.c.k else 0)
            column = column_of(f, plan.lines, panel.start)
            first = affine(f, column, self.c.n, self.c.b.free)
            place = f.add(f.mul(k.start, step), first)
            return [f.gep(at.b, place, self.element), step]
        width = f.mul(vectors_of(f, plan, panel.start), f.i64(plan.width))
        if plan.source == "packed":
            place = f.add(f.mul(before, f.i64(self.c.depth)), f.mul(k.start, width))
        else:
            place = f.mul(before, k.length)
        return [f.gep(self.part["b"], place, self.element), width]

    def _ahead(self, at: _Operands, block: _Block, panel: _Range, row: Value) -> list[Value]:
        """Return what the tile at a row is to ask for of the next panel: each has a part.

        Where nothing is foreseen, it is what is near already.
        """
        f, plan, k = self.f, self.plan, block.k
        if plan.reads_lines:
            return []
        if not plan.foresees:
            return [at.a]
        last = f.i64(plan.lines.count - plan.vectors)
        following = f.minimum(f.add(panel.start, f.i64(plan.vectors)), last)
        column = affine(f, column_of(f, plan.lines, following), self.c.n, self.c.b.free)
        rows = f.i64(min(plan.row_block, self.c.rows))
        done = f.udiv(f.mul(f.sub(row, block.rows.start), k.length), rows)
        part = f.mul(f.add(k.start, done), f.i64(plan.panel))
        return [f.gep(at.b, f.add(column, part), self.element)]

    def _kernels(self, panel: _Range) -> Value:
        """Return the table of kernels, by rows, for a panel."""
        f, plan = self.f, self.plan

        def table(vectors: int) -> Value:
            tiles = [Tile(self.c.dtype, r + 1, vectors, plan.kind) for r in range(plan.rows)]
            return f.module.function_table([tile.declare(f.module) for tile in tiles])

        if not plan.tail_vectors:
            return table(plan.vectors)
        full = f.compare("icmp slt", panel.start, f.i64(plan.lines.count - plan.tail_vectors))
        return f.select(full, table(plan.vectors), table(plan.tail_vectors))

    def _tile_rows(self, left: Value) -> Value:
        """Return the rows of the next tile; the last are near-equal, since thin ones are weak."""
        f, most = self.f, self.plan.rows
        if left.text.isdigit():
            return f.i64(next_rows(int(left.text), most))
        table = f.module.constant_array(I64, [next_rows(n, most) for n in range(3 * most + 1)])
        index = f.minimum(left, f.i64(3 * most))
        return f.load(f.gep(table, index, I64), I64, 8, constant=True)

    def _call(self, kernels: Value, rows: Value, arguments: list[Value]) -> None:
        """Call the kernel for a tile of that many rows."""
        f = self.f
        place = f.gep(kernels, f.sub(rows, f.i64(1)), PTR)
        kernel = f.load(place, PTR, 8, constant=True)
        f.raw(f"call void {kernel.text}({', '.join(map(str, arguments))})")


def _offset(flat: int, sizes: Sizes, strides: Sizes) -> int:
    """Return the element offset of a flat index."""
    total = 0
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        flat, index = divmod(flat, size)
        total += index * stride
    return total


def next_rows(left: int, most: int) -> int:
    """Return the rows of the next tile of `left`: the last three tiles are near-equal."""
    if left >= 3 * most:
        return most
    tiles = max(1, -(-left // most))
    return -(-left // tiles)
