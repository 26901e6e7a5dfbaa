"""Moves 16-bit floats as they are stored, and makes them wider afterwards.

For backends whose products read 16-bit floats themselves: what pads or joins operands then leaves
them narrow.
"""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make

from .rewrite import rebuild, with_args
from .storage import is_widening


def narrow_moves(graph: Graph) -> Graph:
    """Return the graph with every move of widened values before the widening."""
    return rebuild(graph, _moved)


def _moved(node: Node, args: tuple[Node, ...]) -> Node:
    """move(cast(x)) -> cast(move(x))."""
    kinds = {arg.args[0].dtype if is_widening(arg) else None for arg in args}
    if len(kinds) != 1 or None in kinds or not node.op.moves(**node.params):
        return with_args(node, args)
    moved = make(node.op, *(arg.args[0] for arg in args), line=node.line, **node.params)
    return ops.cast(moved, dtype=node.dtype)
