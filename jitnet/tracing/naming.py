"""Names for people: of a call's leaves, and of the place where a function is defined."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..tree import Branch, Tree, paths


def definition(function: Callable[..., Any]) -> str:
    """Return where a function (or a module's forward) is defined: "model.py:31"."""
    function = getattr(function, "forward", function)
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return type(function).__name__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def leaf_names(function: Callable[..., Any], tree: Tree) -> list[str]:
    """Return the name of every leaf of (args, kwargs): `x`, `batch[0]`, `rest[1]["y"]`."""
    assert isinstance(tree, Branch)
    args, kwargs = tree.children
    assert isinstance(args, Branch) and isinstance(kwargs, Branch)
    found: list[str] = []
    params = _positional_names(function)
    for position, child in enumerate(args.children):
        name = params[position] if position < len(params) else None
        if name is None:
            rest = _rest_name(function)
            name = f"{rest}[{position - len(params)}]"
        found += paths(child, name)
    for key, child in zip(kwargs.keys, kwargs.children, strict=True):
        found += paths(child, str(key))
    return found


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin, which tells nothing
        return []


def _positional_names(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [param.name for param in _parameters(function) if param.kind in kinds]


def _rest_name(function: Callable[..., Any]) -> str:
    kind = inspect.Parameter.VAR_POSITIONAL
    return next((param.name for param in _parameters(function) if param.kind is kind), "args")
