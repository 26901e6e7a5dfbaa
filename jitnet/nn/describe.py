"""How a module prints: its class, its settings, and its submodules indented below it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def describe(name: str, extra: str, children: Iterable[tuple[str, Any]]) -> str:
    """Return `name(extra)`, or one indented line for each child, as PyTorch prints modules."""
    rows = [f"({key}): {indent(repr(child))}" for key, child in children]
    settings = extra.split("\n") if extra else []
    if not rows and len(settings) <= 1:
        return f"{name}({extra})"
    return f"{name}(\n  " + "\n  ".join([*settings, *rows]) + "\n)"


def indent(text: str, width: int = 2) -> str:
    """Indent every line of a text but the first."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * width + line for line in rest)])
