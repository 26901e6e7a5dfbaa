"""Adds up the lanes of several vectors at once: each addition halves two of them to one."""

from __future__ import annotations

from collections.abc import Sequence

from .emitter import Function, Value


def lane_sums(f: Function, vectors: Sequence[Value], size: int) -> Value:
    """Return a vector whose lane i is the sum of all lanes of vectors[i]; others are spare.

    There are at most as many vectors as lanes, which have `size` bytes. Neighbouring lanes of 128
    bits are added first, then neighbouring 128 bits: in this order for any number of vectors.
    """
    lanes = vectors[0].lanes
    assert 1 <= len(vectors) <= lanes, f"{len(vectors)} vectors of {lanes} lanes"
    left = list(vectors)
    while len(left) & (len(left) - 1):  # not yet a power of two
        left.append(left[-1])
    left, unit = _added(f, left, 1, min(lanes, 16 // size))
    left, _ = _added(f, left, unit, left[0].lanes)
    return left[0]


def _added(f: Function, vectors: list[Value], unit: int, block: int) -> tuple[list[Value], int]:
    """Add neighbouring units within each block until a sum takes one; return the block's length.

    That is shorter at the end where there were too few vectors to fill it with sums.
    """
    parts = block // unit  # over which each sum is spread
    while parts > 1:
        if len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [_neighbours(f, a, b, unit, block) for a, b in pairs]
        else:
            vectors, block = [_neighbours(f, vectors[0], None, unit, block)], block // 2
        parts //= 2
    return vectors, block


def _neighbours(f: Function, a: Value, b: Value | None, unit: int, block: int) -> Value:
    """Return the sums of neighbouring units: in each block those of a, then those of b."""
    halves = []
    for first in (0, unit):
        picks: list[int] = []
        for start in range(0, a.lanes, block):
            units = range(start + first, start + block, 2 * unit)
            here = [at + lane for at in units for lane in range(unit)]
            picks += here if b is None else [*here, *(a.lanes + lane for lane in here)]
        halves.append(f.shuffle(a, b, picks))
    return f.fadd(*halves)
