"""A tensor's shape, and the count of writes into its memory."""

from __future__ import annotations

from typing import Any


class Size(tuple):  # type: ignore[type-arg]
    """A tensor's shape: a tuple with a printed name."""

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements."""
        count = 1
        for size in self:
            count *= size
        return count

    def __repr__(self) -> str:
        return f"jitnet.Size({list(self)})"

    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, key)
        return Size(found) if isinstance(found, tuple) else found

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))


class Counter:
    """How often a tensor's memory was written; a base and its views share one.

    lent: other libraries may hold the memory, too, and write into it without counting.
    home: the base of those who view it, after the one they had took other memory (`.data = ...`).
    unseen: how many of the writes went through `.data`, which autograd is not to notice.
    """

    __slots__ = ("count", "home", "lent", "unseen")

    def __init__(self, count: int = 0, lent: bool = False) -> None:
        self.count = count
        self.lent = lent
        self.home: Any = None
        self.unseen = 0

    @property
    def version(self) -> int:
        """How many writes autograd notices."""
        return self.count - self.unseen


def stamp(counter: Counter, apart: Counter | None) -> int:
    """Return a number that moves with every write after which a tensor's saved value is stale.

    apart: counts the writes through this tensor if `.data` gave it.
    """
    seen = counter.count - counter.unseen  # version, without a call: each op that is recorded asks
    return seen if apart is None else seen + apart.count
