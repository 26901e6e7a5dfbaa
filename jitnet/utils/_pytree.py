"""jitnet.utils._pytree: nested lists, tuples and dicts, with PyTorch's words for `jitnet.tree`.

Dataclasses are leaves here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from jitnet.missing import missing
from jitnet.tree import Branch, Leaf, Tree, flatten, rebuild

IsLeaf = Callable[[Any], bool]
PyTree = Any
TreeSpec = Tree
LeafSpec = Leaf


def _whole(is_leaf: IsLeaf | None) -> IsLeaf:
    """Return which containers are leaves: dataclasses, and what is_leaf says."""
    return lambda part: (
        dataclasses.is_dataclass(part) or (is_leaf is not None and bool(is_leaf(part)))
    )


def tree_flatten(tree: PyTree, is_leaf: IsLeaf | None = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves of a nested value and what `tree_unflatten` needs to build it again."""
    return flatten(tree, _whole(is_leaf))


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """Return the nested value of these leaves; ValueError if their number is another."""
    given, wanted = list(leaves), _count(treespec)
    if len(given) != wanted:
        raise ValueError(f"the tree has {wanted} leaves, got {len(given)}")
    return rebuild(treespec, iter(given))


def _count(tree: TreeSpec) -> int:
    return 1 if isinstance(tree, Leaf) else sum(map(_count, tree.children))


def tree_leaves(tree: PyTree, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return the leaves, in order."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: PyTree, is_leaf: IsLeaf | None = None) -> Iterable[Any]:
    """Return an iterator over the leaves, in order."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: PyTree, is_leaf: IsLeaf | None = None) -> TreeSpec:
    """Return what is left of a nested value without its leaves."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """Return tree with each leaf replaced by func of it and of what lies there in the rests."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(_like(spec, rest) for rest in rests)]
    return rebuild(spec, map(func, *columns))


def _like(spec: TreeSpec, value: PyTree) -> list[Any]:
    """Return what lies in value at the places of spec's leaves."""
    if isinstance(spec, Leaf):
        return [value]
    _, own = flatten(value)
    if not isinstance(own, Branch) or (own.type, own.keys) != (spec.type, spec.keys):
        raise ValueError(f"the trees differ: wanted {spec}, got {own}")
    parts = list(value.values()) if isinstance(value, dict) else list(value)
    if len(parts) != len(spec.children):
        raise ValueError(f"the trees differ: wanted {spec}, got {own}")
    return [
        leaf
        for child, part in zip(spec.children, parts, strict=True)
        for leaf in _like(child, part)
    ]


def tree_map_(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """Call func with each leaf, for what it does to it; return tree."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(
    kinds: Any, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """Return tree with func applied to leaves of some types, or of which kinds(leaf) is true."""
    takes = kinds if _is_predicate(kinds) else lambda leaf: isinstance(leaf, kinds)
    return tree_map(lambda leaf: func(leaf) if takes(leaf) else leaf, tree, is_leaf=is_leaf)


def _is_predicate(kinds: Any) -> bool:
    return callable(kinds) and not isinstance(kinds, type)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Whether pred holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Whether pred holds for any leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


__getattr__ = missing(__name__, globals())
