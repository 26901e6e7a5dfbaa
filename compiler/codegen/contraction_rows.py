"""How rows and columns fall into tiles: what is left of a block or of a thread's share."""

from __future__ import annotations

from collections.abc import Callable

from .contraction_plan import Plan
from .emitter import I64, Function, Value

THINNEST = 4  # rows of a tile that keeps the multipliers busy


def possible_rows(plan: Plan, choose: Callable[[int, int], int]) -> frozenset[int]:
    """Return the rows that tiles can have, whatever the threads; choose(left, most) decides."""
    count, unit = plan.c.rows, plan.row_unit if plan.split == "rows" else plan.c.rows
    if unit < plan.rows < count:  # any number of rows may be left
        return frozenset(range(1, plan.rows + 1))
    shares = {*range(unit, count + 1, unit), *range(count, 0, -unit)}
    found = set()
    for block in {min(share, plan.row_block) for share in shares} | {
        share % plan.row_block for share in shares
    }:
        left = block
        while left > 0:
            rows = choose(left, plan.rows)
            found.add(rows)
            left -= rows
    return frozenset(found)


def next_rows(left: int, most: int) -> int:
    """Return the rows of the next tile of `left`: the last three tiles are near-equal."""
    if left >= 3 * most:
        return most
    tiles = max(1, -(-left // most))
    return -(-left // tiles)


def whole_first(left: int, most: int) -> int:
    """Return the rows of the next tile of `left`: the most, but that the last would be thin."""
    if left <= most:
        return left
    return most if left - most >= THINNEST else -(-left // 2)


def next_tile(f: Function, left: Value, most: int, choose: Callable[[int, int], int]) -> Value:
    """Write what finds the rows of the next tile of `left`, as choose(left, most) decides."""
    if left.text.isdigit():
        return f.i64(choose(int(left.text), most))
    table = f.module.constant_array(I64, [choose(n, most) for n in range(3 * most + 1)])
    index = f.minimum(left, f.i64(3 * most))
    return f.load(f.gep(table, index, I64), I64, 8, constant=True)


def whole_tiles(plan: Plan) -> int:
    """Return how many tiles of the first block of rows are whole, where whole ones come first."""
    left, found = min(plan.row_block, plan.c.rows), 0
    while left and whole_first(left, plan.rows) == plan.rows:
        left, found = left - plan.rows, found + 1
    return found


def whole_lines(plan: Plan) -> int:
    """Return the lines, from the first on, that lie in whole panels of whole vectors."""
    lines = plan.lines
    whole = lines.count if not lines.tail else lines.inner // lines.lanes
    return whole // plan.vectors * plan.vectors
