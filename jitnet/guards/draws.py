"""Notices draws from NumPy's generators: a trace would make them once, for all calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CompileError

State = dict[str, Any]


@dataclass(frozen=True)
class _Source:
    """A generator and its state before the trace."""

    name: str
    read: Callable[[], State]
    write: Callable[[State], None]
    before: State


class Draws:
    """The generators that a traced function can reach, NumPy's global one among them."""

    def __init__(self) -> None:
        self._sources: list[_Source] = []
        self._knows_numpy = False  # its global one, which nothing can reach until it is loaded
        if _has_generators():
            self.note_numpy()

    @staticmethod
    def is_generator(value: Any) -> bool:
        """Tell whether numbers can be drawn from a value."""
        kinds = (np.random.Generator, np.random.RandomState) if _has_generators() else ()
        return isinstance(value, kinds)

    def note_numpy(self) -> None:
        """Remember the state of NumPy's global generator: code is about to run that may use it."""
        if not self._knows_numpy:
            self._knows_numpy = True
            self._add("np.random", np.random.get_state, np.random.set_state)

    def note(self, generator: Any, path: str) -> None:
        """Remember the state of a generator that was reached, before code can draw from it."""
        if isinstance(generator, np.random.RandomState):
            self._add(path, generator.get_state, generator.set_state)
            return
        bits = generator.bit_generator
        self._add(path, lambda **_: bits.state, lambda state: setattr(bits, "state", state))

    def _add(
        self,
        name: str,
        read: Callable[..., Any],
        write: Callable[[Any], None],
        before: State | None = None,
    ) -> None:
        before = before or read(legacy=False)
        self._sources.append(_Source(name, lambda: read(legacy=False), write, before))

    def check(self) -> None:
        """Raise CompileError if the trace drew from a generator, or seeded it."""
        self._add_loaded()
        for source in self._sources:
            if not _same(source.before, source.read()):
                raise CompileError(
                    f"the function draws from {source.name}, which would give one and the same "
                    "number in every call; draw with jitnet (jitnet.rand), or outside and pass it"
                )

    def restore(self) -> None:
        """Put the states back that the trace changed."""
        self._add_loaded()
        for source in self._sources:
            if not _same(source.before, source.read()):
                source.write(source.before)

    def _add_loaded(self) -> None:
        """If the trace has loaded np.random unseen, compare with the state that it began with."""
        if not self._knows_numpy and _has_generators():
            self._knows_numpy = True
            seeds = np.random.get_bit_generator().seed_seq  # None once somebody has seeded it
            fresh = np.random.RandomState(np.random.MT19937(seeds)).get_state(legacy=False)
            self._add("np.random", np.random.get_state, np.random.set_state, fresh)


def _has_generators() -> bool:
    """Tell whether np.random has been loaded, which takes 5 ms that most programs need not."""
    return "random" in vars(np)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return all(_same(value, after[key]) for key, value in before.items())
    return bool(np.array_equal(before, after))
