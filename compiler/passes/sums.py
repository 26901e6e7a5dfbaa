"""Turns a sum of products into one product over all their terms, as loops over time make them.

The gradient of a weight that T steps share is a sum of T products. As one product it writes its
result once, instead of reading and writing all of it T times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ops.movement import inverse

from .rewrite import rebuild, with_args
from .transpose import is_turn, turned

Kind = tuple[Any, ...]  # what terms must agree in to become one
_MOVES = (ops.reshape, ops.permute)


def join_sums(graph: Graph) -> Graph:
    """a @ b + c @ d -> [a c] @ [b; d], and sum(x) + sum(y) -> sum([x; y]), where only the sum asks.

    Operands are concatenated where that moves fewer elements than the sums would.
    """
    return Joiner(graph).graph()


class Joiner:
    """Rebuilds one graph, sum by sum."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._outputs = {output.node for output in graph.outputs}
        self._done: dict[Node, Node] = {}

    def graph(self) -> Graph:
        """Return the graph with its sums joined."""
        return rebuild(self._graph, self._change)

    def _change(self, node: Node, args: tuple[Node, ...]) -> Node:
        self._done[node] = with_args(node, args)
        if node.op is ops.add and not self._is_part(node):
            self._done[node] = self._rebuilt(node)
        return self._done[node]

    def _is_alone(self, node: Node) -> bool:
        """Whether one value asks for node, once."""
        return len(self._graph.users[node]) == 1 and node not in self._outputs

    def _is_part(self, node: Node) -> bool:
        """Whether a sum belongs to a larger one."""
        return self._is_alone(node) and self._graph.users[node][0].op is ops.add

    def _terms(self, total: Node) -> Iterator[Node]:
        """Yield what a sum adds, in order."""
        stack = list(reversed(total.args))
        while stack:
            node = stack.pop()
            if node.op is ops.add and self._is_alone(node):
                stack.extend(reversed(node.args))
            else:
                yield node

    def _rebuilt(self, total: Node) -> Node:
        groups: defaultdict[Kind, list[Node]] = defaultdict(list)
        rest: list[Node] = []
        for term in self._terms(total):
            kind = self._kind(term)
            if kind is None:
                rest.append(term)
            else:
                groups[kind].append(term)
        if all(len(group) < 2 for group in groups.values()):
            return self._done[total]
        joined = [self._joined(group) for group in groups.values()]
        result, *others = [*joined, *map(self._new, rest)]
        for other in others:
            result = make(ops.add, result, other, line=total.line)
        return result

    def _kind(self, term: Node) -> Kind | None:
        """Return what makes a term one with others; None for terms that stay as they are."""
        if not self._is_alone(term):
            return None
        factors = self._factors(term)
        if factors is not None:
            (rows, inner), columns = factors[0].shape[-2:], term.shape[-1]
            worth = inner * (rows + columns) <= 2 * rows * columns
            return (ops.matmul, term.shape) if worth else None
        if term.op is ops.sum:
            x, axes = term.args[0], term.params["axes"]
            kept = tuple(size for axis, size in enumerate(x.shape) if axis != axes[0])
            return (ops.sum, axes, kept)
        return None

    def _factors(self, term: Node) -> tuple[Node, Node] | None:
        """Return the operands of a product, or of the product whose transpose the term is."""
        if term.op is ops.matmul:
            return term.args[0], term.args[1]
        if not is_turn(term) or term.args[0].op is not ops.matmul:
            return None
        if not self._is_alone(term.args[0]):
            return None
        a, b = term.args[0].args
        return turned(b), turned(a)

    def _joined(self, group: Sequence[Node]) -> Node:
        """Return the one term that a group of terms becomes."""
        first = group[0]
        if len(group) == 1:
            return self._done[first]
        if first.op is ops.sum:
            axes = first.params["axes"]
            (parts,) = self._ordered([[term.args[0] for term in group]])
            return make(ops.sum, self._concat(parts, axes[0]), axes=axes, line=first.line)
        factors = [pair for pair in map(self._factors, group) if pair is not None]
        left, right = self._ordered([[a for a, _ in factors], [b for _, b in factors]])
        rank = len(first.shape)
        a, b = self._concat(left, rank - 1), self._concat(right, rank - 2)
        return make(ops.matmul, a, b, line=first.line)

    def _ordered(self, columns: list[list[Node]]) -> list[list[Node]]:
        """Return the terms' operands in the order in which the graph joins them elsewhere.

        Backward adds up from the last step to the first: without a hint that order is turned.
        """
        signs = [self._direction(one, other) for parts in columns for one, other in pairwise(parts)]
        turns = next((sign for sign in signs if sign), -1) < 0
        return [parts[::-1] if turns else parts for parts in columns]

    def _direction(self, one: Node, other: Node) -> int:
        """Return 1 if some concatenation has one before other, -1 if after, 0 if there is none."""
        first, second = _source(one), _source(other)
        for whole in self._wholes(first):
            sources = [_source(arg) for arg in whole.args]
            if first in sources and second in sources:
                return 1 if sources.index(first) < sources.index(second) else -1
        return 0

    def _wholes(self, part: Node) -> Iterator[Node]:
        """Yield the concatenations that a value is part of, moved or not."""
        for user in self._graph.users.get(part, ()):
            if user.op is ops.concat:
                yield user
            elif user.op in _MOVES:
                yield from self._wholes(user)

    def _concat(self, parts: Sequence[Node], axis: int) -> Node:
        """Concatenate the parts' new values; what all are permuted by, the whole is."""
        line = parts[0].line
        moves = {part.params["axes"] for part in parts if part.op is ops.permute}
        if len(moves) == 1 and all(part.op in (ops.permute, ops.full) for part in parts):
            (axes,) = moves
            before = [unpermuted(part, axes) for part in parts]
            return make(ops.permute, self._concat(before, axes[axis]), axes=axes, line=line)
        return make(ops.concat, *map(self._new, parts), axis=axis, line=line)

    def _new(self, part: Node) -> Node:
        """Return the new value of a node of the graph, or of one turned round by this pass."""
        if part in self._done:
            return self._done[part]
        return with_args(part, tuple(map(self._new, part.args)))


def unpermuted(node: Node, axes: tuple[int, ...]) -> Node:
    """Return what was permuted by axes: a permutation's argument, or one number everywhere."""
    if node.op is ops.permute:
        return node.args[0]
    shape = tuple(node.shape[axis] for axis in inverse(axes))
    return make(ops.full, line=node.line, **(node.params | {"shape": shape}))


def _source(node: Node) -> Node:
    while node.op in _MOVES:
        node = node.args[0]
    return node
