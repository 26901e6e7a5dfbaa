"""Graph: pure tensor ops in SSA form, with types and the user's source line on every value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

from .lowering import Host
from .op import Op
from .types import TensorType


@dataclass(frozen=True, eq=False)
class Node:
    """One value: the op that makes it, the values it reads, its type, the line asking for it."""

    op: Op
    args: tuple[Node, ...]
    params: dict[str, Any]  # hashable values only
    type: TensorType
    line: str = ""

    def __bind__(self, op: Op, args: tuple[Any, ...], params: dict[str, Any]) -> Node:
        return make(op, *args, **params)

    @property
    def shape(self) -> tuple[int, ...]:
        """The value's shape."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """The value's element type."""
        return self.type.dtype

    def __repr__(self) -> str:
        return f"<{self.op.name}: {self.type}>"


def make(op: Op, *args: Node, line: str = "", **params: Any) -> Node:
    """Return a new node, its type inferred; the line defaults to the first argument's."""
    if not line:
        line = next((arg.line for arg in args if arg.line), "")
    node_type = op.type(*(arg.type for arg in args), **params)
    return Node(op, tuple(args), params, node_type, line)


@dataclass(frozen=True)
class Input:
    """A value that the caller provides.

    name: as printed ("x", "fc1.weight").  kind: "argument", "state", "scalar" or "kept".
    strides: in elements, as the caller's buffer has them.
    lasting: most calls find in it what the call before found, and the caller knows which do not.
    """

    node: Node
    name: str
    kind: str
    strides: tuple[int, ...]
    lasting: bool = False


@dataclass(frozen=True)
class Output:
    """A value that the caller gets: a fresh result, or (into) the new contents of an input."""

    node: Node
    name: str
    into: int | None = None  # index in Graph.inputs whose buffer is overwritten


@dataclass(frozen=True, eq=False)
class Graph:
    """Inputs, outputs and, between them, the nodes that the outputs need."""

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node reachable from the outputs (and every input), arguments before users."""
        inputs = [item.node for item in self.inputs]
        return tuple(topological([*inputs, *(item.node for item in self.outputs)]))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @cached_property
    def users(self) -> dict[Node, tuple[Node, ...]]:
        """For each node, the nodes that read it, in order (a node twice if it reads twice)."""
        found: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for arg in node.args:
                found[arg].append(node)
        return {node: tuple(users) for node, users in found.items()}

    def __str__(self) -> str:
        return print_graph(self)


def topological(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes below roots, each after its arguments; iterative, so depth is no limit."""
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if node in done:
            continue
        if expanded:
            done.add(node)
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend((arg, False) for arg in reversed(node.args) if arg not in done)
    return order


def format_param(value: Any) -> str:
    """Return a param as graphs print it; large arrays by shape."""
    match value:
        case np.ndarray() if value.ndim == 0:
            return repr(value.item())
        case np.ndarray() if value.size <= 8:
            return str(value.tolist())
        case np.ndarray():
            return f"array{list(value.shape)}"
        case DType():
            return value.short
        case float():
            return repr(value)
        case tuple():
            return f"({', '.join(map(format_param, value))})"
        case _:
            return str(value)


def node_names(graph: Graph) -> dict[Node, str]:
    """Return the printed name of every node: %0, %1, ... in order."""
    return {node: f"%{position}" for position, node in enumerate(graph.nodes)}


def print_graph(graph: Graph) -> str:
    """Return the graph as text, one value a line with the user's source line at its end."""
    names = node_names(graph)
    input_of = {item.node: item for item in graph.inputs}
    rows: list[tuple[str, str]] = []
    for node in graph.nodes:
        head = f"  {names[node]}: {node.type} = "
        if node in input_of:
            item = input_of[node]
            rows.append((f"{head}{item.kind} {item.name}", node.line))
            continue
        args = " ".join(names[arg] for arg in node.args)
        params = ", ".join(f"{key}={format_param(value)}" for key, value in node.params.items())
        host = "host" if isinstance(node.op.lower, Host) else ""
        words = [host, node.op.name, args, f"[{params}]" if params else ""]
        rows.append((head + " ".join(word for word in words if word), node.line))
    width = min(max((len(text) for text, _ in rows), default=0), 72)
    lines = [f"{text:<{width}}  # {line}" if line else text for text, line in rows]
    outs = []
    for output in graph.outputs:
        target = f" -> {graph.inputs[output.into].name}" if output.into is not None else ""
        outs.append(f"  return {output.name} = {names[output.node]}{target}")
    return "\n".join([f"graph {graph.name} {{", *lines, *outs, "}"])
