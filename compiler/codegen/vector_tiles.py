"""Tiles of one row, which read B in long runs: column after column, or row after row.

A vector times a matrix uses each weight once, and reading it is what takes the time. Where columns
lie along K, as those of a layer's transposed weights do, they are read one after the other, so that
a thread's share of B is one run; lanes run along K and are added up at the end of a column. Where
rows lie in one piece, they are read so, and their products added to sums that stay in level 1.
"""

from __future__ import annotations

from .emitter import I64, Function, Module, Value, vector
from .masks import lane_mask
from .math import horizontal
from .microkernels import RUN_ARGUMENTS, Tile, entry, fused, part_of, put

CHAINS = 4  # sums of a column that take turns, since each addition waits for the one before it
ABREAST = 4  # vectors of a row that are added in one turn of a loop


def emit_columns(module: Module, tile: Tile) -> None:
    """Write a tile kernel that reads one column of B after the other."""
    f = Function(module, tile.name(module.target), RUN_ARGUMENTS, internal=False)
    a, rows, taps, _, run, _, b, b_step, ahead, count, c, _, accumulate = f.args
    element = tile.dtype.llvm
    first = f.add(entry(f, rows, f.i64(0)), entry(f, taps, f.i64(0)))
    row = f.gep(a, first, element)
    with f.loop(f.i64(0), count) as column:
        source = f.gep(b, f.mul(column.index, b_step), element)
        total = horizontal(f, "add", _products(f, tile, row, source, ahead, run), tile.dtype)
        put(f, [total], [f.gep(c, column.index, element)], tile.dtype.size, accumulate)
    f.finish()


def _products(
    f: Function, tile: Tile, row: Value, column: Value, ahead: Value, run: Value
) -> Value:
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
            f.prefetch(f.gep(place, ahead, element))
            value = f.load(f.gep(row, at, element), type_, size)
            k.carry.append(fused(f, value, f.load(place, type_, size), total))
    with f.loop(whole, run, lanes, carried=[_in_pairs(f, k.results)], may_be_empty=True) as k:
        some = lane_mask(f, lanes, f.minimum(f.i64(lanes), f.sub(run, k.index)))
        value, weight = (
            part_of(f, tile, f.gep(pointer, k.index, element), some) for pointer in (row, column)
        )
        k.carry = [fused(f, value, weight, k.carried[0])]
    return k.results[0]


def _in_pairs(f: Function, sums: list[Value]) -> Value:
    """Return the sum of vectors, neighbours first."""
    while len(sums) > 1:
        sums = [f.fadd(one, other) for one, other in zip(sums[::2], sums[1::2], strict=True)]
    return sums[0]


def emit_rows(module: Module, tile: Tile) -> None:
    """Write a tile kernel that reads one row of B after the other.

    Sums begin as far behind a cache line as B does, so that vectors of both lie in one line each.
    The first and the last vector of a row reach beyond it: there nothing is added, to sums that
    nobody reads.
    """
    f = Function(module, tile.name(module.target), RUN_ARGUMENTS, internal=False)
    a, rows, taps, _, run, a_step, b, b_step, ahead, count, c, _, accumulate = f.args
    element, size = tile.dtype.llvm, tile.dtype.size
    lanes = f.target.lanes(size)
    before = f.udiv(f.urem(f.convert("ptrtoint", c, I64), f.i64(lanes * size)), f.i64(size))
    back = f.sub(f.i64(0), before)
    sums, stop = f.gep(c, back, element), f.add(before, count)
    with (
        f.loop(accumulate, f.i64(1), may_be_empty=True),
        f.loop(f.i64(0), stop, lanes) as column,
    ):
        zero = f.const(vector(element, lanes), 0.0)
        f.store(zero, f.gep(sums, column.index, element), size)
    at = f.add(entry(f, rows, f.i64(0)), entry(f, taps, f.i64(0)))
    with f.loop(f.i64(0), run, carried=[f.gep(b, back, element), at]) as k:
        row, at = k.carried
        factor = f.splat(f.load(f.gep(a, at, element), element, size), lanes)
        _add_row(f, tile, factor, row, ahead, sums, before, stop)
        k.carry = [f.gep(row, b_step, element), f.add(at, a_step)]
    f.finish()


def _add_row(
    f: Function,
    tile: Tile,
    factor: Value,
    row: Value,
    ahead: Value,
    sums: Value,
    start: Value,
    stop: Value,
) -> None:
    """Add a factor times a row to sums: of both, what lies from start, in the first vector, on."""
    element, size = tile.dtype.llvm, tile.dtype.size
    lanes = f.target.lanes(size)

    def add(at: Value, mask: Value | None) -> None:
        place, place_of_sum = f.gep(row, at, element), f.gep(sums, at, element)
        f.prefetch(f.gep(place, ahead, element))
        weights = part_of(f, tile, place, mask)
        total = f.load(place_of_sum, weights.type, size)
        f.store(fused(f, factor, weights, total), place_of_sum, size)

    skipped = lane_mask(f, lanes, start)
    kept = f.binary("xor", skipped, f.const(skipped.type, True))
    add(f.i64(0), f.binary("and", kept, lane_mask(f, lanes, stop)))
    whole = f.mul(f.udiv(stop, f.i64(lanes)), f.i64(lanes))
    turn = f.i64(ABREAST * lanes)
    turns = f.udiv(f.maximum(f.sub(whole, f.i64(lanes)), f.i64(0)), turn)
    rest = f.add(f.mul(turns, turn), f.i64(lanes))
    with f.loop(f.i64(lanes), rest, ABREAST * lanes, may_be_empty=True) as column:
        for vector_ in range(ABREAST):
            add(f.add(column.index, f.i64(vector_ * lanes)), None)
    with f.loop(rest, whole, lanes, may_be_empty=True) as column:
        add(column.index, None)
    with f.loop(f.maximum(whole, f.i64(lanes)), stop, lanes, may_be_empty=True) as column:
        add(column.index, lane_mask(f, lanes, f.sub(stop, column.index)))
