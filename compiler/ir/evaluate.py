"""Interpret a Graph with the ops' own `eval`: for tests, and for values known while tracing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Graph, Node
from .narrow import compute


def evaluate(graph: Graph, arrays: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Return the value of every output of a graph, given an array for each of its inputs.

    Inputs are not written to: an output that goes into an input is returned like the others.
    """
    assert len(arrays) == len(graph.inputs), "one array for each input"
    values: dict[Node, np.ndarray[Any, Any]] = {}
    for item, array in zip(graph.inputs, arrays, strict=True):
        assert array.shape == item.node.shape, f"{item.name}: {array.shape} != {item.node.type}"
        assert array.dtype == item.node.dtype.numpy, f"{item.name}: {array.dtype}"
        values[item.node] = array
    for node in graph:
        if node in values:
            continue
        args = [values[arg] for arg in node.args]
        result = np.asarray(compute(node.op, args, node.params, node.dtype))
        assert result.shape == node.shape, f"{node}: eval gave {result.shape}"
        assert result.dtype == node.dtype.numpy, f"{node}: eval gave {result.dtype}"
        values[node] = result
    return [values[output.node] for output in graph.outputs]
