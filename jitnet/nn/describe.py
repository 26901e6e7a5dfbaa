"""How a module prints: its class, its settings, and its submodules indented below it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any


def describe(name: str, extra: str, children: Iterable[tuple[str, Any]]) -> str:
    """Return `name(extra)`, or one indented line for each child, as PyTorch prints modules."""
    rows = [f"({key}): {indent(repr(child))}" for key, child in children]
    settings = extra.split("\n") if extra else []
    if not rows and len(settings) <= 1:
        return f"{name}({extra})"
    return f"{name}(\n  " + "\n  ".join([*settings, *rows]) + "\n)"


def describe_list(name: str, items: Iterable[Any]) -> str:
    """Return one line for each item, or for several in a row that print alike."""
    rows: list[str] = []
    position = 0
    for text, alike in groupby(map(repr, items)):
        count = len(list(alike))
        last = position + count - 1
        label = f"({position})" if count == 1 else f"({position}-{last}): {count} x"
        rows.append(f"{label}: {indent(text)}" if count == 1 else f"{label} {indent(text)}")
        position = last + 1
    return f"{name}()" if not rows else f"{name}(\n  " + "\n  ".join(rows) + "\n)"


def indent(text: str, width: int = 2) -> str:
    """Indent every line of a text but the first."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * width + line for line in rest)])
