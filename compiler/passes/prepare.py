"""Cuts a graph in two: what depends on lasting inputs alone, and the rest, which is given that.

Lasting inputs are the same in most calls: the weights of a network that is not being trained. What
is made of them alone, and read by what is not, is computed once and kept.
"""

from __future__ import annotations

from dataclasses import replace

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dataclass import dataclass

from .parts import source_of
from .rewrite import rebuild, substitute, with_args
from .storage import is_view

MOST_GROWTH = 2  # of a kept value, over all the lasting memory that it is made of

# The nodes that stand for kept values.
kept_value = Op("kept", lambda *, kind: kind, eval=lambda *, kind: None)


@dataclass(frozen=True)
class Halves:
    """What is computed once, if anything is, and in every call.

    The outputs of `once` are the last inputs of `always`; all else that goes in is the same.
    """

    once: Graph | None
    always: Graph


def halve(graph: Graph) -> Halves:
    """Return the two parts of a graph."""
    kept = _kept(graph)
    if not kept:
        return Halves(None, graph)
    outputs = tuple(Output(node, f"kept{number}") for number, node in enumerate(kept))
    inputs = tuple(map(_input, outputs))
    stand_ins = {node: item.node for node, item in zip(kept, inputs, strict=True)}
    always = replace(substitute(graph, stand_ins), inputs=(*graph.inputs, *inputs))
    once = Graph(f"{graph.name}, once", graph.inputs, outputs)
    once = _copied_into_joins(once, frozenset(kept))
    return Halves(once, _copied_into_joins(always, frozenset(stand_ins.values())))


def _input(output: Output) -> Input:
    kind = output.node.type
    stand_in = Node(kept_value, (), {"kind": kind}, kind, output.node.line)
    return Input(stand_in, output.name, "kept", contiguous_strides(kind.shape))


def _copied_into_joins(graph: Graph, kept: frozenset[Node]) -> Graph:
    """join(a, kept) -> join(a, copy kept): what is kept lies elsewhere."""

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op is ops.join:
            args = tuple(
                ops.copy(arg) if source_of(before) in kept else arg
                for before, arg in zip(node.args, args, strict=True)
            )
        return with_args(node, args)

    return rebuild(graph, change)


def _kept(graph: Graph) -> list[Node]:
    """Return the values to keep, each read by something that calls differ in."""
    below = lasting_below(graph)
    found: dict[Node, None] = {}
    for node in graph.nodes:
        if below[node] is None:
            for arg in node.args:
                copies = node.op is ops.join and arg.op is ops.copy
                _keep(arg.args[0] if copies else arg, below, found)
    return list(found)


def lasting_below(graph: Graph) -> dict[Node, frozenset[Node] | None]:
    """Return the lasting inputs that each value is made of; None if of others, too."""
    below: dict[Node, frozenset[Node] | None] = {
        item.node: frozenset((item.node,)) if item.lasting else None for item in graph.inputs
    }
    for node in graph.nodes:
        if node in below:
            continue
        of_args = [below[arg] for arg in node.args]
        known = [each for each in of_args if each is not None]
        all_known = len(known) == len(of_args)
        below[node] = frozenset().union(*known) if all_known else None
    return below


def _keep(node: Node, below: dict[Node, frozenset[Node] | None], found: dict[Node, None]) -> None:
    """Keep a value, or what it is a view of, or what it is made of where it is too large."""
    sources = below[node]
    if not sources or node in found or node in sources or not node.type.numel:
        return
    if is_view(node) or not may_be_kept(node, sources):
        for arg in node.args:
            _keep(arg, below, found)
    else:
        found[node] = None


def may_be_kept(node: Node, sources: frozenset[Node]) -> bool:
    """Whether a value is not too large, given the lasting inputs that it is made of."""
    return node.type.nbytes <= MOST_GROWTH * sum(source.type.nbytes for source in sources)
