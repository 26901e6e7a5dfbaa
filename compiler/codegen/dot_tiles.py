"""Tiles whose lanes run along K in both operands, which are read in place.

Nothing is packed, but lanes are to be added up: those of 16 sums together (lane_sums.py), in 27
cycles. So these tiles are for few rows or columns with long sums: the weights of a convolution with
few channels, or a layer's outputs for a small batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from .contraction_affine import narrower
from .emitter import I64, Function, Module, Value
from .lane_sums import lane_sums
from .masks import lane_mask
from .microkernels import DOT_ARGUMENTS, Tile, entry, fused, part_of, put, zeros


def emit_dots(module: Module, tile: Tile) -> None:
    """Write a kernel for a number of tiles side by side, which share their rows."""
    f = Function(module, tile.name(module.target), DOT_ARGUMENTS, internal=False)
    a, rows, taps, tap_count, run, _, b, columns, panels, b_taps, _, c, c_step, accumulate = f.args
    element = tile.dtype.llvm
    pointers = [f.gep(a, entry(f, rows, f.i64(row)), element) for row in range(tile.rows)]
    with f.loop(f.i64(0), panels, may_be_empty=True) as panel:
        first = f.mul(panel.index, f.i64(tile.vectors))
        table = f.gep(columns, f.mul(first, f.i64(2)), I64)
        offsets = [entry(f, table, f.i64(2 * column)) for column in range(tile.vectors)]
        sources = [f.gep(b, offset, element) for offset in offsets]
        with f.loop(f.i64(0), tap_count, carried=zeros(f, tile)) as tap:
            starts = [entry(f, each, tap.index) for each in (taps, b_taps)]
            tap.carry = _run(f, tile, pointers, sources, starts, run, tap.carried)
        _write_sums(f, tile, tap.results, f.gep(c, first, element), c_step, accumulate)
    f.finish()


def _run(
    f: Function,
    tile: Tile,
    rows: Sequence[Value],
    columns: Sequence[Value],
    starts: Sequence[Value],
    run: Value,
    sums: Sequence[Value],
) -> list[Value]:
    """Write the multiply-adds along one run of K, the last of them masked; return the sums."""
    element, lanes = tile.dtype.llvm, f.target.lanes(tile.dtype.size)
    whole = f.mul(f.udiv(run, f.i64(lanes)), f.i64(lanes))
    for first, stop in ((f.i64(0), whole), (whole, run)):
        with f.loop(first, stop, lanes, carried=list(sums), may_be_empty=True) as k:
            at, b_at = (f.add(start, k.index) for start in starts)
            some = lane_mask(f, lanes, f.sub(run, k.index)) if stop is run else None
            line = [part_of(f, tile, f.gep(column, b_at, element), some) for column in columns]
            for row, pointer in enumerate(rows):
                value = part_of(f, tile, f.gep(pointer, at, element), some)
                part = k.carried[row * tile.vectors : (row + 1) * tile.vectors]
                k.carry += [fused(f, value, x, y) for x, y in zip(line, part, strict=True)]
        sums = k.results
    return list(sums)


def _write_sums(
    f: Function, tile: Tile, sums: Sequence[Value], c: Value, c_step: Value, accumulate: Value
) -> None:
    """Add up the lanes of each sum; store the totals in C, or add them to it."""
    element, size = tile.dtype.llvm, tile.dtype.size
    lanes = f.target.lanes(size)
    totals, places = [], []
    for column, width in narrower(min(lanes, 16 // size), tile.vectors):
        for first in range(0, tile.rows, lanes // width):
            rows = range(first, min(first + lanes // width, tile.rows))
            together = [
                sums[row * tile.vectors + at]
                for row in rows
                for at in range(column, column + width)
            ]
            found = lane_sums(f, together, size)
            for index, row in enumerate(rows):
                picks = range(index * width, (index + 1) * width)
                totals.append(f.shuffle(found, None, picks))
                at = f.add(f.mul(f.i64(row), c_step), f.i64(column))
                places.append(f.gep(c, at, element))
    put(f, totals, places, size, accumulate)
