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
