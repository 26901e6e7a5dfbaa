"""Writes the copies that put operands of a contraction in the order in which tiles read them.

B goes to panels of `panel` columns, one row for each step along K, the last panel padded with
zeros; A, where it is copied at all, becomes K-major so that the rows of a tile lie side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod

from .contraction_form import Sizes, merged
from .contraction_lines import column_of
from .contraction_plan import Plan
from .emitter import I64, Function, Value, vector

PackB = Callable[[Function, Value, Value, Value, int], Value]


def affine(f: Function, flat: Value, sizes: Sizes, strides: Sizes) -> Value:
    """Return the element offset of a flat index over dims with these strides."""
    total = f.i64(0)
    dims = list(zip(sizes, strides, strict=True))
    while dims:
        size, stride = dims.pop()
        index = f.urem(flat, f.i64(size)) if dims else flat
        total = f.add(total, f.mul(index, f.i64(stride)))
        flat = f.udiv(flat, f.i64(size))
    return total


def fill_table(
    f: Function, table: Value, first: Value, count: Value, sizes: Sizes, strides: Sizes
) -> None:
    """Write the offsets of `count` flat indices, the first being `first`, to a table of i64."""
    with f.loop(f.i64(0), count) as entry:
        offset = affine(f, f.add(first, entry.index), sizes, strides)
        f.store(offset, f.gep(table, entry.index, I64), 8)


def narrower(lanes: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut `count` columns into (first column, vector width), widths falling: 26 is 16 + 8 + 2."""
    at, width = 0, lanes
    while at < count:
        while width > count - at:
            width //= 2
        yield at, width
        at += width


