"""Forward hooks of modules: the table that holds them and the handle that removes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .tables import Table


@dataclass(frozen=True)
class Hook:
    """A registered function and how it wants to be called."""

    call: Callable[..., Any]
    with_kwargs: bool
    always: bool = False  # called even if forward raised


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook out; also a context manager."""

    def __init__(self, hooks: Table[int, Any], key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Take the hook out; nothing happens the second time."""
        if self._key in self._hooks:
            del self._hooks[self._key]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()


def add_hook(
    hooks: Table[int, Hook],
    call: Callable[..., Any],
    prepend: bool,
    with_kwargs: bool,
    always: bool = False,
) -> RemovableHandle:
    """Append (or prepend) a hook to a table and return its handle."""
    if not callable(call):
        raise TypeError(f"a hook must be callable, got {type(call).__name__}")
    key = max(hooks, default=-1) + 1
    later = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[key] = Hook(call, with_kwargs, always)
    hooks.update(later)
    return RemovableHandle(hooks, key)
