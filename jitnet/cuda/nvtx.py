"""Ranges and marks that NVIDIA's profilers show, through the package nvtx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_open: list[str] = []  # ranges that were pushed


def _nvtx() -> Any:
    if find_spec("nvtx") is None:
        raise RuntimeError("NVTX functions are those of the package nvtx: pip install nvtx")
    return import_module("nvtx")


def range_push(msg: str) -> int:
    """Open a range; return how many are open around it."""
    _nvtx().push_range(msg)
    _open.append(msg)
    return len(_open) - 1


def range_pop() -> int:
    """Close the range that was opened last; return how many are open around it."""
    _nvtx().pop_range()
    if _open:
        _open.pop()
    return len(_open)


def range_start(msg: str) -> Any:
    """Open a range that may be closed anywhere, and return what range_end takes."""
    return _nvtx().start_range(msg)


def range_end(range_id: Any) -> None:
    """Close a range that range_start opened."""
    _nvtx().end_range(range_id)


def mark(msg: str) -> None:
    """Mark this moment."""
    _nvtx().mark(msg)


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """Hold a range open, whose name is msg.format(...)."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()
