"""What must hold for every graph, whatever pass made it."""

from __future__ import annotations

from .graph import Graph


def verify(graph: Graph) -> None:
    """Assert that a graph is well formed.

    Values come from inputs or ops that can be lowered, types fit their ops, and results fit the
    inputs that they overwrite. A convolution's input gradient with a `margin` is passed over: its
    gradient is padded already, which is not what the op's type function expects.
    """
    inputs = {item.node for item in graph.inputs}
    for node in graph.nodes:
        assert node in inputs or node.op.lower is not None, f"{node} comes from nowhere"
        if node in inputs or "margin" in node.params:
            continue
        inferred = node.op.type(*(arg.type for arg in node.args), **node.params)
        assert inferred == node.type, f"{node.op.name} says {node.type}, its op {inferred}"
    for output in graph.outputs:
        if output.into is None:
            continue
        target = graph.inputs[output.into].node
        assert output.node.type == target.type, f"{output.name}: {output.node} into {target}"
