"""Races: two threads touch the same bytes, one writes, and nothing puts them in order.

Each access has a stamp: the block, how many barriers the block has met, the warp, how many
barriers of its own the warp has met, and the lane. What one thread did before a barrier comes
before what others of the block do after it. Blocks are in no order.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

# Bits of a stamp, from the lowest: lane 5, barriers of the warp 13, warp 5, barriers of the
# block 13, block 27. So the highest bit in which two stamps differ says how they differ.
_LANE, _MEETINGS, _WARP, _BARRIERS = 5, 18, 23, 36
MOST_BARRIERS = 1 << (_MEETINGS - _LANE)


def stamp(block: Array, barriers: Array, warp: Array, meetings: Array, lane: Array) -> Array:
    """Return stamps of accesses."""
    return (
        (block.astype(np.int64) << _BARRIERS)
        | (barriers.astype(np.int64) << _WARP)
        | (warp.astype(np.int64) << _MEETINGS)
        | (meetings.astype(np.int64) << _LANE)
        | lane
    )


def unordered(a: Array, b: Array) -> Array:
    """Whether accesses with these stamps are in no order; not so if one thread made both."""
    x = a ^ b
    across_blocks = x >= 1 << _BARRIERS
    across_warps = (x >= 1 << _MEETINGS) & (x < 1 << _WARP)
    return across_blocks | across_warps | ((x > 0) & (x < 1 << _LANE))


class Hazards:
    """Who last wrote each cell of some bytes, and two who read it.

    Of the reads so far, two are kept: the last, and one that is in no order with it, if there is
    one. Whatever a write is in no order with, it is in no order with one of these.
    """

    def __init__(self, cells: int, size: int) -> None:
        self._size = size
        self._writer = np.zeros(cells, np.int64)
        self._reader = np.zeros(cells, np.int64)
        self._other = np.zeros(cells, np.int64)

    def _cells(self, at: Array, size: int, stamps: Array) -> tuple[Array, Array]:
        each = max(size // self._size, 1)
        cells = (at // self._size)[:, None] + np.arange(each)
        return cells.ravel(), np.repeat(stamps, each)

    def _lanes(self, found: Array, size: int) -> Array:
        """Return which accesses the cells belong to that are in no order."""
        return np.flatnonzero(found) // max(size // self._size, 1)

    def read(self, at: Array, size: int, stamps: Array, first: int) -> Array:
        """Note reads; return which are in no order with a write.

        first: the first block of this launch: what others did is over.
        """
        cells, mine = self._cells(at, size, stamps)
        oldest = first << _BARRIERS
        writer = self._writer[cells]
        bad = (writer >= oldest) & unordered(writer, mine)
        before, other = self._reader[cells], self._other[cells]
        self._reader[cells] = mine
        last = self._reader[cells]
        kept = np.where((other >= oldest) & unordered(other, last), other, last)
        kept = np.where((before >= oldest) & unordered(before, last), before, kept)
        self._other[cells] = kept
        beside = unordered(mine, last)
        self._other[cells[beside]] = mine[beside]
        return self._lanes(bad, size)

    def write(self, at: Array, size: int, stamps: Array, first: int) -> Array:
        """Note writes; return which are in no order with a read or a write."""
        cells, mine = self._cells(at, size, stamps)
        oldest = first << _BARRIERS
        bad = np.zeros(len(cells), bool)
        for table in (self._writer, self._reader, self._other):
            found = table[cells]
            bad |= (found >= oldest) & unordered(found, mine)
        self._writer[cells] = mine
        bad |= unordered(self._writer[cells], mine)
        return self._lanes(bad, size)
