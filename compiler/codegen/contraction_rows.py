"""How many rows each tile has: what is left of a block or of a thread's share falls into tiles."""

from __future__ import annotations

from collections.abc import Callable

from .contraction_plan import Plan


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
