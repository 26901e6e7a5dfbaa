"""Objects that hold an array in a slot: what native code must know of their class.

The runtime knows no Tensor. Whoever has such a class says which slot is what; native code reads
and makes instances by the slots' offsets, Python by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .instruction import ABSENT, Place
from .layout import LAYOUT_KNOWN, address_of, slot_offsets

# What a slot of a holder is, in the order of the table that native code gets.
ROLES = (
    "array",
    "base",  # the holder whose memory this one shows; None: it is its own
    "counter",  # an object that counts writes into the memory
    "gradient",  # another holder, or None
    "wants_gradient",
    "history",
    "hooks",
    "origin",  # the holder whose history this one follows, or None
    "origin_history",  # the origin's history when this one's was last made
)
COUNTER_SLOTS = (
    "count",
    "lent",  # whether others may write into the memory, and not count it
    "unseen",  # how many of the writes leave what others keep of the memory valid
)
OFFSETS = {role.upper(): 8 * number for number, role in enumerate((*ROLES, *COUNTER_SLOTS))}


class Holder:
    """A class of holders: the names of the slots by role, and the class of their counters.

    A counter has the slots COUNTER_SLOTS.
    """

    def __init__(self, kind: type, counter: type, /, **slots: str) -> None:
        assert set(slots) == set(ROLES)
        self.kind = kind
        self.counter = counter
        self.slots = slots

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Where instances keep each slot; names without places where the layout is unknown."""
        if LAYOUT_KNOWN:
            return slot_offsets(self.kind)
        names = self.kind.__slots__  # type: ignore[attr-defined]
        return {name: 0 for name in names if not name.startswith("__")}

    @cached_property
    def counter_offsets(self) -> tuple[int, ...]:
        """Where counters keep COUNTER_SLOTS."""
        offsets = slot_offsets(self.counter) if LAYOUT_KNOWN else dict.fromkeys(COUNTER_SLOTS, 0)
        return tuple(offsets[name] for name in COUNTER_SLOTS)

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """The offsets of ROLES, and those of a counter's slots."""
        places = [self.offsets[self.slots[role]] for role in ROLES]
        return np.array([*places, *self.counter_offsets], np.int64)

    def __repr__(self) -> str:
        return self.kind.__name__

    def place(self, role: str) -> Place:
        """Return where instances keep the slot of a role."""
        name = self.slots[role]
        return Place(self.offsets[name], name)

    def get(self, holder: Any, role: str) -> Any:
        """Return what a holder keeps in the slot of a role."""
        return getattr(holder, self.slots[role])


class Pattern:
    """A holder that others are made like: they share all that it keeps but array and counter."""

    def __init__(self, holder: Holder, sample: Any) -> None:
        self.holder = holder
        self.sample = sample
        self._counter = holder.counter()
        own = {holder.slots["array"], holder.slots["counter"]}
        self._shared = [name for name in holder.offsets if name not in own]

    def make(self, array: NDArray[Any]) -> Any:
        """Return a new holder of an array."""
        made: Any = object.__new__(self.holder.kind)
        for name in self._shared:
            setattr(made, name, getattr(self.sample, name))
        setattr(made, self.holder.slots["array"], array)
        setattr(made, self.holder.slots["counter"], self.holder.counter())
        return made

    def __repr__(self) -> str:
        return f"like a {self.holder!r}"

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """What native code needs to do the same: see `@made_like` in routine_ir.py."""
        offsets = self.holder.offsets
        shared = [offsets[name] for name in self._shared]
        return np.array(
            [
                id(self.holder.kind),
                id(self.sample),
                offsets[self.holder.slots["array"]],
                offsets[self.holder.slots["counter"]],
                address_of(self._counter_table),
                len(shared),
                *shared,
            ],
            np.int64,
        )

    @cached_property
    def _counter_table(self) -> NDArray[np.int64]:
        words = [id(self.holder.counter), id(self._counter), *self.holder.counter_offsets]
        return np.array(words, np.int64)


class Writes:
    """The writes into the memory of some holders that were counted when it was last read.

    Writes that are not counted make lent memory another each time.
    """

    def __init__(self, holder: Holder, owners: Sequence[Any]) -> None:
        self._counters = [holder.get(owner, "counter") for owner in owners]
        self._seen: Sequence[object] = [ABSENT] * len(owners)
        self.table = np.zeros(1 + 2 * len(owners), np.int64)  # how many, (counter, count) of each
        self.table[0] = len(owners)
        self.table[1::2] = list(map(id, self._counters))

    def happened(self) -> bool:
        """Whether there may have been a write since."""
        pairs = zip(self._counters, self._seen, strict=True)
        return any(counter.lent or counter.count is not seen for counter, seen in pairs)

    def read(self, reader: Callable[[], None]) -> None:
        """Let a reader read the memory, and remember the writes so far, if it does not fail.

        A write that comes meanwhile counts as one after it.
        """
        counts = [counter.count for counter in self._counters]
        reader()
        self.table[2::2] = list(map(id, counts))
        self._seen = counts

    def __repr__(self) -> str:
        return f"into {len(self._counters)}"
