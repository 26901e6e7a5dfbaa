"""Turns transposed products into products of transposes: results land where they are kept."""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make

from .rewrite import rebuild, with_args


def transpose_products(graph: Graph) -> Graph:
    """(a @ b).T -> b.T @ a.T, where nobody else reads a @ b.

    The gradient of x @ w.T for w is such a transpose; turned round, the weight's update can join
    the product that makes its gradient.
    """
    outputs = {output.node for output in graph.outputs}
    users = graph.users

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        product = node.args[0] if node.args else node
        if not is_turn(node) or product.op is not ops.matmul:
            return with_args(node, args)
        if len(users[product]) > 1 or product in outputs:
            return with_args(node, args)
        a, b = args[0].args
        left, right = (make(ops.permute, x, line=node.line, **node.params) for x in (b, a))
        return make(ops.matmul, left, right, line=product.line)

    return rebuild(graph, change)


def is_turn(node: Node) -> bool:
    """Whether a value is its argument with the last two dims exchanged."""
    return node.op is ops.permute and node.params["axes"] == _swap_last(len(node.shape))


def turned(x: Node) -> Node:
    """Exchange the last two dims of a value."""
    if is_turn(x):
        return x.args[0]
    return make(ops.permute, x, axes=_swap_last(len(x.shape)), line=x.line)


def _swap_last(rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2) if rank >= 2 else ()
