"""Transposes squares of elements in registers, by shuffles."""

from __future__ import annotations

from collections.abc import Sequence

from .emitter import Function, Value


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
