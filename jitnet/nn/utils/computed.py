"""Attributes of one module that are computed from others each time they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module import Module

_RULES = "_computed"


def compute(module: Module, name: str, rule: Callable[[Module], Any], prefix: str = "") -> None:
    """Make `module.name` the result of rule(module): the module gets a class of its own for it.

    The class is a subclass of the module's, called the same with a prefix.
    """
    cls = type(module)
    if _RULES not in cls.__dict__:
        made = {"__doc__": cls.__doc__, "__module__": cls.__module__, _RULES: {}}
        cls = type(f"{prefix}{cls.__name__}", (cls,), made)
        module.__class__ = cls
    rules: dict[str, Callable[[Module], Any]] = cls.__dict__[_RULES]
    rules[name] = rule
    setattr(cls, name, property(rule))


def rule_of(module: Module, name: str) -> Any:
    """Return the rule of a computed attribute, or None."""
    return type(module).__dict__.get(_RULES, {}).get(name)


def forget(module: Module, name: str) -> None:
    """Undo `compute`: with the last computed attribute the module gets its own class back."""
    cls = type(module)
    del cls.__dict__[_RULES][name]
    delattr(cls, name)
    if not cls.__dict__[_RULES]:
        module.__class__ = cls.__mro__[1]
