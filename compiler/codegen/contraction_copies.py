"""Writes the copies of blocks of A, K-major, so that the rows of a tile lie side by side.

Where A is far away, tiles copy: while they multiply one block, they copy the next one, which takes
them far less than it takes alone, for the multipliers do not wait for it. What they copy is a
guess, since the rows that a thread claims next may be others. So it is written down; a block that
nobody has copied is copied before its tiles.
"""

from __future__ import annotations

from collections.abc import Mapping

from .contraction_affine import affine
from .contraction_blocks import Block, KBlock
from .contraction_plan import Plan
from .emitter import I64, Function, Value, vector
from .team import Range
from .tiles_ahead import AHEAD_LINES, CACHE_LINE

NOBODY = -1  # the first row of a block that is none


class RowPacker:
    """Writes the packing of A; part: where in a thread's scratch its blocks are, and the note."""

    def __init__(self, f: Function, plan: Plan, part: Mapping[str, Value]) -> None:
        self.f = f
        self.plan = plan
        self.element = plan.c.dtype.llvm
        self.panels = part["a"]
        note = part["copied"]  # first row and first step of what tiles have copied; where it is
        self.row, self.step, self.place = (f.gep(note, f.i64(field), I64) for field in range(3))

    def begin(self) -> None:
        """Note that nothing is copied: of another matrix, the same rows would be others."""
        if self.plan.copies_a:
            self.f.store(self.f.i64(NOBODY), self.row, 8)
            self.f.store(self.f.i64(0), self.place, 8)

    def pack(self, a: Value, rows: Range, k: KBlock) -> Value:
        """Return where a block of A is packed, after packing it unless tiles have done that."""
        f = self.f
        if not self.plan.copies_a:
            self._pack(a, self.panels, rows, k)
            return self.panels
        place = f.binary("xor", f.load(self.place, I64, 8), f.i64(1))
        f.store(place, self.place, 8)
        to = self._at(place)
        other_row = f.compare("icmp ne", f.load(self.row, I64, 8), rows.start)
        other_step = f.compare("icmp ne", f.load(self.step, I64, 8), k.start)
        with f.when(f.binary("or", other_row, other_step)):
            self._pack(a, to, rows, k)
        row, step = next_block(f, rows, k)
        whole = f.compare("icmp sle", f.add(row, f.i64(self._lines)), f.i64(self.plan.c.rows))
        f.store(f.select(whole, row, f.i64(NOBODY)), self.row, 8)
        f.store(step, self.step, 8)
        return to

    def copying(self, a: Value, block: Block, tile: Range, panel: Value) -> list[Value]:
        """Return what the tile of a panel is told to copy: its share of the steps of the next."""
        f, plan, size = self.f, self.plan, self.plan.c.dtype.size
        row, start = next_block(f, block.rows, block.k)
        length = self._length(block.k)
        whole = f.compare("icmp sle", f.add(row, f.i64(self._lines)), f.i64(plan.c.rows))
        steps = f.select(whole, length, f.i64(0))
        tiles = _rounded_up(f, f.sub(block.rows.stop, block.rows.start), plan.rows)
        panels = _rounded_up(f, f.sub(block.lines.stop, block.lines.start), plan.vectors)
        before = _rounded_up(f, f.sub(tile.start, block.rows.start), plan.rows)
        done = f.udiv(f.sub(panel, block.lines.start), f.i64(plan.vectors))
        number = f.add(f.mul(done, tiles), before)
        all_tiles = f.mul(panels, tiles)
        share = f.udiv(f.add(steps, f.sub(all_tiles, f.i64(1))), all_tiles)
        first = f.minimum(f.mul(number, share), steps)
        count = f.minimum(share, f.sub(steps, first))
        run = block.k.run
        every = f.maximum(f.udiv(run, f.maximum(count, f.i64(1))), f.i64(1))
        parts = f.udiv(f.add(run, f.sub(every, f.i64(1))), every)
        each = f.udiv(f.add(count, f.sub(parts, f.i64(1))), parts)
        at = f.add(row, f.mul(f.add(start, first), f.i64(plan.k.a_step)))
        other = self._at(f.binary("xor", f.load(self.place, I64, 8), f.i64(1)))
        to = f.gep(other, f.mul(first, f.i64(plan.packed_row)), self.element)
        return [
            f.gep(a, at, self.element),
            f.i64(plan.k.a_step * size),
            to,
            f.i64(plan.packed_row * size),
            each,
            count,
            every,
        ]

    @property
    def _lines(self) -> int:
        """Elements of each step that tiles copy: whole cache lines."""
        return AHEAD_LINES * CACHE_LINE // self.plan.c.dtype.size

    def _at(self, place: Value) -> Value:
        """Return where the first or the second of two blocks begins."""
        elements = self.plan.k.longest * self.plan.packed_row
        return self.f.gep(self.panels, self.f.mul(place, self.f.i64(elements)), self.element)

    def _length(self, k: KBlock) -> Value:
        """Return the steps of the block of K after one."""
        f, plan = self.f, self.plan
        if k.last is None:
            return k.length
        following = f.select(k.last, f.i64(0), f.add(k.start, k.length))
        left = f.sub(f.i64(plan.c.depth), following)
        return f.minimum(left, f.i64(plan.k.longest))

    def _pack(self, a: Value, to: Value, rows: Range, k: KBlock) -> None:
        """Copy a block of A: packed_row elements a step."""
        f, plan, size, lanes = self.f, self.plan, self.plan.c.dtype.size, self.plan.lines.lanes
        source = f.gep(a, rows.start, self.element)
        count = f.sub(rows.stop, rows.start)
        whole = f.mul(f.udiv(count, f.i64(lanes)), f.i64(lanes))
        with f.loop(f.i64(0), k.length) as step:
            along_k = affine(f, f.add(k.start, step.index), plan.c.k, plan.c.a.k)
            line = f.gep(source, along_k, self.element)
            place = f.gep(to, f.mul(step.index, f.i64(plan.packed_row)), self.element)
            for start, stop, width in ((f.i64(0), whole, lanes), (whole, count, 1)):
                with f.loop(start, stop, width) as at:
                    type_ = vector(self.element, width)
                    value = f.load(f.gep(line, at.index, self.element), type_, size)
                    f.store(value, f.gep(place, at.index, self.element), size)


def next_block(f: Function, rows: Range, k: KBlock) -> tuple[Value, Value]:
    """Return the first row and the first step along K of the block that is computed next."""
    if k.last is None:
        return rows.stop, f.i64(0)
    row = f.select(k.last, rows.stop, rows.start)
    return row, f.select(k.last, f.i64(0), f.add(k.start, k.length))


def _rounded_up(f: Function, count: Value, unit: int) -> Value:
    return f.udiv(f.add(count, f.i64(unit - 1)), f.i64(unit))
