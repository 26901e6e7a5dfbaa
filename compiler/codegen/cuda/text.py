"""Python source as it grows: lines, their depth, names that are not taken yet."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

INDENT = "    "


class Source:
    """The lines of one function."""

    def __init__(self, depth: int = 1) -> None:
        self.lines: list[str] = []
        self._declared = 0
        self._depth = depth

    def declare(self, line: str) -> None:
        """Put one statement before all others but those put there earlier."""
        self.lines.insert(self._declared, INDENT + line)
        self._declared += 1

    def add(self, line: str) -> None:
        """Append one statement."""
        self.lines.append(INDENT * self._depth + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Append `head:`, and what is added inside one step deeper."""
        self.add(f"{head}:")
        before = len(self.lines)
        self._depth += 1
        yield
        if len(self.lines) == before:
            self.add("pass")
        self._depth -= 1

    @contextmanager
    def block_if(self, tests: Sequence[str]) -> Iterator[None]:
        """Append a test that all of `tests` hold; none where there is nothing to test."""
        if not tests:
            yield
            return
        with self.block(f"if {' and '.join(tests)}"):
            yield


class Names:
    """Identifiers of one function; each wish is granted once, then with a number."""

    def __init__(self, taken: tuple[str, ...] = ()) -> None:
        self._taken = set(taken)

    def new(self, wish: str) -> str:
        """Return the wish, or the wish with the first free number behind it."""
        plain = identifier(wish)
        name, number = plain, 1
        while name in self._taken:
            number += 1
            name = f"{plain}_{number}"
        self._taken.add(name)
        return name


def identifier(text: str) -> str:
    """Return text with what no identifier may hold replaced."""
    plain = re.sub(r"\W+", "_", text).strip("_") or "x"
    return f"_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) else plain
