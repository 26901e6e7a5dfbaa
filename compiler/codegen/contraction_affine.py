"""Writes the arithmetic of indices: offsets of flat indices, the columns of lines, tables."""

from __future__ import annotations

from collections.abc import Iterator

from .contraction_form import Sizes
from .contraction_plan import Lines, Plan
from .emitter import I64, Function, Value


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


def column_of(f: Function, lines: Lines, line: Value) -> Value:
    """Return the flat column at which a line begins."""
    if lines.outer == 1:
        return f.mul(line, f.i64(lines.lanes))
    row = f.mul(f.udiv(line, f.i64(lines.chunks)), f.i64(lines.inner))
    return f.add(row, f.mul(f.urem(line, f.i64(lines.chunks)), f.i64(lines.lanes)))


def first_columns(lines: Lines) -> tuple[int, ...]:
    """Return the flat column at which each line begins, and the one behind the last."""
    rows = range(0, lines.outer * lines.inner, max(lines.inner, 1))
    starts = [row + first for row in rows for first in range(0, lines.inner, lines.lanes)]
    return (*starts, lines.outer * lines.inner)


def lanes_of(f: Function, lines: Lines, line: Value) -> Value:
    """Return how many columns a line has."""
    if lines.lanes == 1:
        return f.i64(1)
    before = f.mul(f.urem(line, f.i64(lines.chunks)), f.i64(lines.lanes))
    return f.minimum(f.i64(lines.lanes), f.sub(f.i64(lines.inner), before))


def vectors_of(f: Function, plan: Plan, first: Value) -> Value:
    """Return the lines of the panel that begins at `first`; only the last of all may be short."""
    if not plan.tail_vectors:
        return f.i64(plan.vectors)
    return f.minimum(f.i64(plan.vectors), f.sub(f.i64(plan.lines.count), first))
