"""Guards: what a variant was told about Python's state, and whether it still holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jitnet.runtime import facts
from jitnet.runtime.endings import ReturnThis
from jitnet.runtime.instruction import Instruction
from jitnet.runtime.routine import MISSED, Routine

from .. import capture
from ..nn import epoch
from .container_watches import Items
from .plain import brief, is_plain
from .watches import Change, Names, Watch


class Guards:
    """The watches of one variant."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        watches = [watch for watch in watches if watch.keys or isinstance(watch, (Names, Items))]
        self.watches = tuple(watches)
        self._always = tuple(watch for watch in watches if not watch.structural)
        self._structural = tuple(watch for watch in watches if watch.structural)
        self._epoch = epoch.current, capture.structure
        self._look_closely: Callable[[], Any] | None = None  # at what is structural
        self._replace: Callable[[list[Instruction]], None] | None = None

    def hold(self) -> bool:
        """Whether Python's state is as it was when the variant was traced."""
        return all(watch.holds() for watch in self._always) and self._structure_holds()

    def _structure_holds(self) -> bool:
        now = epoch.current, capture.structure
        if now != self._epoch:
            if not all(watch.holds() for watch in self._structural):
                return False
            self._epoch = now
        return True

    # -- in native code --------------------------------------------------------------------------

    def looks(self) -> list[Instruction]:
        """Return how native code tells that the guards hold, as they are now: always as many.

        If it cannot tell, `hold` has to.
        """
        found = self._looks_at_epochs()
        for watch in self._always:
            found += watch.looks()
        return found

    def _looks_at_epochs(self) -> list[Instruction]:
        modules, tensors = self._epoch
        return [
            facts.EntryOr(vars(epoch), "current", modules, self._moved),
            facts.EntryOr(vars(capture), "structure", tensors, self._moved),
        ]

    def follow(self, replace: Callable[[list[Instruction]], None]) -> None:
        """Give what puts other instructions in the place of the first of `looks`."""
        self._replace = replace

    def _moved(self) -> bool:
        """Whether the guards hold although something structural was set, here or elsewhere."""
        now = epoch.current, capture.structure
        if self._look_closely is None:
            close = [look for watch in self._structural for look in watch.looks()]
            self._look_closely = Routine([*close, ReturnThis(True)]).call()
        if self._look_closely() is MISSED:
            if not self._structure_holds():
                return False
            self._look_closely = None  # what it looks for was learned anew
        self._epoch = now
        assert self._replace is not None
        self._replace(self._looks_at_epochs())
        return True

    def first_change(self) -> Change | None:
        """Return the first thing that is not as it was; None if the guards hold."""
        for watch in self.watches:
            for change in watch.changes():
                return change
        return None

    def describe(self) -> list[str]:
        """Return one line for each guarded value that a person would call a setting."""
        lines = []
        for watch in self.watches:
            for key, value in zip(watch.keys, watch.expected, strict=True):
                if is_plain(value):
                    lines.append(f"{watch.label(key)} == {brief(value)}")
        return lines

    def __len__(self) -> int:
        return sum(len(watch.keys) for watch in self.watches)
