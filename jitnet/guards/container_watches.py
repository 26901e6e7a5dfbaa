"""Watches of containers: all that a dict, a list, a set or a small array holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import is_
from typing import Any

import numpy as np

from jitnet.runtime import facts
from jitnet.runtime.instruction import Instruction

from .assigned import entry, kind_of, set_entry
from .plain import MISSING, brief, dotted
from .watches import Change, Watch, entries_of


class Items(Watch):
    """All of a dict: its keys, in order, and their values."""

    def __init__(self, owner: dict[Any, Any], path: str, structural: bool) -> None:
        super().__init__(owner, path, structural)
        self._free: set[Any] = set()
        self._ignored: set[Any] = set()
        self._before = dict(owner)
        self.keep(owner, owner.values())

    def ignore(self, key: Any) -> None:
        self._ignored.add(key)

    def put_back(self, key: Any, value: Any) -> None:
        set_entry(self.owner, key, value)

    def forget(self, keys: set[Any]) -> None:
        super().forget(keys)
        self._free |= keys

    def entries(self) -> Any:
        return self.owner

    def current(self) -> Sequence[Any]:
        get = self.owner.get
        return [get(key, MISSING) for key in self.keys]

    def _size(self) -> int:
        """Return how many entries there should be, those that are free as they are now."""
        return len(self.keys) + sum(key in self.owner for key in self._free)

    def holds(self) -> bool:
        return len(self.owner) == self._size() and super().holds()

    def looks(self) -> list[Instruction]:
        return entries_of(self.owner, self._size(), self.keys, self.expected)

    def changes(self) -> Any:
        yield from super().changes()
        known = {*self.keys, *self._free, *self._ignored}  # a set finds a tensor by identity
        for key in self.owner:
            if key not in known:
                yield Change(self.label(key), key, MISSING, self.owner[key])

    def label(self, key: Any) -> str:
        return f"{self.path}[{brief(key)}]"

    def settle(self, keys: set[Any]) -> None:
        """Take what the dict holds now under these keys for what it should hold."""
        super().forget(keys)
        self.keep(keys, [self.owner[key] for key in keys])

    def restore(self) -> None:
        if len(self.owner) == len(self._before) and all(
            map(is_, map(self.owner.get, self._before), self._before.values())
        ):
            return
        self.owner.clear()
        self.owner.update(self._before)


class Table(Items):
    """All of a module's parameters, buffers or submodules, which are called as attributes are."""

    def label(self, key: Any) -> str:
        return dotted(self.path, key)


class Elements(Watch):
    """All of a list or deque."""

    def __init__(self, owner: list[Any] | deque[Any], path: str) -> None:
        super().__init__(owner, path, False)
        self._before = list(owner)
        self.keep(range(len(owner)), owner)

    def entries(self) -> Any:
        return self.owner if isinstance(self.owner, list) else None

    def put_back(self, key: Any, value: Any) -> None:
        self.owner[key] = value

    def current(self) -> Sequence[Any]:
        if len(self.owner) != len(self._before):
            return []
        return [self.owner[key] for key in self.keys]

    def holds(self) -> bool:
        return len(self.owner) == len(self._before) and super().holds()

    def looks(self) -> list[Instruction]:
        if not isinstance(self.owner, list) or len(self.keys) < len(self._before):
            return super().looks()
        addresses = np.array(list(map(id, self.expected)), np.int64)
        return [facts.Elements(self.owner, addresses, len(addresses), list(self.expected))]

    def changes(self) -> Any:
        if len(self.owner) != len(self._before):
            yield Change(f"len({self.path})", None, len(self._before), len(self.owner))
            return
        yield from super().changes()

    def label(self, key: Any) -> str:
        return f"{self.path}[{key}]"

    def restore(self) -> None:
        if len(self.owner) != len(self._before) or not all(map(is_, self.owner, self._before)):
            self.owner.clear()
            self.owner.extend(self._before)


class Members(Watch):
    """All of a set."""

    def __init__(self, owner: set[Any], path: str) -> None:
        super().__init__(owner, path, False)
        self.keep([None], [frozenset(owner)])

    def current(self) -> Sequence[Any]:
        now = frozenset(self.owner)
        return self.expected if now == self.expected[0] else [now]

    def label(self, key: Any) -> str:
        return self.path

    def restore(self) -> None:
        if not self.holds():
            self.owner.clear()
            self.owner.update(self.expected[0])


class Kind(Watch):
    """The kind of what an entry was that calls set."""

    def __init__(self, entries: Any, key: Any, path: str, before: Any) -> None:
        super().__init__(entries, path, False)
        self._key = key
        self._before = before  # kept, so that ids stay its own
        self.keep([None], [kind_of(before)])

    def current(self) -> Sequence[Any]:
        return [kind_of(entry(self.owner, self._key))]

    def label(self, key: Any) -> str:
        return self.path

    def restore(self) -> None:
        """Do nothing: the entry is watched by itself."""


class Contents(Watch):
    """The elements of a small array, which Python code may have looked at one by one."""

    def __init__(self, owner: np.ndarray[Any, Any], path: str) -> None:
        super().__init__(owner, path, False)
        self._before = owner.copy()
        self.keep([None], [owner.tobytes()])

    def current(self) -> Sequence[Any]:
        return [self.owner.tobytes()]

    def label(self, key: Any) -> str:
        return f"an element of {self.path}"

    def restore(self) -> None:
        if not self.holds():
            np.copyto(self.owner, self._before)
