"""Computes of each value only the part that is read: of a last layer, one position of all.

A slice asks for a part of its argument, which asks for parts of its own arguments, and so on, up to
what the rest of the graph needs as a whole. What several readers ask for becomes one part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.lowering import Contraction, Pointwise, Reduction
from jitnet.compiler.ops.movement import inverse
from jitnet.runtime.dataclass import dataclass

from .demands import makes_demands
from .progressions import Part, both, reshaped, shape_of, whole, within
from .rewrite import with_args
from .storage import is_view


def crop(graph: Graph) -> Graph:
    """f(x)[part] -> f(x[part]) for what is computed element by element, summed or multiplied.

    What an output reads, or an op without a rule, is computed as a whole. So is what follows a
    convolution element by element: it is computed in its loops.
    """
    if not any(node.op is ops.slice for node in graph.nodes):
        return graph
    readings = _readings(graph)
    if all(node.op is ops.slice or reading.is_whole(node) for node, reading in readings.items()):
        return graph
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        done[node] = _cropped(node, readings, done) if node in readings else node
    outputs = tuple(replace(output, node=done[output.node]) for output in graph.outputs)
    return replace(graph, outputs=outputs)


@dataclass(frozen=True)
class Reading:
    """How a part of a value is computed."""

    part: Part  # what was asked for, or more
    args: tuple[Part | None, ...]  # what it reads of its arguments; None: nothing
    params: dict[str, Any]  # of the node that computes it

    def is_whole(self, node: Node) -> bool:
        """Whether all of the node's value is computed."""
        return self.part == whole(node.shape)


def _readings(graph: Graph) -> dict[Node, Reading]:
    """Return how each value is computed that has arguments and is read at all."""
    held = _held(graph)
    asked = {output.node: whole(output.node.shape) for output in graph.outputs}
    readings: dict[Node, Reading] = {}
    for node in reversed(graph.nodes):
        if node not in asked or not node.args:
            continue
        part = whole(node.shape) if node in held else asked[node]
        readings[node] = reading = _reading(node, part)
        for arg, wanted in zip(node.args, reading.args, strict=True):
            if wanted is not None:
                asked[arg] = both(asked.get(arg, wanted), wanted)
    return readings


def _held(graph: Graph) -> set[Node]:
    """Return convolutions and what follows them element by element."""
    held: set[Node] = set()
    for node in graph.nodes:
        is_convolution = isinstance(node.op.lower, Contraction) and node.op is not ops.matmul
        follows = isinstance(node.op.lower, Pointwise) or is_view(node)
        if is_convolution or (follows and any(arg in held for arg in node.args)):
            held.add(node)
    return held


def _cropped(node: Node, readings: dict[Node, Reading], done: dict[Node, Node]) -> Node:
    """Return what computes the part of a node that is read."""
    reading = readings[node]
    args = []
    for arg, wanted in zip(node.args, reading.args, strict=True):
        if wanted is not None:
            there = readings[arg].part if arg in readings else whole(arg.shape)
            args.append(_cut(done[arg], wanted, there, node.line))
    if node.op is ops.slice:
        return args[0]
    if reading.is_whole(node):
        return with_args(node, tuple(args))
    return make(node.op, *args, line=node.line, **reading.params)


def _cut(x: Node, wanted: Part, there: Part, line: str) -> Node:
    """Return the wanted part of a value of which x is another, larger part."""
    if wanted == there:
        return x
    cuts = within(wanted, there)
    starts, stops, steps = zip(*((cut.start, cut.stop, cut.step) for cut in cuts), strict=True)
    return make(ops.slice, x, starts=starts, stops=stops, steps=steps, line=line)


def _reading(node: Node, part: Part) -> Reading:
    """Return how a part of a node is computed."""
    params = node.params
    if node.op is ops.slice:
        return Reading(part, (_of_slice(node, part),), params)
    if part == whole(node.shape) or any(0 in arg.shape for arg in node.args):
        return _as_a_whole(node)
    if node.op is ops.reshape:
        part, old = reshaped(part, node.shape, node.args[0].shape)
        return Reading(part, (old,), {"shape": shape_of(part)})
    if node.op is ops.expand:
        old = tuple(map(_of_expanded, part, node.shape, node.args[0].shape))
        return Reading(part, (old,), {"shape": shape_of(part)})
    if node.op is ops.permute:
        old = tuple(part[dim] for dim in inverse(params["axes"]))
        return Reading(part, (old,), params)
    if node.op is ops.concat:
        return Reading(part, tuple(_of_concat(node, part)), params)
    if node.op is ops.matmul:
        *batch, rows, columns = part
        steps = range(node.args[0].shape[-1])
        return Reading(part, ((*batch, rows, steps), (*batch, steps, columns)), params)
    if isinstance(node.op.lower, Reduction) and "axes" in params:
        return Reading(part, (_of_reduced(node, part),), params)
    if isinstance(node.op.lower, Pointwise) and not makes_demands(node):
        return Reading(part, (part,) * len(node.args), params)
    return _as_a_whole(node)


def _as_a_whole(node: Node) -> Reading:
    return Reading(whole(node.shape), tuple(whole(arg.shape) for arg in node.args), node.params)


def _of_slice(node: Node, part: Part) -> Part:
    """Return the part of a slice's argument that is a part of the slice."""
    bounds = zip(*(node.params[name] for name in ("starts", "stops", "steps")), strict=True)
    return tuple(
        range(*cut)[each.start : each.stop : each.step]
        for cut, each in zip(bounds, part, strict=True)
    )


def _of_expanded(each: range, size: int, old_size: int) -> range:
    return each if size == old_size else range(1)


def _of_concat(node: Node, part: Part) -> Iterator[Part | None]:
    """Yield, for each argument of a concatenation, the part of it that is in a part of all."""
    axis, before = node.params["axis"], 0
    for arg in node.args:
        after = before + arg.shape[axis]
        inside = [index - before for index in part[axis] if before <= index < after]
        if inside:
            here = range(inside[0], inside[-1] + 1, part[axis].step)
            yield (*part[:axis], here, *part[axis + 1 :])
        else:
            yield None
        before = after


def _of_reduced(node: Node, part: Part) -> Part:
    """Return the part of a sum's argument that is added up to a part of the sum."""
    left = iter(part)
    shape, axes = node.args[0].shape, node.params["axes"]
    return tuple(range(size) if axis in axes else next(left) for axis, size in enumerate(shape))
