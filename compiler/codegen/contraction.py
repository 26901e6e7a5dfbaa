"""Writes a contraction inside a function: blocks, packing, tiles, and the caller's epilogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .contraction_form import Contraction, Operand, canonical, flops, prefers_tiles
from .contraction_packing import (
    PackB,
    PanelPacker,
    affine,
    fill_table,
    narrower,
    pack_rows,
)
from .contraction_plan import Plan, plan, scratch_bytes
from .emitter import I64, PTR, Function, Value, vector
from .microkernels import declare_tile

__all__ = [
    "Contraction",
    "Epilogue",
    "Operand",
    "PackB",
    "canonical",
    "emit_contraction",
    "flops",
    "prefers_tiles",
    "scratch_bytes",
]

Epilogue = Callable[[Function, Value, Value, Value, int, Value], None]


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
) -> None:
    """Write this thread's share of a contraction into f.

    scratch is this thread's own: scratch_bytes(c, target) bytes, 64-byte aligned.
    `epilogue(f, batch, row, column, lanes, sums)` is called for each vector of finished sums:
    `lanes` neighbouring columns of one row, all indices flat; it stores what it makes of them.
    `pack_b(f, batch, k, column, lanes)`, where given, returns `lanes` neighbouring columns of B at
    flat k, in place of a load from b; the plan is then made with packs_b=True.
    Each element is the sum of the same blocks in the same order for any number of threads.
    """
    writer = _Writer(f, plan(c, f.target, pack_b is not None), a, b, scratch, epilogue, pack_b)
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
    taps: Value  # table
    tap_count: Value
    run: Value
    a_step: Value
    accumulate: Value  # i64: 1 but for the first block
    last: Value | None  # i1: sums are final after it; None where there is one block


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
        epilogue: Epilogue,
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
        self.epilogue = epilogue
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
        columns = share("columns", c.columns, plan.panel)
        with self._blocks(share("batch", c.batches, 1), 1) as batch:
            index = batch.start
            a = self.f.gep(self.a, affine(self.f, index, c.batch, c.a.batch), self.element)
            b = self.f.gep(self.b, affine(self.f, index, c.batch, c.b.batch), self.element)
            self._columns(_Operands(index, a, b), rows, columns)

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

    def _columns(self, at: _Operands, rows: _Range, columns: _Range) -> None:
        """Write the loops over blocks of columns, of rows, and of K."""
        f, plan = self.f, self.plan
        packer = PanelPacker(f, plan, at.b, at.batch, self.pack_b)
        with self._blocks(columns, plan.column_block) as column_block:
            if plan.pack_b == "all":
                depth = f.i64(self.c.depth)
                packer.pack(self.part["b"], column_block.start, column_block.stop, f.i64(0), depth)
            with self._blocks(rows, plan.row_block) as row_block:
                self._fill_rows(row_block)
                with self._k_blocks() as k:
                    if plan.pack_b == "block":
                        packer.pack(
                            self.part["b"], column_block.start, column_block.stop, k.start, k.length
                        )
                    if plan.pack_a:
                        self._pack_a(at, row_block, k)
                    with self._blocks(column_block, plan.panel) as panel:
                        self._panel(at, row_block, column_block, k, panel)

    def _fill_rows(self, rows: _Range) -> None:
        """Fill the table of row offsets where it is not a constant."""
        if self.plan.runtime_rows:
            count = self.f.sub(rows.stop, rows.start)
            fill_table(self.f, self.part["rows"], rows.start, count, self.c.m, self.c.a.free)

    def _pack_a(self, at: _Operands, rows: _Range, k: _KBlock) -> None:
        count = self.f.sub(rows.stop, rows.start)
        pack_rows(self.f, self.plan, at.a, self.part["a"], rows.start, count, k.start, k.length)

    # -- K ------------------------------------------------------------------------------------

    @contextmanager
    def _k_blocks(self) -> Iterator[_KBlock]:
        """Loop over the blocks of K."""
        f, k = self.f, self.plan.k
        if k.count == 1:
            yield self._k_block(f.i64(0), f.i64(0), None)
            return
        with f.loop(f.i64(0), f.i64(k.count)) as block:
            first = f.compare("icmp ne", block.index, f.i64(0))
            last = f.compare("icmp eq", block.index, f.i64(k.count - 1))
            yield self._k_block(block.index, f.convert("zext", first, I64), last)

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
        if plan.pack_a:
            zero, step = f.module.constant_array(I64, [0]), f.i64(plan.packed_row)
            return _KBlock(start, length, zero, f.i64(1), length, step, accumulate, last)
        taps = self._taps(tap, tap_count)
        return _KBlock(start, length, taps, tap_count, run, f.i64(k.step), accumulate, last)

    def _taps(self, first: Value, count: Value) -> Value:
        """Return the table of A's offsets for the taps of a block."""
        f, k = self.f, self.plan.k
        if not self.plan.runtime_taps:
            return f.gep(f.module.constant_array(I64, k.offsets()), first, I64)
        sizes, strides = (*k.sizes, k.pieces), (*k.strides, k.piece * k.step)
        fill_table(f, self.part["taps"], first, count, sizes, strides)
        return self.part["taps"]

    # -- panels and tiles ---------------------------------------------------------------------

    def _panel(
        self, at: _Operands, rows: _Range, columns: _Range, k: _KBlock, panel: _Range
    ) -> None:
        """Write the loop over the tiles of one panel."""
        f, plan = self.f, self.plan
        column = panel.start
        before = f.sub(column, columns.start)
        width = self._width(column)
        if plan.pack_b == "no":
            b_step = f.i64(self.c.b.k[-1] if self.c.k else 0)
            b = f.gep(at.b, f.add(f.mul(k.start, b_step), column), self.element)
        else:
            b_step = width
            depth, skipped = (f.i64(self.c.depth), k.start)
            if plan.pack_b == "block":
                depth, skipped = k.length, f.i64(0)
            place = f.add(f.mul(before, depth), f.mul(skipped, width))
            b = f.gep(self.part["b"], place, self.element)
        sums = self.part["sums"]
        if plan.k.count > 1:
            sums = f.gep(sums, f.mul(before, f.i64(plan.row_block)), self.element)
        kernels = self._kernels(column)

        def more(state: list[Value]) -> Value:
            return f.compare("icmp slt", state[0], rows.stop)

        with f.while_(more, [rows.start]) as tiles:
            row = tiles.carried[0]
            count = self._tile_rows(f.sub(rows.stop, row))
            c = sums
            if plan.k.count > 1:
                place = f.mul(f.sub(row, rows.start), f.i64(plan.panel))
                c = f.gep(sums, place, self.element)
            self._call(kernels, count, [
                *self._a(at, rows, row), k.taps, k.tap_count, k.run, k.a_step, b, b_step,
                c, f.i64(plan.panel), k.accumulate,
            ])  # fmt: skip
            self._finish_tile(at, row, count, column, c, k)
            tiles.carry = [f.add(row, count)]

    def _width(self, column: Value) -> Value:
        """Return the columns that tiles compute of a panel: whole vectors."""
        f, plan = self.f, self.plan
        if not plan.tail:
            return f.i64(plan.panel)
        tail = f.i64(-(-plan.tail // plan.lanes) * plan.lanes)
        if plan.c.columns < plan.panel:
            return tail
        full = f.compare("icmp slt", column, f.i64(plan.c.columns - plan.tail))
        return f.select(full, f.i64(plan.panel), tail)

    def _kernels(self, column: Value) -> Value:
        """Return the table of tile kernels, by rows, for the panel at a column."""
        f, plan = self.f, self.plan

        def table(vectors: int) -> Value:
            names = [
                declare_tile(f.module, self.c.dtype, rows, vectors)
                for rows in range(1, plan.rows + 1)
            ]
            return f.module.function_table(names)

        tail = -(-plan.tail // plan.lanes)
        if not tail or plan.c.columns < plan.panel or tail == plan.vectors:
            return table(plan.vectors)
        full = f.compare("icmp slt", column, f.i64(plan.c.columns - plan.tail))
        return f.select(full, table(plan.vectors), table(tail))

    def _tile_rows(self, left: Value) -> Value:
        """Return the rows of the next tile; the last are near-equal, since thin ones are weak."""
        f, most = self.f, self.plan.rows
        if left.text.isdigit():
            return f.i64(next_rows(int(left.text), most))
        sizes = [next_rows(rows, most) for rows in range(3 * most + 1)]
        table = f.module.constant_array(I64, sizes)
        index = f.minimum(left, f.i64(3 * most))
        return f.load(f.gep(table, index, I64), I64, 8, constant=True)

    def _a(self, at: _Operands, rows: _Range, row: Value) -> tuple[Value, Value]:
        """Return the base of A and the table of row offsets for the tile at a row."""
        f, plan = self.f, self.plan
        inside = f.sub(row, rows.start)
        if plan.pack_a:
            identity = f.module.constant_array(I64, list(range(plan.rows)))
            return f.gep(self.part["a"], inside, self.element), identity
        if plan.runtime_rows:
            return at.a, f.gep(self.part["rows"], inside, I64)
        offsets = [0]
        for size, stride in zip(self.c.m, self.c.a.free, strict=True):
            offsets = [base + index * stride for base in offsets for index in range(size)]
        return at.a, f.gep(f.module.constant_array(I64, offsets), row, I64)

    def _call(self, kernels: Value, count: Value, arguments: list[Value]) -> None:
        """Call the kernel for a tile of `count` rows."""
        f = self.f
        place = f.gep(kernels, f.sub(count, f.i64(1)), PTR)
        kernel = f.load(place, PTR, 8, constant=True)
        f.raw(f"call void {kernel.text}({', '.join(map(str, arguments))})")

    def _finish_tile(
        self, at: _Operands, row: Value, count: Value, column: Value, c: Value, k: _KBlock
    ) -> None:
        """Hand the sums of a tile to the epilogue, once they are whole."""
        if k.last is None:
            self._vectors(at, row, count, column, c)
            return
        with self.f.when(k.last):
            self._vectors(at, row, count, column, c)

    def _vectors(self, at: _Operands, row: Value, count: Value, column: Value, c: Value) -> None:
        """Write the loops over the vectors of a tile, then over what is left of its columns."""
        f, plan = self.f, self.plan
        tail = list(narrower(plan.lanes, plan.tail % plan.lanes))
        full = f.minimum(f.i64(plan.panel), f.sub(f.i64(plan.c.columns), column))
        if not plan.tail:
            full = f.i64(plan.panel)
        whole = f.mul(f.udiv(full, f.i64(plan.lanes)), f.i64(plan.lanes))
        if plan.c.columns >= plan.lanes:
            with self._blocks(_Range(f.i64(0), whole), plan.lanes) as part:
                self._rows(at, row, count, column, part.start, c, plan.lanes)
        if not tail:
            return
        with self._if_tail(column):
            for first, lanes in tail:
                self._rows(at, row, count, column, f.add(whole, f.i64(first)), c, lanes)

    @contextmanager
    def _if_tail(self, column: Value) -> Iterator[None]:
        """Run a block only for the panel that is not full."""
        f, plan = self.f, self.plan
        if plan.c.columns < plan.panel:
            yield
            return
        with f.when(f.compare("icmp eq", column, f.i64(plan.c.columns - plan.tail))):
            yield

    def _rows(
        self,
        at: _Operands,
        row: Value,
        count: Value,
        column: Value,
        first: Value,
        c: Value,
        lanes: int,
    ) -> None:
        """Write the loop over a tile's rows for the vector of columns that begins at `first`."""
        f = self.f
        with f.loop(f.i64(0), count, may_be_empty=False) as r:
            place = f.add(f.mul(r.index, f.i64(self.plan.panel)), first)
            sums = f.load(f.gep(c, place, self.element), vector(self.element, lanes), self.size)
            here = f.add(row, r.index)
            self.epilogue(f, at.batch, here, f.add(column, first), lanes, sums)


def next_rows(left: int, most: int) -> int:
    """Return the rows of the next tile of `left`: the last three tiles are near-equal."""
    if left >= 3 * most:
        return most
    tiles = max(1, -(-left // most))
    return -(-left // tiles)
