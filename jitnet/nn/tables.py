"""Dicts that bump the epoch when they change: where modules and optimizers keep what they hold."""

from __future__ import annotations

from typing import Any, TypeVar

from . import epoch

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """A dict whose every mutation bumps the epoch."""

    def __setitem__(self, key: K, value: V) -> None:
        epoch.bump()
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        epoch.bump()
        super().__delitem__(key)

    def __ior__(self, other: Any) -> Table[K, V]:  # type: ignore[override,misc]
        self.update(other)
        return self

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set many items, as dict.update."""
        epoch.bump()
        super().update(*args, **kwargs)

    def pop(self, *args: Any) -> Any:
        """Take an item out, as dict.pop."""
        epoch.bump()
        return super().pop(*args)

    def popitem(self) -> tuple[K, V]:
        """Take the last item out, as dict.popitem."""
        epoch.bump()
        return super().popitem()

    def setdefault(self, key: K, default: Any = None) -> Any:
        """Return an item, set to `default` if it is absent."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Take every item out."""
        epoch.bump()
        super().clear()
