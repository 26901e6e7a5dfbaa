"""What takes the place of Python's own values while a function is traced a second time.

The first trace tells which numbers and lists a function changes. If another trace follows them, a
call changes them as the function does, however often: a number by a Count, a list by a Log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import CompileError
from .appending import Log
from .assigned import ListEnd, ListInside, Setting, WholeList, entry
from .counting import Count, Number
from .watches import Computed, Watch

Place = tuple[int, Any]


@dataclass(frozen=True)
class Wishes:
    """Which entries a trace follows, and which it must not follow."""

    follow: frozenset[Place] = frozenset()
    leave: frozenset[Place] = frozenset()

    def also(self, places: frozenset[Place]) -> Wishes:
        """Return the wishes to follow more."""
        return replace(self, follow=self.follow | places)

    def given_up(self) -> Wishes:
        """Return the wishes to follow nothing of what is followed."""
        return Wishes(leave=self.leave | self.follow)


class Following:
    """The stand-ins of one trace."""

    def __init__(self, wishes: Wishes | None = None) -> None:
        self._wishes = wishes or Wishes()
        self._numbers: dict[Place, Number] = {}
        self._floats: dict[Place, tuple[Any, Any, str]] = {}
        self._logs: dict[int, Log] = {}
        self.float_of: Callable[[Any, Any], Any] = entry  # traced, which each call reads anew
        self._swapped: list[tuple[Watch, Any, Any, Any]] = []  # watch, key, before, stand-in

    def stand_in(self, watch: Watch, entries: Iterable[tuple[Any, Any]]) -> None:
        """Put stand-ins in the place of those entries of a watch that are followed."""
        if not self._wishes.follow or watch.entries() is None:
            return
        for key, value in list(entries):
            made: Any = None
            if type(value) is int and watch.place(key) in self._wishes.follow:
                number = Number(watch.entries(), key, watch.label(key), value)
                self._numbers[watch.place(key)] = number
                made = Count.of(number)
            elif type(value) is float and watch.place(key) in self._wishes.follow:
                self._floats[watch.place(key)] = watch.entries(), key, watch.label(key)
                made = self.float_of(watch.entries(), key)
            elif type(value) is list and _place_of_list(value) in self._wishes.follow:
                made = self._logs.setdefault(id(value), Log(value))
            if made is not None:
                watch.put_back(key, made)
                self._swapped.append((watch, key, value, made))

    def settle(self) -> None:
        """Put back what was not set; CompileError for a number that is used and changes always."""
        for watch, key, before, made in self._swapped:
            now = entry(watch.entries(), key)
            if now is made:
                watch.put_back(key, before)
            elif type(made) is Count and type(now) is Count:
                for number in made.numbers & now.numbers:
                    _check_use(number)
        for log in self._logs.values():
            if log.was_read:  # an error, as for any other list
                log.owner[:] = log.everything()

    def wanted(self, settings: Sequence[Setting]) -> frozenset[Place]:
        """Return the entries that another trace should follow."""
        places = {_place_of(setting) for setting in settings}
        return frozenset(place for place in places if place is not None) - self._wishes.follow

    def has(self, setting: Setting) -> bool:
        """Whether a stand-in took an entry's place."""
        place = setting.watch.place(setting.key)
        return place in self._numbers or place in self._floats

    def is_lost(self, setting: Setting) -> bool:
        """Whether an entry changes at each call, in a way that calls cannot repeat."""
        place = _place_of(setting)
        if isinstance(setting.entries, WholeList):
            return place in self._wishes.follow | self._wishes.leave
        return place in self._wishes.leave

    def filled(self) -> Iterator[tuple[ListEnd | ListInside, list[Any]]]:
        """Yield where calls put new elements into lists, and what the function put there."""
        for log in self._filled():
            place = ListInside if log.was_cleared else ListEnd
            yield place(*self._holder(log)), log.added()

    def _filled(self) -> Iterator[Log]:
        """Yield the lists that calls fill without a look at what is in them."""
        for log in self._logs.values():
            if not log.was_read and (log.was_cleared or log.added()):
                yield log

    def _holder(self, log: Log) -> tuple[Any, Any]:
        """Return the entry that holds a list, if it is one alone; else the list, held by itself."""
        holders = [(watch, key) for watch, key, _, made in self._swapped if made is log]
        if len(holders) == 1:
            return holders[0][0].entries(), holders[0][1]
        return (log.owner,), 0

    def free(self) -> Iterator[tuple[Watch, Any]]:
        """Yield the entries that may hold any list, as it is only filled."""
        for log in self._filled():
            entries, _ = self._holder(log)
            for watch, key, _, made in self._swapped:
                if made is log and watch.entries() is entries:
                    yield watch, key

    def drops(self, watch: Watch) -> bool:
        """Whether calls fill the list that is watched, and nothing else matters of it."""
        return any(log.owner is watch.owner for log in self._filled())

    def follows(self, setting: Setting) -> bool:
        """Whether an entry is a number that is followed, and its value is not used."""
        place = setting.watch.place(setting.key)
        number = self._numbers.get(place)
        return place in self._floats or (number is not None and number.used_at is None)

    def guards(self) -> list[Watch]:
        """Return guards of the answers that followed numbers gave."""
        found: list[Watch] = []
        for entries, key, path in self._floats.values():
            found.append(_guard(entries, key, path))
        for watch, key in self.free():
            found.append(_guard(watch.entries(), key, watch.label(key)))
        for number in self._numbers.values():
            found.append(_guard(number.entries, number.key, number.path))
            for ask, _ in number.answers:
                found.append(Computed(ask, f"a comparison of {number.path}", False))
        return found


def _guard(entries: Any, key: Any, path: str) -> Watch:
    """Return a guard of what type an entry is."""
    return Computed(lambda: type(entry(entries, key)).__name__, f"the type of {path}", False)


def _place_of_list(owner: list[Any]) -> Place:
    return id(owner), list


def _place_of(setting: Setting) -> Place | None:
    """Return the place of a number that changes, or of a list that grows; None for others."""
    before, after = setting.before, setting.after
    if isinstance(setting.entries, WholeList):
        grows = len(after) > len(before)
        if grows and all(a is b for a, b in zip(before, after, strict=False)):
            return _place_of_list(setting.entries.owner)
    elif type(before) is type(after) and type(before) in (int, float):
        return setting.watch.place(setting.key)
    return None


def _check_use(number: Number) -> None:
    if number.used_at is not None:
        raise CompileError(
            f"the function changes {number.path} (was {number.value}) and uses its value at "
            f"{number.used_at}: each call would be compiled anew; count in a tensor "
            "(steps.add_(1)), or outside"
        )
