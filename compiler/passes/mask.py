"""Lets the gradient of a rectifier ask the result for its sign, so that its argument can go."""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make

from .rewrite import rebuild, with_args
from .simplify import uniform


def mask_from_result(graph: Graph) -> Graph:
    """c = x <= 0; y = 0 if c else x; other users of c ask y <= 0: the same, NaN included.

    y is kept for the next layer anyway; x then need not be.
    """
    rectified = {
        node.args[0]: node for node in graph.nodes if node.op is ops.where and _is_rectifier(node)
    }
    asks: dict[Node, Node] = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if not any(arg in rectified and rectified[arg] is not node for arg in node.args):
            return with_args(node, args)
        turned = tuple(
            _sign_of(rectified[old], asks, new) if old in rectified else new
            for old, new in zip(node.args, args, strict=True)
        )
        return with_args(node, turned)

    def remember(node: Node, args: tuple[Node, ...]) -> Node:
        result = change(node, args)
        if node.args and rectified.get(node.args[0]) is node:
            zero = result.args[1]
            asks[node] = make(ops.le, result, zero, line=node.args[0].line)
        return result

    return rebuild(graph, remember)


def _sign_of(result: Node, asks: dict[Node, Node], otherwise: Node) -> Node:
    return asks.get(result, otherwise)


def _is_rectifier(node: Node) -> bool:
    condition, low, x = node.args
    return (
        condition.op is ops.le
        and condition.args[0] is x
        and uniform(condition.args[1]) == 0
        and uniform(low) == 0
    )