def transpose(f: Function, rows: Sequence[Value]) -> list[Value]:
    """Transpose a square of as many vectors as each has lanes, by shuffles only."""
    lanes = len(rows)
    size = 4 if rows[0].element == "float" else 8
    inside = min(lanes, 16 // size)
    rows = list(rows)
    for first in range(0, lanes, inside):
        rows[first : first + inside] = _transpose_inside(f, rows[first : first + inside])
    distance = inside
    while distance < lanes:
        for index in range(lanes):
            if index & distance:
                continue
            low, high = rows[index], rows[index + distance]
            picks = [
                lane if not lane & distance else lanes + lane - distance for lane in range(lanes)
            ]
            rows[index] = f.shuffle(low, high, picks)
            rows[index + distance] = f.shuffle(low, high, [pick + distance for pick in picks])
        distance *= 2
    return rows


def _transpose_inside(f: Function, rows: Sequence[Value]) -> list[Value]:
    """Transpose within each 128 bits: 4 vectors of 32-bit elements or 2 of 64-bit ones."""
    lanes = rows[0].lanes

    def unpack(a: Value, b: Value, width: int, high: bool) -> Value:
        group = 4 if len(rows) == 4 else 2
        picks: list[int] = []
        for start in range(0, lanes, group):
            half = range(start + (group // 2 if high else 0), start + group, width)
            for at in list(half)[: max(1, group // 2 // width)]:
                picks += [at + lane for lane in range(width)]
                picks += [lanes + at + lane for lane in range(width)]
        return f.shuffle(a, b, picks)

    if len(rows) == 2:
        return [unpack(rows[0], rows[1], 1, high) for high in (False, True)]
    a, b, c, d = rows
    low = unpack(a, b, 1, False), unpack(c, d, 1, False)
    high = unpack(a, b, 1, True), unpack(c, d, 1, True)
    return [unpack(x, y, 2, part) for x, y in (low, high) for part in (False, True)]


@dataclass(frozen=True)
class _Panel:
    """A panel, or a part as wide as some of its vectors, that is to be filled."""

    to: Value
    width: Value  # elements between its rows
    k: Value  # flat, of its first row
    count: Value  # rows


class PanelPacker:
    """Writes the packing of B's panels."""

    def __init__(self, f: Function, plan: Plan, b: Value, batch: Value, hook: PackB | None) -> None:
        self.f = f
        self.plan = plan
        self.b = b
        self.batch = batch
        self.hook = hook
        self.element = plan.c.dtype.llvm
        self.size = plan.c.dtype.size
        self.walk = self._walk()

    def pack(self, destination: Value, first: Value, stop: Value, k: Value, count: Value) -> None:
        """Pack vectors first..stop (first begins a panel) of `count` steps along K from k on.

        Panels follow one another; rows of a panel are as wide as the vectors in it.
        """
        f, plan, lanes = self.f, self.plan, self.plan.lines.lanes
        with f.loop(first, stop, plan.vectors) as panel:
            here = f.minimum(f.i64(plan.vectors), f.sub(f.i64(plan.lines.count), panel.index))
            width = f.mul(here, f.i64(lanes)) if plan.tail_vectors else f.i64(plan.panel)
            place = f.mul(f.mul(f.sub(panel.index, first), f.i64(lanes)), count)
            to = f.gep(destination, place, self.element)
            if plan.lines.outer > 1:
                self._separate(_Panel(to, width, k, count), panel.index, here)
            else:
                self._whole_or_last(_Panel(to, width, k, count), panel.index)

    def _whole_or_last(self, panel: _Panel, first: Value) -> None:
        """Pack a panel of one n dim: all of its columns together; the last may have fewer."""
        f, plan, lines = self.f, self.plan, self.plan.lines
        column = f.mul(first, f.i64(lines.lanes))
        left = lines.inner % plan.panel
        full = f.compare("icmp sle", f.add(column, f.i64(plan.panel)), f.i64(lines.inner))
        if lines.inner >= plan.panel:
            with self._if(full, always=not left):
                self._columns(panel, column, plan.panel)
        if left:
            narrow = f.compare("icmp sgt", f.add(column, f.i64(plan.panel)), f.i64(lines.inner))
            with self._if(narrow, always=lines.inner < plan.panel):
                self._columns(panel, column, left)

    def _separate(self, panel: _Panel, first: Value, vectors: Value) -> None:
        """Pack each vector of a panel by itself: neighbours need not be neighbours in memory."""
        f, lines = self.f, self.plan.lines
        with f.loop(f.i64(0), vectors) as v:
            line = f.add(first, v.index)
            chunk = f.urem(line, f.i64(lines.chunks))
            column = column_of(f, lines, line)
            to = f.gep(panel.to, f.mul(v.index, f.i64(lines.lanes)), self.element)
            part = replace(panel, to=to)
            last = f.compare("icmp eq", chunk, f.i64(lines.chunks - 1))
            if lines.inner >= lines.lanes:
                other = f.compare("icmp ne", chunk, f.i64(lines.chunks - 1))
                with self._if(other, always=not lines.tail):
                    self._columns(part, column, lines.lanes)
            if lines.tail:
                with self._if(last, always=lines.chunks == 1):
                    self._columns(part, column, lines.tail)

    @contextmanager
    def _if(self, condition: Value, always: bool) -> Iterator[None]:
        if always:
            yield
            return
        with self.f.when(condition):
            yield

    def _columns(self, panel: _Panel, column: Value, columns: int) -> None:
        """Pack neighbouring columns, in whatever way suits B's strides."""
        if self.hook is None and self._along_k():
            self._transposed(panel, column, columns)
        elif self.hook is not None or self.plan.c.b.free[-1:] == (1,):
            self._by_rows(panel, column, columns)
        else:
            self._by_elements(panel, column, columns, self.f.i64(0))

    def _walk(self) -> list[Sizes]:
        """Return (size, stride of B, rows of the panel between) of each K dim, in reading order.

        Where all of K is packed at once, the dim with the smallest stride is read fastest.
        """
        c, at_once = self.plan.c, self.plan.source == "packed" and self.hook is None
        rows = [prod(c.k[index + 1 :]) for index in range(len(c.k))]
        dims = list(zip(c.k, c.b.k, rows, strict=True))
        if at_once:
            dims.sort(key=lambda dim: -abs(dim[1]))
        return merged(dims)

    def _along_k(self) -> bool:
        """Whether B's elements are adjacent along the whole of K, in reading order."""
        runs = merged((size, stride) for size, stride, _ in self.walk)
        return [run[1] for run in runs] == [1] and self.plan.c.b.free[-1:] != (1,)

    def _row(self, panel: _Panel, step: Value) -> Value:
        """Return the address of the row of a panel for a step in reading order."""
        f = self.f
        sizes, _, rows = zip(*self.walk, strict=True) if self.walk else ((), (), ())
        row = affine(f, step, sizes, rows) if len(self.walk) > 1 and self._permuted() else step
        return f.gep(panel.to, f.mul(row, panel.width), self.element)

    def _permuted(self) -> bool:
        """Whether reading order is not the order of rows."""
        rows = [dim[2] for dim in self.walk]
        return rows != sorted(rows, reverse=True)

    def _source(self, k: Value, column: Value) -> Value:
        """Return the address of B at a step in reading order and a flat column."""
        f, c = self.f, self.plan.c
        sizes, strides, _ = zip(*self.walk, strict=True) if self.walk else ((), (), ())
        along_k = affine(f, k, sizes, strides)
        at = f.gep(self.b, affine(f, column, c.n, c.b.free), self.element)
        return f.gep(at, along_k, self.element)

    def _by_rows(self, panel: _Panel, column: Value, columns: int) -> None:
        """Copy row by row, in vectors along the columns; or store what the hook computes."""
        f = self.f
        with f.loop(f.i64(0), panel.count) as step:
            row = self._cleared_row(panel, step.index, columns)
            k = f.add(panel.k, step.index)
            for at, lanes in narrower(self.plan.lines.lanes, columns):
                value = self._piece(k, f.add(column, f.i64(at)), lanes)
                f.store(value, f.gep(row, f.i64(at), self.element), self.size)

    def _cleared_row(self, panel: _Panel, step: Value, columns: int) -> Value:
        """Return a row of a panel, its last vector zero where the columns do not fill it."""
        f, lanes = self.f, self.plan.lines.lanes
        row = self._row(panel, step)
        if columns % lanes:
            zero = f.const(vector(self.element, lanes), 0.0)
            f.store(zero, f.gep(row, f.i64(columns // lanes * lanes), self.element), self.size)
        return row

    def _piece(self, k: Value, column: Value, lanes: int) -> Value:
        """Return `lanes` neighbouring columns of one row of B."""
        if self.hook is not None:
            return self.hook(self.f, self.batch, k, column, lanes)
        return self.f.load(self._source(k, column), vector(self.element, lanes), self.size)

    def _transposed(self, panel: _Panel, column: Value, columns: int) -> None:
        """Copy squares, read along K and transposed in registers; the last few steps singly."""
        f, lanes = self.f, self.plan.lines.lanes
        whole = f.mul(f.udiv(panel.count, f.i64(lanes)), f.i64(lanes))
        zero = f.const(vector(self.element, lanes), 0.0)
        for first in range(0, columns, lanes):
            used = min(lanes, columns - first)
            sources = [
                self._source(panel.k, f.add(column, f.i64(first + lane))) for lane in range(used)
            ]
            with f.loop(f.i64(0), whole, lanes) as step:
                rows = [
                    f.load(f.gep(source, step.index, self.element), zero.type, self.size)
                    for source in sources
                ]
                for index, row in enumerate(transpose(f, rows + [zero] * (lanes - used))):
                    place = self._row(panel, f.add(step.index, f.i64(index)))
                    f.store(row, f.gep(place, f.i64(first), self.element), self.size)
        self._by_elements(panel, column, columns, whole)

    def _by_elements(self, panel: _Panel, column: Value, columns: int, start: Value) -> None:
        """Copy element by element, whatever the strides, from a step on."""
        f = self.f
        if start.text == panel.count.text:
            return
        with f.loop(start, panel.count) as step:
            row = self._cleared_row(panel, step.index, columns)
            k = f.add(panel.k, step.index)
            with f.loop(f.i64(0), f.i64(columns)) as lane:
                source = self._source(k, f.add(column, lane.index))
                value = f.load(source, self.element, self.size)
                f.store(value, f.gep(row, lane.index, self.element), self.size)


def pack_rows(
    f: Function, plan: Plan, a: Value, to: Value, row: Value, rows: Value, k: Value, count: Value
) -> None:
    """Copy a block of A whose rows are adjacent in memory, K-major: packed_row elements a step."""
    c, element, size, lanes = plan.c, plan.c.dtype.llvm, plan.c.dtype.size, plan.lines.lanes
    source = f.gep(a, row, element)
    whole = f.mul(f.udiv(rows, f.i64(lanes)), f.i64(lanes))
    with f.loop(f.i64(0), count) as step:
        along_k = affine(f, f.add(k, step.index), c.k, c.a.k)
        line = f.gep(source, along_k, element)
        place = f.gep(to, f.mul(step.index, f.i64(plan.packed_row)), element)
        for start, stop, width in ((f.i64(0), whole, lanes), (whole, rows, 1)):
            with f.loop(start, stop, width) as at:
                type_ = vector(element, width)
                value = f.load(f.gep(line, at.index, element), type_, size)
                f.store(value, f.gep(place, at.index, element), size)
