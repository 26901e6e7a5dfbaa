"""Splits a traced computation with gradients into a forward graph and a backward graph.

The tape runs backward inside the trace, from symbolic gradients of the results. What depends on
these is the backward graph. What it reads of the forward graph is saved: the forward graph returns
it too, except for inputs, which are still there, and for what is as cheap to do again as to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.compiler.ir.graph import Graph, Input, Node, Output, make, topological
from jitnet.compiler.ops import cast, expand, flip, permute, reshape, slice

from .. import capture, tape
from ..errors import CompileError
from ..grad_mode import no_grad
from ..tensor import Tensor, node_of
from .bindings import Memory, graph_input

if TYPE_CHECKING:
    from .capturing import Trace

_MOVES = frozenset({reshape, permute, expand, slice, flip, cast})


@dataclass(frozen=True, eq=False)
class Backward:
    """The backward graph, and where its inputs come from.

    Inputs in order: forward inputs (by number), saved outputs of the forward graph (by number),
    gradients of `outputs`, which are forward outputs (by number). Outputs: a gradient for each of
    `owners`; None where none arrives.
    """

    graph: Graph
    inputs: tuple[int, ...]
    saved: tuple[int, ...]
    outputs: tuple[int, ...]
    owners: tuple[Memory, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """A trace's two graphs; results whose history was used up while tracing say why."""

    forward: Graph
    backward: Backward | None
    spent: tuple[tuple[int, str], ...]


def split(trace: Trace, graph: Graph, results: Sequence[tuple[int, Tensor]]) -> Split:
    """Return the forward and backward graphs of results: (output number, tensor with history)."""
    alive, spent = _sort_out(trace, results)
    if not alive:
        return Split(graph, None, tuple(spent))
    with capture.activated(trace), no_grad():
        gradients = [
            Tensor._from_node(make(graph_input, kind=tensor._type), tensor._device)
            for _, tensor in alive
        ]
        reached = _walk(trace, [tensor for _, tensor in alive], gradients)
    if not reached:
        return Split(graph, None, tuple(spent))
    owners = tuple(owner for owner, _ in reached)
    wanted = [node for _, node in reached]
    roots = [_traced_node(gradient) for gradient in gradients]
    numbers = [number for number, _ in alive]
    forward, backward = _partition(graph, wanted, roots, numbers, owners)
    return Split(forward, backward, tuple(spent))


def _traced_node(tensor: Tensor) -> Node:
    assert tensor._node is not None
    return tensor._node


def _sort_out(
    trace: Trace, results: Sequence[tuple[int, Tensor]]
) -> tuple[list[tuple[int, Tensor]], list[tuple[int, str]]]:
    """Return the results that backward can start from, and the others with the reason."""
    alive: list[tuple[int, Tensor]] = []
    spent: list[tuple[int, str]] = []
    for number, tensor in results:
        try:
            with capture.activated(trace), no_grad():
                gradient = Tensor._from_node(make(graph_input, kind=tensor._type), tensor._device)
                _walk(trace, [tensor], [gradient])
        except CompileError:
            raise
        except RuntimeError as error:  # released by a backward() inside, or written over since
            spent.append((number, str(error)))
        else:
            alive.append((number, tensor))
    return alive, spent


def _walk(
    trace: Trace, roots: Sequence[Tensor], gradients: Sequence[Tensor]
) -> list[tuple[Memory, Node]]:
    """Run the tape backward; return the gradient of every tensor from outside that it reaches."""
    walk = tape.Pass(keep=True, create_graph=False)
    nodes = []
    for root, gradient in zip(roots, gradients, strict=True):
        node = root.grad_fn
        assert node is not None
        walk.send(node, root._output_nr, gradient)
        nodes.append(node)
    order = tape._order(nodes)
    trace.visit(order)
    walk.walk(order, None)
    found = []
    for leaf, gradient in walk.at_leaf.values():
        owner = trace.memory(leaf)
        if owner is not None:
            found.append((owner, node_of(gradient)))
    return found


