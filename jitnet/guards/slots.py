"""The attributes that an instance keeps in __slots__."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Slots(Mapping[str, Any]):
    """The attributes that an instance keeps in __slots__, as a mapping."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._names = frozenset(name for base in type(owner).__mro__ for name in _slots_of(base))

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        try:
            return getattr(self._owner, name)
        except AttributeError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if hasattr(self._owner, name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if not name.startswith("__"))
