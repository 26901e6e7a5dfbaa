"""Lists that a compiled function appends to, or fills anew, and whose contents it does not read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self


class Log(list[Any]):
    """Takes a list's place while a function is traced, and notes whether it is read."""

    def __init__(self, owner: list[Any]) -> None:
        super().__init__(owner)
        self.owner = owner
        self.known = len(owner)
        self.was_read = False
        self.was_cleared = False  # and may be read from then on

    def clear(self) -> None:
        """Take all out: what is in it later is new."""
        super().clear()
        self.known, self.was_cleared = 0, True

    def added(self) -> list[Any]:
        """Return what was appended."""
        return [list.__getitem__(self, place) for place in range(self.known, list.__len__(self))]

    def everything(self) -> list[Any]:
        """Return all that the list would hold now."""
        return [list.__getitem__(self, place) for place in range(list.__len__(self))]

    def __iadd__(self, values: Iterable[Any]) -> Self:  # type: ignore[override,misc]
        self.extend(values)
        return self


def _noting(name: str) -> Any:
    """Return a list's method that notes that the list was read or changed."""
    method = getattr(list, name)

    def call(self: Log, *args: Any, **options: Any) -> Any:
        self.was_read |= not self.was_cleared
        return method(self, *args, **options)

    return call


for _name in (
    *("__add__", "__contains__", "__delitem__", "__eq__", "__ge__", "__getitem__", "__gt__"),
    *("__imul__", "__iter__", "__le__", "__len__", "__lt__", "__mul__", "__ne__", "__repr__"),
    *("__reversed__", "__rmul__", "__setitem__", "copy", "count", "index", "insert"),
    *("pop", "remove", "reverse", "sort"),
):
    setattr(Log, _name, _noting(_name))
