"""Turns a matrix round once for all the small products that want it transposed.

So are the weights of a loop over time: each step alone would have to do it anew.
"""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node

from .panels import in_panels
from .rewrite import rebuild, with_args
from .transpose import is_turn

TURNS = 4  # products from which on it pays
FEW_ROWS = 128  # of a product that would not pay for turning a matrix round by itself


def turn_once(graph: Graph) -> Graph:
    """x @ w.T -> x @ copy(w.T), for a matrix that several small products read so.

    Where it can, the copy lies in panels. Whole rows would often lie a power of two apart, where
    all that a tile reads meets in a few sets of the cache.
    """
    often = {node for node in graph.nodes if _is_turned_often(node, graph)}
    copies: dict[Node, Node] = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is not ops.matmul or node.args[1] not in often:
            return with_args(node, args)
        turn = args[1]
        if turn not in copies:
            copies[turn] = in_panels(turn) or ops.copy(turn)
        return with_args(node, (args[0], copies[turn]))

    return rebuild(graph, change) if often else graph


def _is_turned_often(node: Node, graph: Graph) -> bool:
    """Whether a value is a matrix transposed that many small products multiply by."""
    if not is_turn(node):
        return False
    products = [user for user in graph.users[node] if user.op is ops.matmul]
    small = [user for user in products if user.args[1] is node and _has_few_rows(user)]
    return len(small) >= TURNS


def _has_few_rows(product: Node) -> bool:
    """Whether a product has too few rows to pay for turning its second operand round.

    Of three rows and less, it takes inner products along rows of both operands as they are.
    """
    return 3 < product.shape[-2] <= FEW_ROWS
