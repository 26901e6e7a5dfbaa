"""Guards: what a variant was told about Python's state, and whether it still holds."""

from __future__ import annotations

from collections.abc import Iterable

from . import capture
from .nn import epoch
from .plain import brief, is_plain
from .watches import Change, Items, Names, Watch


class Guards:
    """The watches of one variant."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        watches = [watch for watch in watches if watch.keys or isinstance(watch, (Names, Items))]
        self.watches = tuple(watches)
        self._always = [(watch.probe(), watch) for watch in watches if not watch.structural]
        self._structural = tuple(watch for watch in watches if watch.structural)
        self._epoch = epoch.current, capture.structure

    def hold(self) -> bool:
        """Whether Python's state is as it was when the variant was traced."""
        for probe, watch in self._always:
            if not probe() and not self._still_holds(watch):
                return False
        now = epoch.current, capture.structure
        if now == self._epoch:
            return True
        for watch in self._structural:
            if not watch.holds():
                return False
        self._epoch = now
        return True

    def _still_holds(self, watch: Watch) -> bool:
        """Look closely at a watch whose quick probe failed; if it holds, let the probe learn it."""
        if not watch.holds():
            return False
        self._always = [(each.probe(), each) for _, each in self._always]
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
