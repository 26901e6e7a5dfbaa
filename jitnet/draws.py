"""Notices draws from NumPy's generators: a trace would make them once, for all calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import CompileError

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
        self._add("np.random", np.random.get_state, np.random.set_state)

    def note(self, generator: Any, path: str) -> None:
        """Remember the state of a generator that was reached, before code can draw from it."""
        if isinstance(generator, np.random.RandomState):
            self._add(path, generator.get_state, generator.set_state)
            return
        bits = generator.bit_generator
        self._add(path, lambda **_: bits.state, lambda state: setattr(bits, "state", state))

    def _add(self, name: str, read: Callable[..., Any], write: Callable[[Any], None]) -> None:
        self._sources.append(_Source(name, lambda: read(legacy=False), write, read(legacy=False)))

    def check(self) -> None:
        """Raise CompileError if the trace drew from a generator, or seeded it."""
        for source in self._sources:
            if not _same(source.before, source.read()):
                raise CompileError(
                    f"the function draws from {source.name}, which would give one and the same "
                    "number in every call; draw with jitnet (jitnet.rand), or outside and pass it"
                )

    def restore(self) -> None:
        """Put the states back that the trace changed."""
        for source in self._sources:
            if not _same(source.before, source.read()):
                source.write(source.before)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return all(_same(value, after[key]) for key, value in before.items())
    return bool(np.array_equal(before, after))
