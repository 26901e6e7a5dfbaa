"""Computes equal values once: nodes with the same op, arguments and params become one."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.graph import Graph, Node

from .rewrite import rebuild, with_args


def share(graph: Graph) -> Graph:
    """Return the graph with equal nodes merged; the first one's source line stays."""
    first: dict[Any, Node] = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        key = (node.op, args, params_key(node))
        return first.setdefault(key, with_args(node, args))

    return rebuild(graph, change)


def params_key(node: Node) -> tuple[Any, ...]:
    """Return what equals that of another node only if both have the same params."""
    return tuple(map(_key, sorted(node.params.items())))


def _key(item: tuple[str, Any]) -> Any:
    name, value = item
    match value:
        case np.ndarray():
            return name, value.dtype.str, value.shape, value.tobytes()
        case float():
            return name, "float", value.hex()  # 0.0 and -0.0 differ; NaN equals itself
        case complex():
            return name, "complex", value.real.hex(), value.imag.hex()
        case _:
            return name, type(value).__name__, value
