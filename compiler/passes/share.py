"""Computes equal values once: nodes with the same op, arguments and params become one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from jitnet.compiler.ir.graph import Graph, Node


def share(graph: Graph) -> Graph:
    """Return the graph with equal nodes merged; the first one's source line stays."""
    inputs = {item.node for item in graph.inputs}
    first: dict[Any, Node] = {}
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        if node in inputs:
            done[node] = node
            continue
        args = tuple(done[arg] for arg in node.args)
        key = (node.op, args, tuple(_key(item) for item in sorted(node.params.items())))
        if key not in first:
            same = all(new is old for new, old in zip(args, node.args, strict=True))
            first[key] = node if same else replace(node, args=args)
        done[node] = first[key]
    outputs = tuple(replace(output, node=done[output.node]) for output in graph.outputs)
    return replace(graph, outputs=outputs)


def _key(item: tuple[str, Any]) -> Any:
    name, value = item
    match value:
        case np.ndarray():
            return name, value.dtype.str, value.shape, value.tobytes()
        case float():
            return name, "float", value.hex()  # 0.0 and -0.0 differ; NaN equals itself
        case _:
            return name, type(value).__name__, value
