"""Lays a matrix out once for all the small products of a loop that read it.

So are the weights of a loop over time: each step alone would have to turn them round anew, or read
short runs of long rows.
"""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node

from .panels import in_panels
from .rewrite import rebuild, with_args
from .transpose import is_turn

LONG_ROW = 512  # bytes: four times what a tile reads
TURNS = 4  # products from which on it pays
FEW_ROWS = 128  # of a product that would not pay for turning a matrix round by itself


def turn_once(graph: Graph) -> Graph:
    """x @ w.T -> x @ copy(w.T), for a matrix that several small products read; x @ w as well.

    Where it can, the copy lies in panels. Whole rows would often lie a power of two apart, where
    all that a tile reads meets in a few sets of the cache.
    """
    often = {node for node in graph.nodes if _is_read_often(node, graph)}
    copies: dict[Node, Node] = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is not ops.matmul or node.args[1] not in often:
            return with_args(node, args)
        matrix = args[1]
        if matrix not in copies:
            as_is = ops.copy(matrix) if is_turn(node.args[1]) else matrix
            copies[matrix] = in_panels(matrix) or as_is
        return with_args(node, (args[0], copies[matrix]))

    return rebuild(graph, change) if often else graph


def _is_read_often(node: Node, graph: Graph) -> bool:
    """Whether a value is a matrix, perhaps transposed, that many small products multiply by."""
    if not is_turn(node) and not _has_long_rows(node):
        return False
    products = [user for user in graph.users[node] if user.op is ops.matmul]
    small = [user for user in products if user.args[1] is node and _has_few_rows(user)]
    return len(small) >= TURNS


def _has_long_rows(node: Node) -> bool:
    """Whether a value is a matrix of whose rows a tile reads but a small part."""
    return len(node.shape) == 2 and node.shape[1] * node.dtype.size >= LONG_ROW


def _has_few_rows(product: Node) -> bool:
    """Whether a product has too few rows to pay for moving its second operand by itself.

    Of three rows and less, it takes inner products along rows of both operands as they are.
    """
    return 3 < product.shape[-2] <= FEW_ROWS
