"""Numbers computations so that those which differ only in what they read have one number."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from jitnet.compiler.ir.graph import Node
from jitnet.runtime.dataclass import dataclass

from .share import params_key


@dataclass(frozen=True)
class Pattern:
    """How a value is computed: equal numbers, equal ops on the leaves, which are read."""

    number: int
    leaves: tuple[Node, ...]


class Patterns:
    """The patterns of one graph; `leaves` are the values that are in memory when they are read."""

    def __init__(self, leaves: Container[Node]) -> None:
        self._leaves = leaves
        self._patterns: dict[Node, Pattern] = {}
        self._numbers: dict[Any, int] = {}
        self._steps: dict[Node, int] = {}

    def of(self, root: Node) -> Pattern:
        """Return the pattern of what computes a value, down to the leaves."""
        found = self._patterns.get(root)
        if found is None:
            found = self._patterns[root] = self._find(root)
        return found

    def _find(self, root: Node) -> Pattern:
        """Number nodes in the order in which they are done, arguments first."""
        places: dict[Node, int] = {}
        leaves: list[Node] = []
        key: list[Any] = []
        stack = [root]
        while stack:
            node = stack[-1]
            if node in places:
                stack.pop()
                continue
            is_leaf = node is not root and node in self._leaves
            missing = [] if is_leaf else [arg for arg in node.args if arg not in places]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            places[node] = len(places)
            if is_leaf:
                leaves.append(node)
                key.append((node.dtype, node.shape))
            else:
                key.append((self._step(node), *[places[arg] for arg in node.args]))
        return Pattern(self._number(tuple(key)), tuple(leaves))

    def _step(self, node: Node) -> int:
        """Return the number of an op with its params."""
        found = self._steps.get(node)
        if found is None:
            found = self._steps[node] = self._number((node.op, params_key(node)))
        return found

    def _number(self, key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))