def _partition(
    graph: Graph,
    wanted: Sequence[Node],
    roots: Sequence[Node],
    numbers: Sequence[int],
    owners: tuple[Memory, ...],
) -> tuple[Graph, Backward]:
    """Return the forward graph, which also returns what is saved, and the backward graph."""
    boundary = _boundary(wanted, _depending(wanted, roots), graph)
    from_inputs, saved, fresh = _sources(graph, boundary)
    written = [output for output in graph.outputs if output.into is not None]
    forward = replace(graph, outputs=(*fresh, *written))
    inputs = [
        *(graph.inputs[number] for number in from_inputs.values()),
        *(_saved_input(node, number, forward) for node, number in saved.items()),
        *(
            Input(root, f"grad of out{number}", "argument", _packed(root))
            for root, number in zip(roots, numbers, strict=True)
        ),
    ]
    stand_in = {node: item.node for node, item in zip([*from_inputs, *saved], inputs, strict=False)}
    done = _substitute(wanted, stand_in)
    outputs = tuple(Output(done[node], f"grad{number}") for number, node in enumerate(wanted))
    backward = Graph(f"{graph.name} backward", tuple(inputs), outputs)
    return forward, Backward(
        backward, tuple(from_inputs.values()), tuple(saved.values()), tuple(numbers), owners
    )


def _sources(
    graph: Graph, boundary: Iterable[Node]
) -> tuple[dict[Node, int], dict[Node, int], list[Output]]:
    """Return which inputs and which results hold the boundary's values, and all results for it."""
    overwritten = {graph.inputs[o.into].node for o in graph.outputs if o.into is not None}
    place = {item.node: number for number, item in enumerate(graph.inputs)}
    fresh = [output for output in graph.outputs if output.into is None]
    returned = {output.node: number for number, output in enumerate(fresh)}
    own = len(fresh)
    from_inputs: dict[Node, int] = {}
    saved: dict[Node, int] = {}
    for node in boundary:
        if node in place and node not in overwritten:
            from_inputs[node] = place[node]
            continue
        if node not in returned:
            returned[node] = len(fresh)
            fresh.append(Output(node, f"saved{len(fresh) - own}"))
        saved[node] = returned[node]
    return from_inputs, saved, fresh


def _saved_input(node: Node, number: int, forward: Graph) -> Input:
    fresh = [output for output in forward.outputs if output.into is None]
    stand_in = replace(make(graph_input, kind=node.type), line=node.line)
    return Input(stand_in, fresh[number].name, "argument", _packed(node))


def _packed(node: Node) -> tuple[int, ...]:
    return contiguous_strides(node.shape)


def _depending(wanted: Iterable[Node], roots: Sequence[Node]) -> set[Node]:
    """Return the nodes below wanted that depend on the roots."""
    found = set(roots)
    for node in topological(wanted):
        if any(arg in found for arg in node.args):
            found.add(node)
    return found


def _boundary(wanted: Iterable[Node], behind: set[Node], graph: Graph) -> list[Node]:
    """Return the forward values that backward reads, in the order in which they are computed."""
    inputs, forward = {item.node for item in graph.inputs}, set(graph.nodes)
    found: set[Node] = set()
    seen: set[Node] = set()
    stack = list(wanted)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        kept = node in inputs or (node in forward and not _is_cheap(node))
        if node not in behind and kept:
            found.add(node)
        else:
            stack.extend(node.args)
    return [node for node in topological(found) if node in found]


def _is_cheap(node: Node) -> bool:
    """Whether to compute a forward value again, from values no larger, instead of saving it."""
    if not node.args:
        return True
    return node.op in _MOVES and node.args[0].type.nbytes <= node.type.nbytes


def _substitute(wanted: Sequence[Node], stand_in: dict[Node, Node]) -> dict[Node, Node]:
    """Return every wanted node with the nodes of stand_in in place."""
    done = dict(stand_in)
    stack = list(wanted)
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        missing = [arg for arg in node.args if arg not in done]
        if missing:
            stack.extend(missing)
            continue
        args = tuple(done[arg] for arg in node.args)
        same = all(a is b for a, b in zip(args, node.args, strict=True))
        done[node] = node if same else replace(node, args=args)
        stack.pop()
    return done
