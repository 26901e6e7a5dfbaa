"""Tiles of one row that read whole columns, each from its beginning to its end.

A vector times a matrix uses each weight once, and reading it is what takes the time. Columns that
lie along K, as those of a layer's transposed weights do, are read one after the other, so that a
thread's share of B is one long run. Lanes run along K and are added up at the end of a column.
"""

from __future__ import annotations

from .emitter import Function, Module, Value, vector
from .masks import lane_mask, masked_load
from .math import horizontal
from .microkernels import COLUMN_ARGUMENTS, Tile, entry, fused, put

BYTES_AHEAD = 8192  # of B that is asked for before it is read: memory answers after some 100 lines
CHAINS = 4  # sums of a column that take turns, since each addition waits for the one before it


def emit_columns(module: Module, tile: Tile) -> None:
    """Write a tile kernel that reads one column of B after the other."""
    f = Function(module, tile.name(module.target), COLUMN_ARGUMENTS, internal=False)
    a, rows, taps, _, run, _, b, b_step, count, c, _, accumulate = f.args
    element = tile.dtype.llvm
    first = f.add(entry(f, rows, f.i64(0)), entry(f, taps, f.i64(0)))
    row = f.gep(a, first, element)
    with f.loop(f.i64(0), count) as column:
        source = f.gep(b, f.mul(column.index, b_step), element)
        total = horizontal(f, "add", _products(f, tile, row, source, run), tile.dtype)
        put(f, [total], [f.gep(c, column.index, element)], tile.dtype.size, accumulate)
    f.finish()


def _products(f: Function, tile: Tile, row: Value, column: Value, run: Value) -> Value:
    """Return a vector of partial sums of the products of a row and a column."""
    element, size = tile.dtype.llvm, tile.dtype.size
    lanes = f.target.lanes(size)
    type_ = vector(element, lanes)
    turn = f.i64(CHAINS * lanes)
    whole = f.mul(f.udiv(run, turn), turn)
    zeros = [f.const(type_, 0.0)] * CHAINS
    with f.loop(f.i64(0), whole, CHAINS * lanes, carried=zeros, may_be_empty=True) as k:
        for chain, total in enumerate(k.carried):
            at = f.add(k.index, f.i64(chain * lanes))
            place = f.gep(column, at, element)
            f.prefetch(f.gep(place, f.i64(BYTES_AHEAD)))
            value = f.load(f.gep(row, at, element), type_, size)
            k.carry.append(fused(f, value, f.load(place, type_, size), total))
    with f.loop(whole, run, lanes, carried=[_in_pairs(f, k.results)], may_be_empty=True) as k:
        some = lane_mask(f, lanes, f.minimum(f.i64(lanes), f.sub(run, k.index)))
        value, weight = (
            masked_load(f, f.gep(pointer, k.index, element), some, type_, size)
            for pointer in (row, column)
        )
        k.carry = [fused(f, value, weight, k.carried[0])]
    return k.results[0]


def _in_pairs(f: Function, sums: list[Value]) -> Value:
    """Return the sum of vectors, neighbours first."""
    while len(sums) > 1:
        sums = [f.fadd(one, other) for one, other in zip(sums[::2], sums[1::2], strict=True)]
    return sums[0]
