"""Sizes given as one number or as one number for each spatial dim."""

from __future__ import annotations

from collections.abc import Sequence

Size = int | Sequence[int]


def spread(value: Size, count: int, name: str) -> tuple[int, ...]:
    """Return `value` as `count` ints: repeated if it is one, checked if it is a sequence."""
    if isinstance(value, int):
        return (value,) * count
    values = tuple(value)
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ValueError(f"{name} wants one int or {count} ints, got {values}")
    return values
