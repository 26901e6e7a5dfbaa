"""Writes what tiles ask for ahead, while they multiply: an operand, or what their results need.

Each part along K of a tile asks for AHEAD_LINES cache lines of an operand, so many bytes apart, or
for what is next in a list.
"""

from __future__ import annotations

from .contraction_affine import affine, column_of, vectors_of
from .contraction_blocks import Block
from .contraction_copies import next_block
from .contraction_plan import Plan
from .emitter import Function, Value
from .team import Range
from .tiles_ahead import AHEAD_EVERY, AHEAD_LINES, CACHE_LINE


def of_next_panel(
    f: Function, plan: Plan, b: Value, block: Block, panel: Value, row: Value
) -> list[Value]:
    """Return what the tile at a row asks for of the panel of B after `panel`: each has a part."""
    c = plan.c
    last = f.i64(plan.lines.count - plan.vectors)
    following = f.minimum(f.add(panel, f.i64(plan.vectors)), last)
    column = affine(f, column_of(f, plan.lines, following), c.n, c.b.free)
    rows = f.i64(min(plan.row_block, c.rows))
    done = f.udiv(f.mul(f.sub(row, block.rows.start), block.k.length), rows)
    part = f.mul(f.add(block.k.start, done), f.i64(plan.panel))
    first = f.gep(b, f.add(column, part), c.dtype.llvm)
    return [first, f.i64(CACHE_LINE), f.i64(AHEAD_LINES * CACHE_LINE)]


def of_next_rows(
    f: Function, plan: Plan, a: Value, block: Block, tile: Range, panel: Value
) -> list[Value]:
    """Return what a tile asks for of the rows of A that are next: each panel's has some.

    They are read in this block of K; after the last rows of a block, the first in the next.
    """
    c = plan.c
    row, start = tile.stop, block.k.start
    if block.k.last is not None:
        ends = f.compare("icmp sge", tile.stop, block.rows.stop)
        first, after = next_block(f, block.rows, block.k)
        row, start = f.select(ends, first, tile.stop), f.select(ends, after, start)
    row = f.add(row, f.udiv(f.mul(panel, f.i64(plan.rows)), f.i64(plan.lines.count)))
    size = c.dtype.size
    at = f.add(affine(f, row, c.m, c.a.free), f.mul(start, f.i64(plan.k.a_step)))
    return [f.gep(a, at, c.dtype.llvm), f.i64(c.a.free[-1] * size), f.i64(CACHE_LINE)]


def of_results(
    f: Function, plan: Plan, listed: Value, places: int, block: Block, tile: Range, panel: Value
) -> list[Value]:
    """Return the list of what finishing a tile touches, for the last of its calls alone.

    places: of each vector of results.  Each part along K asks for the same number.
    """
    k = block.k
    vectors = f.mul(f.sub(tile.stop, tile.start), vectors_of(f, plan, panel))
    count = f.mul(vectors, f.i64(places))
    in_run = f.udiv(f.add(k.run, f.i64(AHEAD_EVERY - 1)), f.i64(AHEAD_EVERY))
    parts = f.mul(k.tap_count, in_run)
    each = f.udiv(f.add(count, f.sub(parts, f.i64(1))), parts)
    if k.last is not None:
        each = f.select(k.last, each, f.i64(0))
    return [listed, each, f.sub(count, f.i64(1))]
