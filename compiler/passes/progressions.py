"""Which elements of a value something reads: of each dim, an ascending progression of indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import gcd

Part = tuple[range, ...]


@cache
def whole(shape: tuple[int, ...]) -> Part:
    """Return all elements of a shape."""
    return tuple(map(range, shape))


def shape_of(part: Part) -> tuple[int, ...]:
    """Return the sizes of a part."""
    return tuple(map(len, part))


def both(one: Part, other: Part) -> Part:
    """Return a part that has all of two parts."""
    return tuple(map(_joined, one, other))


def _joined(one: range, other: range) -> range:
    if one == other:
        return one
    start, last = min(one.start, other.start), max(one[-1], other[-1])
    steps = [each.step for each in (one, other) if len(each) > 1]
    return range(start, last + 1, gcd(*steps, abs(one.start - other.start)))


def within(part: Part, larger: Part) -> Part:
    """Return where the elements of a part are in a larger part that has them."""
    found = []
    for wanted, present in zip(part, larger, strict=True):
        start, last = present.index(wanted.start), present.index(wanted[-1])
        step = present.index(wanted[1]) - start if len(wanted) > 1 else 1
        found.append(range(start, last + 1, step))
    return tuple(found)


def reshaped(part: Part, shape: tuple[int, ...], old_shape: tuple[int, ...]) -> tuple[Part, Part]:
    """Return a part of a value of `shape`, and the same elements of it as `old_shape`.

    Dims whose elements are no progressions in the other shape become whole in both.
    """
    new, old = list(whole(shape)), list(whole(old_shape))
    for here, there in _groups(shape, old_shape):
        sizes = [old_shape[dim] for dim in there]
        flat = _flat([part[dim] for dim in here], [shape[dim] for dim in here])
        pieces = None if flat is None else _split(flat, sizes)
        if pieces is None:
            continue
        for dim in here:
            new[dim] = part[dim]
        for dim, piece in zip(there, pieces, strict=True):
            old[dim] = piece
    return tuple(new), tuple(old)


def _groups(a: Sequence[int], b: Sequence[int]) -> Iterator[tuple[range, range]]:
    """Yield which dims of two shapes, of as many elements, have the same elements: fewest first."""
    i = j = 0
    while i < len(a) or j < len(b):
        first, other = i, j
        m = n = 1
        while i == first or j == other or m != n:
            if (m <= n and i < len(a)) or j == len(b):
                m, i = m * a[i], i + 1
            else:
                n, j = n * b[j], j + 1
            if i == len(a) and j == len(b):
                break
        yield range(first, i), range(other, j)


def _flat(part: Sequence[range], sizes: Sequence[int]) -> range | None:
    """Return the flat indices of a part; None if they are no progression."""
    flat = range(1)
    for inner, size in zip(part, sizes, strict=True):
        start, stop = flat.start * size + inner.start, flat[-1] * size + inner[-1] + 1
        if len(flat) == 1 or flat.step * size == len(inner) * inner.step:
            flat = range(start, stop, inner.step)
        elif len(inner) == 1:
            flat = range(start, stop, flat.step * size)
        else:
            return None
    return flat


def _split(flat: range, sizes: Sequence[int]) -> list[range] | None:
    """Return the part that has these flat indices; None if there is none."""
    part: list[range] = []
    for size in reversed(sizes[1:]):
        first, last, offset = flat.start // size, flat[-1] // size, flat.start % size
        if len(flat) == 1 or first == last:
            inner, outer = range(offset, flat[-1] % size + 1, flat.step), range(first, first + 1)
        elif flat.step % size == 0:
            inner, outer = range(offset, offset + 1), range(first, last + 1, flat.step // size)
        elif size % flat.step == 0 and offset < flat.step and flat[-1] % size + flat.step >= size:
            inner, outer = range(offset, size, flat.step), range(first, last + 1)
        else:
            return None
        part.insert(0, inner)
        flat = outer
    return [flat, *part] if sizes else []
