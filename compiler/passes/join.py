"""Lets the parts of a concatenation be written where it lies, so that it needs no copy."""

from __future__ import annotations

from collections.abc import Iterator

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.lowering import Contraction, Reduction, Scatter, Transform

from .materialize import consumers
from .parts import MOVES, source_of
from .rewrite import rebuild, with_args
from .storage import is_view


def join_parts(graph: Graph) -> Graph:
    """concat(a, b) -> join(a, copy b), for one that must be in memory; b cannot live there."""
    return _Joiner(graph).graph()


class _Joiner:
    """Decides, from the last concatenation to the first, who lives where."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._outputs = {output.node for output in graph.outputs}
        self._updates = {output.node for output in graph.outputs if output.into is not None}
        self._inputs = {item.node for item in graph.inputs}
        self._placed: set[Node] = set()  # values that live in some join
        self._copied: dict[Node, set[int]] = {}  # the joins, and which of their parts are copied
        for node in reversed(graph.nodes):
            if node.op is ops.concat and self._is_wanted(node):
                self._copied[node] = set(self._strangers(node))

    def graph(self) -> Graph:
        """Return the graph with joins."""
        return rebuild(self._graph, self._change)

    def _change(self, node: Node, args: tuple[Node, ...]) -> Node:
        if node not in self._copied:
            return with_args(node, args)
        copied = self._copied[node]
        parts = [
            make(ops.copy, arg, line=node.line) if number in copied else arg
            for number, arg in enumerate(args)
            if arg.type.numel
        ]
        return make(ops.join, *parts, line=node.line, **node.params)

    def _is_wanted(self, node: Node) -> bool:
        """Whether a concatenation must be in memory anyway, or some of its parts must."""
        if not node.type.numel or node in self._updates:
            return False
        if node in self._outputs or node in self._placed or self._feeds_product(node):
            return True
        sources = map(source_of, node.args)
        return any(self._is_kept(source) for source in sources)

    def _is_kept(self, source: Node) -> bool:
        made = isinstance(source.op.lower, Contraction | Reduction | Scatter | Transform)
        return made or (source not in self._inputs and self._feeds_product(source))

    def _feeds_product(self, node: Node) -> bool:
        return any(
            isinstance(user.op.lower, Contraction) for user, _ in consumers(self._graph, node)
        )

    def _strangers(self, node: Node) -> Iterator[int]:
        """Yield the numbers of parts that live elsewhere; note the others."""
        for number, part in enumerate(node.args):
            source = source_of(part)
            elsewhere = source in self._inputs or source in self._outputs or not source.args
            if elsewhere or is_view(source) or source in self._placed or not _can_lie(part):
                yield number
            else:
                self._placed.add(source)


def _can_lie(part: Node) -> bool:
    """Whether strides can say where a part's source lies: no dims are joined but those of size 1.

    The join may have any strides.
    """
    while part.op in MOVES:
        x = part.args[0]
        if part.op is ops.reshape and _sizes(part) != _sizes(x):
            return False
        part = x
    return True


def _sizes(node: Node) -> list[int]:
    return [size for size in node.shape if size != 1]
