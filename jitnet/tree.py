"""Nested values (tuples, lists, dicts, dataclasses): taken apart into leaves, and rebuilt."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jitnet.runtime.dtype import DType

from .device import Device

_WHOLE = (DType, Device)  # dataclasses that are values: a dtype is compared by identity


@dataclass(frozen=True)
class Leaf:
    """The place of one value."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True)
class Branch:
    """A container: its type, the keys (or field names) of its children, and its children.

    note: what else the container needs to be built again, such as a defaultdict's factory.
    """

    type: type
    keys: tuple[Any, ...]
    children: tuple[Tree, ...]
    note: Any = None

    def __str__(self) -> str:
        inside = [str(child) for child in self.children]
        if self.type is tuple:
            return f"({', '.join(inside)}{',' if len(inside) == 1 else ''})"
        if self.type is list:
            return f"[{', '.join(inside)}]"
        named = ", ".join(f"{key}: {text}" for key, text in zip(self.keys, inside, strict=True))
        return f"{{{named}}}" if self.type is dict else f"{self.type.__name__}({named})"


Tree = Leaf | Branch
LEAF = Leaf()


@dataclass(frozen=True)
class Container:
    """How values of a class are opened: (keys, children, note), and built of (note, children)."""

    open: Callable[[Any], tuple[tuple[Any, ...], tuple[Any, ...], Any]]
    build: Callable[[Any, list[Any]], Any]


CONTAINERS: dict[type, Container] = {}  # jitnet's own, beside Python's


def flatten(value: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], Tree]:
    """Return the leaves of a nested value, in order, and the tree that `rebuild` wants.

    is_leaf(part) says which containers stay whole, beside what is none.
    """
    leaves: list[Any] = []
    return leaves, _take_apart(value, leaves, (), is_leaf or _never)


def _never(value: Any) -> bool:
    return False


def _take_apart(
    value: Any, leaves: list[Any], above: tuple[int, ...], is_leaf: Callable[[Any], bool]
) -> Tree:
    """Append the leaves of value and return its tree; a container inside itself is an error."""
    opened = None if is_leaf(value) else _open(value)
    if opened is None:
        leaves.append(value)
        return LEAF
    if id(value) in above:
        raise ValueError(f"a {type(value).__name__} that contains itself cannot be taken apart")
    keys, inside, note = opened
    above = (*above, id(value))
    children = tuple(_take_apart(item, leaves, above, is_leaf) for item in inside)
    return Branch(type(value), keys, children, note)


def _open(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], Any] | None:
    """Return a container's keys, children and note; None for a leaf."""
    kind = type(value)
    if kind in (tuple, list):
        return (), tuple(value), None
    if kind in (dict, OrderedDict):
        return tuple(value), tuple(value.values()), None
    if kind is defaultdict:
        return tuple(value), tuple(value.values()), value.default_factory
    if kind in CONTAINERS:
        return CONTAINERS[kind].open(value)
    if is_namedtuple(value):
        return value._fields, tuple(value), None
    if dataclasses.is_dataclass(kind) and kind not in _WHOLE:
        names = tuple(field.name for field in dataclasses.fields(value))
        return names, tuple(getattr(value, name) for name in names), None
    return None


def is_namedtuple(value: Any) -> bool:
    """Whether value is an instance of a class that collections.namedtuple made."""
    return isinstance(value, tuple) and hasattr(type(value), "_fields")


def rebuild(tree: Tree, leaves: Iterator[Any]) -> Any:
    """Return the nested value that the tree describes, its leaves taken in order."""
    if isinstance(tree, Leaf):
        return next(leaves)
    children = [rebuild(child, leaves) for child in tree.children]
    return _build(tree, children)


def _build(branch: Branch, children: list[Any]) -> Any:
    kind = branch.type
    if kind in (tuple, list):
        return kind(children)
    if kind is defaultdict:
        return defaultdict(branch.note, zip(branch.keys, children, strict=True))
    if issubclass(kind, dict):
        return kind(zip(branch.keys, children, strict=True))
    if kind in CONTAINERS:
        return CONTAINERS[kind].build(branch.note, children)
    if issubclass(kind, tuple):
        return kind(*children)
    made = object.__new__(kind)  # not through __init__: its checks and effects ran once already
    for name, child in zip(branch.keys, children, strict=True):
        object.__setattr__(made, name, child)
    return made


def tree_map(function: Callable[[Any], Any], value: Any) -> Any:
    """Return value with function applied to every leaf."""
    leaves, tree = flatten(value)
    return rebuild(tree, map(function, leaves))


def paths(tree: Tree, root: str) -> list[str]:
    """Return how a person would write each leaf: `batch[0]`, `batch["x"]`, `config.width`."""
    if isinstance(tree, Leaf):
        return [root]
    found: list[str] = []
    for position, child in enumerate(tree.children):
        found += paths(child, root + _step(tree, position))
    return found


def _step(branch: Branch, position: int) -> str:
    if branch.type in (tuple, list):
        return f"[{position}]"
    key = branch.keys[position]
    is_mapping = issubclass(branch.type, dict)
    return f"[{key!r}]" if is_mapping else f".{key}"
