"""Complex values in a graph: refused so far, with the op and the line that made them."""

from __future__ import annotations

from jitnet.compiler.ir.errors import CompileError
from jitnet.compiler.ir.graph import Graph


def complex_pairs(graph: Graph) -> Graph:
    """Return the graph; CompileError for the first op on complex values."""
    inputs = {item.node for item in graph.inputs}
    for node in graph.nodes:
        complex_here = any(value.dtype.is_complex for value in (node, *node.args))
        if complex_here and node not in inputs:
            raise CompileError(
                f"{node.op.name} of complex values ({node.type}) cannot be compiled yet; call it "
                f"outside of the compiled function; {node.line}"
            )
    return graph
