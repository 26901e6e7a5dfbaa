"""What a package says about a name that it does not have: the nearest that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn


def missing(package: str, names: Mapping[str, Any]) -> Callable[[str], NoReturn]:
    """Return a module's `__getattr__`: `__getattr__ = missing(__name__, globals())`."""

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        public = {known.lower(): known for known in names if not known.startswith("_")}
        near = get_close_matches(name.lower(), public, n=1, cutoff=0.5)
        hint = f"; the nearest name is {package}.{public[near[0]]}" if near else ""
        raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")

    return __getattr__
