"""Makes the arithmetic on 16-bit floats explicit: casts to float32 before it, back after it.

From here on only casts and moves of elements see narrow floats. Each result is rounded where eager
mode rounds it, also inside a fused kernel, so that compiled code gives what eager mode gives.
"""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.narrow import is_widened
from jitnet.runtime.dtype import float32

from .rewrite import rebuild, with_args


def widen(graph: Graph) -> Graph:
    """Return the graph with no arithmetic on narrow floats."""
    return rebuild(graph, _widened)


def _widened(node: Node, args: tuple[Node, ...]) -> Node:
    dtypes = (node.dtype, *(arg.dtype for arg in args))
    if not is_widened(node.op, dtypes, node.params):
        return with_args(node, args)
    wide = [ops.cast(arg, dtype=float32) if arg.dtype.narrow else arg for arg in args]
    result = make(node.op, *wide, line=node.line, **node.params)
    return result if not node.dtype.narrow else ops.cast(result, dtype=node.dtype)
