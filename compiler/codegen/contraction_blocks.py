"""The blocks into which a contraction is cut, and the tables that tell tiles where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate

from jitnet.runtime.dataclass import dataclass

from .contraction_affine import affine, column_of, fill_table, lanes_of
from .contraction_form import Sizes
from .contraction_limits import tap_classes
from .contraction_plan import Plan
from .emitter import I64, Function, Value
from .team import Range


@dataclass(frozen=True)
class KBlock:
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
class Block:
    """A block of C and of K."""

    rows: Range
    lines: Range  # of vectors of columns
    k: KBlock
    a: Value  # where A is; where it is packed, this block of it


@contextmanager
def blocks(f: Function, whole: Range, step: int) -> Iterator[Range]:
    """Loop over a range in blocks of at most step; no loop where one block is all."""
    start, stop = whole.start.text, whole.stop.text
    if start.isdigit() and stop.isdigit() and int(stop) - int(start) <= step:
        yield whole
        return
    with f.loop(whole.start, whole.stop, step) as block:
        if step == 1:
            end = f.add(block.index, f.i64(1))
        else:
            end = f.minimum(f.add(block.index, f.i64(step)), whole.stop)
        yield Range(block.index, end)


class Tables:
    """Writes the tables of offsets: constants, or filled at run time where they would be long."""

    def __init__(self, f: Function, plan: Plan, part: Mapping[str, Value]) -> None:
        self.f = f
        self.plan = plan
        self.c = plan.c
        self.part = part

    def _constant(self, sizes: Sizes, strides: Sizes) -> Value:
        """Return a constant table of the offset of every flat index."""
        offsets = [0]
        for size, stride in zip(sizes, strides, strict=True):
            offsets = [base + index * stride for base in offsets for index in range(size)]
        return self.f.module.constant_array(I64, offsets)

    def fill_rows(self, rows: Range) -> None:
        """Fill the table of row offsets where it is not a constant."""
        if self.plan.runtime_rows:
            count = self.f.sub(rows.stop, rows.start)
            fill_table(self.f, self.part["rows"], rows.start, count, self.c.m, self.c.a.free)

    def rows(self, block: Block, row: Value) -> Value:
        """Return the entry of the table of row offsets for a row."""
        f, plan = self.f, self.plan
        if plan.packs_a:
            return f.module.constant_array(I64, list(range(plan.rows)))
        if plan.runtime_rows:
            return f.gep(self.part["rows"], f.sub(row, block.rows.start), I64)
        return f.gep(self._constant(self.c.m, self.c.a.free), row, I64)

    def fill_lines(self, lines: Range) -> None:
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

    def lines(self, block: Block, line: Value) -> Value:
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

    @contextmanager
    def k_blocks(self, batch: Value) -> Iterator[KBlock]:
        """Loop over the blocks of K; where terms are limited, those that count are one block."""
        f, k = self.f, self.plan.k
        if self.c.limits:
            yield self._limited(batch)
            return
        if k.count == 1:
            yield self._k_block(f.i64(0), f.i64(0), None)
            return
        with f.loop(f.i64(0), f.i64(k.count)) as block:
            later = f.compare("icmp ne", block.index, f.i64(0))
            last = f.compare("icmp eq", block.index, f.i64(k.count - 1))
            yield self._k_block(block.index, f.convert("zext", later, I64), last)

    def _k_block(self, index: Value, accumulate: Value, last: Value | None) -> KBlock:
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
        return KBlock(start, length, taps, b_taps, tap_count, run, step, accumulate, last)

    def _limited(self, batch: Value) -> KBlock:
        """Return what tiles are told of the terms that count for a batch element."""
        f, k, found = self.f, self.plan.k, tap_classes(self.c)
        number, flat = f.i64(0), batch
        for size, adds in zip(reversed(self.c.batch), reversed(found.adds), strict=True):
            entry = f.gep(f.module.constant_array(I64, adds), f.urem(flat, f.i64(size)), I64)
            number = f.add(number, f.load(entry, I64, 8, constant=True))
            flat = f.udiv(flat, f.i64(size))
        starts = [0, *accumulate(len(taps) for taps in found.taps)]
        entry = f.gep(f.module.constant_array(I64, starts), number, I64)
        first = f.load(entry, I64, 8, constant=True)
        stop = f.load(f.gep(entry, f.i64(1), I64), I64, 8, constant=True)

        def table(strides: Sizes) -> Value:
            offsets = [_offset(tap, k.sizes, strides) for taps in found.taps for tap in taps]
            return f.gep(f.module.constant_array(I64, offsets or [0]), first, I64)

        count, run = f.sub(stop, first), f.i64(k.run)
        taps, b_taps = table(k.a_strides), table(k.b_strides)
        none, step = f.i64(0), f.i64(k.a_step)
        return KBlock(none, f.mul(count, run), taps, b_taps, count, run, step, none, None)

    def _taps(self, region: str, first: Value, count: Value, outer: Sizes, step: int) -> Value:
        """Return the table of an operand's offsets for the taps of a block."""
        f, k = self.f, self.plan.k
        sizes, strides = (*k.sizes, k.pieces), (*outer, k.piece * step)
        if not self.plan.runtime_taps:
            return f.gep(self._constant(sizes, strides), first, I64)
        fill_table(f, self.part[region], first, count, sizes, strides)
        return self.part[region]


def _offset(flat: int, sizes: Sizes, strides: Sizes) -> int:
    """Return the element offset of a flat index."""
    total = 0
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        flat, index = divmod(flat, size)
        total += index * stride
    return total
