"""Plain Python values (numbers, strings, containers of them): copied, compared, named."""

from __future__ import annotations

import enum
from typing import Any

from jitnet.runtime.instruction import ABSENT

MISSING = ABSENT  # stands for an entry that does not exist
BY_IDENTITY = object()
_SCALARS = (bool, int, float, complex, str, bytes, type(None))


def simple_copy(value: Any) -> Any:
    """Return a copy that later changes cannot reach, or BY_IDENTITY for what is no plain value."""
    kind = type(value)
    if kind in _SCALARS or isinstance(value, enum.Enum) or value is MISSING:
        return value
    if kind in (tuple, list, set, frozenset):
        items = [simple_copy(item) for item in value]
        return BY_IDENTITY if any(item is BY_IDENTITY for item in items) else kind(items)
    if kind is dict:
        values = {key: simple_copy(item) for key, item in value.items()}
        return BY_IDENTITY if any(item is BY_IDENTITY for item in values.values()) else values
    return BY_IDENTITY


def is_plain(value: Any) -> bool:
    """Whether a value is compared by what it is, not by which object it is."""
    return simple_copy(value) is not BY_IDENTITY


def same(a: Any, b: Any) -> bool:
    """Whether two plain values are of one type and equal; NaN equals NaN, 0.0 is not -0.0."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    return bool(a == b)


def brief(value: Any) -> str:
    """Return a value in few characters; objects by their type."""
    if is_plain(value):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    name = getattr(value, "__qualname__", None)
    if name:
        return str(name)
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def dotted(path: str, name: Any) -> str:
    """Return path.name; the name alone where there is no path."""
    return f"{path}.{name}" if path else str(name)
