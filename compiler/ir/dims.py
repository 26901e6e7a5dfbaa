"""Dimensions: today an int; a symbolic dim can take its place wherever `Dim` is written."""

from __future__ import annotations

import math
from collections.abc import Iterable

Dim = int
Shape = tuple[Dim, ...]


def numel(shape: Iterable[Dim]) -> Dim:
    """Return the number of elements of a shape; 1 for a zero-dimensional one."""
    return math.prod(shape)


def contiguous_strides(shape: Shape) -> tuple[Dim, ...]:
    """Return row-major strides in elements."""
    strides: list[Dim] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def reshaped_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], new_shape: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Return the strides of shape[strides] seen as new_shape; None if memory does not allow it."""
    if 0 in shape:
        return contiguous_strides(new_shape)
    old = [(size, step) for size, step in zip(shape, strides, strict=True) if size != 1]
    chunks: list[tuple[int, int]] = []  # (elements, innermost stride), outermost first
    for size, step in old:
        if chunks and chunks[-1][1] == size * step:
            chunks[-1] = (chunks[-1][0] * size, step)
        else:
            chunks.append((size, step))
    result: list[int] = []
    room, step = chunks.pop() if chunks else (1, 1)
    for size in reversed(new_shape):
        while room == 1 and size != 1:
            if not chunks:
                return None
            room, step = chunks.pop()
        if room % size:
            return None
        result.append(step)
        room //= size
        step *= size
    return tuple(reversed(result))
