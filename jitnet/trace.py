"""Runs a function once on traced tensors, and keeps what it did as a Graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import is_
from typing import Any

from jitnet.compiler.ir.graph import Graph

from . import capture
from .device import CPU, Device
from .errors import CompileError
from .guards.following import Wishes
from .guards.signature import TensorKey
from .guards.watcher import Watcher
from .modes import mode
from .tensor import Tensor, base_of
from .tensors.placement import is_number
from .tracing.bindings import Binding, GradientOf, Hyper, Memory, Number, State, graph_input
from .tracing.capturing import Again, Trace
from .tracing.joint import Backward, split
from .tracing.naming import definition, leaf_names
from .tracing.outcome import Effects, Outcome
from .tracing.results import Existing, Recipe
from .tracing.stand_ins import stand_ins
from .tree import Tree, flatten, paths, rebuild


@dataclass(eq=False)
class Traced:
    """A function as a graph, and what a call needs besides."""

    graph: Graph
    device: Device  # where it runs
    to_host: frozenset[int]  # fresh outputs that go from there to the CPU
    bindings: tuple[Binding, ...]  # of the graph's inputs
    tree: Tree  # of the result
    recipes: tuple[Recipe, ...]  # of its leaves
    effects: Effects
    entry_grads: tuple[tuple[Memory, TensorKey | None], ...]  # what was read of `grad`
    watcher: Watcher | None  # until the guards are made
    pinned: dict[int, Any]  # leaves that are known by identity
    backward: Backward | None  # of the results that have history
    spent: tuple[tuple[int, str], ...]  # results with history that cannot be walked, and why

    def reached(self) -> Iterator[Tensor]:
        """Yield the bases of tensors that it reached by itself and reads, writes or changes."""
        owners = [effect.owner for effect in self.effects.grads]
        owners += [owner for owner, _ in self.effects.requires_grad]
        places: list[object] = [owner.memory for owner in owners if isinstance(owner, Existing)]
        places += [memory for memory, _ in self.entry_grads]
        for place in (*self.bindings, *places):
            if isinstance(place, State):
                yield base_of(place.held)


def trace(
    function: Callable[..., Any],
    leaves: Sequence[Any],
    tree: Tree,
    by_value: frozenset[int] = frozenset(),
) -> tuple[Traced, frozenset[int]]:
    """Run function once on (args, kwargs), which leaves and tree describe; return what it did.

    Also returns which float leaves had to be compiled in by their value. Whatever happens, every
    tensor, module and optimizer is left as it was, but for optimizer state that was missing.
    """
    names = leaf_names(function, tree)
    pinned: frozenset[int] = frozenset()
    wishes = Wishes()
    floats = {i for i, leaf in enumerate(leaves) if type(leaf) is float}
    while True:
        try:
            traced = _trace_once(function, leaves, tree, names, by_value, pinned, wishes)
            return traced, by_value
        except Again as again:
            by_value, pinned = by_value | again.by_value, again.pinned
            wishes = wishes.also(again.followed)
        except CompileError:
            raise
        except Exception:
            if floats <= by_value and not wishes.follow:
                raise
            # Python code that wants a real number (math.sqrt, an `if`) may have met a tensor.
            by_value, wishes = by_value | floats, wishes.given_up()


def _trace_once(
    function: Callable[..., Any],
    leaves: Sequence[Any],
    tree: Tree,
    names: Sequence[str],
    by_value: frozenset[int],
    pinned: frozenset[int],
    wishes: Wishes,
) -> Traced:
    capturing = Trace(leaves, names, pinned, definition(function), wishes)
    given = stand_ins(capturing, by_value)
    args, kwargs = rebuild(tree, iter(given))
    modes = mode.now
    watcher = capturing.watcher
    watcher.begin(function, [leaf for leaf in leaves if not isinstance(leaf, (Tensor, float))])
    try:
        with capture.activated(capturing), watcher.following():
            result = function(*args, **kwargs)
        _check_arguments(given, tree, args, kwargs)
        if mode.now is not modes:
            raise CompileError(
                "the function leaves gradients switched on or off; use `with jitnet.no_grad():` "
                "or `with jitnet.set_grad_enabled(...):` inside it"
            )
        return _finish(capturing, function, result)
    except BaseException:
        watcher.restore()
        raise
    finally:
        mode.now = modes
        capturing.undo()


def _check_arguments(given: list[Any], tree: Tree, args: Any, kwargs: Any) -> None:
    """Raise CompileError if the function changed a list or dict among its arguments."""
    after, tree_after = flatten((args, kwargs))
    if tree_after == tree and all(map(is_, after, given)):
        return
    raise CompileError(
        "the function changes a list, dict or dataclass among its arguments; compiled code "
        "changes tensors only: return the new values"
    )


def _finish(capturing: Trace, function: Callable[..., Any], result: Any) -> Traced:
    """Return the graph and all else that a call needs, once the function has returned."""
    result_leaves, tree = flatten(result)
    places = paths(tree, "the result")
    outcome = Outcome(capturing)
    recipes = tuple(map(outcome.recipe, result_leaves, places))
    effects = outcome.effects()
    capturing.watcher.check()
    graph = Graph(
        getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", ""),
        tuple(capturing.inputs),
        tuple(outcome.outputs()),
    )
    _check_inputs(graph)
    with_history = [
        (number, tensor)
        for number, tensor in enumerate(outcome.fresh)
        if tensor._grad_fn is not None
    ]
    parts = split(capturing, graph, with_history)
    forward = parts.forward
    if parts.backward is None:  # else the state is being trained: another in each call
        forward = _with_lasting_state(forward, capturing.bindings)
    device = _device(capturing, forward, outcome.fresh)
    return Traced(
        forward,
        device,
        _to_the_host(device, outcome.fresh),
        tuple(capturing.bindings),
        tree,
        recipes,
        effects,
        outcome.entry_grads(),
        capturing.watcher,
        {position: capturing.leaves[position] for position in capturing.pinned},
        parts.backward,
        parts.spent,
    )


def _device(capturing: Trace, graph: Graph, fresh: Sequence[Tensor]) -> Device:
    """Return the device of all that a function reads and returns; numbers may be on the CPU.

    So may be all else in a function that moves tensors, but for what it writes into.
    """
    memories = [each for each in capturing.bindings if not isinstance(each, Number | Hyper)]
    read = [_with_device(each).tensor(capturing.leaves) for each in memories]
    found = {each.device for each in (*read, *fresh)} | capturing.moves
    found.discard(CPU)
    if not found:
        return CPU
    device = found.pop()
    for each in fresh:
        if each.device is CPU and not each._weak and not capturing.moves:
            raise CompileError(
                f"the function runs on {device} and returns {each._type} on the CPU; make it with "
                f"device={str(device)!r}, or outside"
            )
    for each in (*read, *fresh):
        may_be_here = each._device is None or is_number(each) or capturing.moves
        if found or not (each.device is device or may_be_here):
            raise CompileError(
                f"a compiled function runs on one device, and this one uses {each._type} on "
                f"{each.device} as well as tensors on {device}"
            )
    written = {output.into for output in graph.outputs}
    for number, (item, binding) in enumerate(zip(graph.inputs, capturing.bindings, strict=True)):
        if number not in written or isinstance(binding, Number | Hyper):
            continue
        if _with_device(binding).tensor(capturing.leaves).device is CPU:
            raise CompileError(
                f"the function runs on {device} and writes into {item.name}, a tensor on the CPU; "
                f"move it there with .to({str(device)!r})"
            )
    return device


def _to_the_host(device: Device, fresh: Sequence[Tensor]) -> frozenset[int]:
    """Return which results of a function that runs on a GPU are on the CPU."""
    if device is CPU:
        return frozenset()
    here = (number for number, each in enumerate(fresh) if each.device is CPU)
    return frozenset(number for number in here if not fresh[number]._weak)


def _with_device(memory: Memory) -> Memory:
    """Return where the tensor is found that a memory is with: a gradient may be gone by now."""
    return memory.owner if isinstance(memory, GradientOf) else memory


def _with_lasting_state(graph: Graph, bindings: Sequence[Binding]) -> Graph:
    """Return the graph with that state called lasting that the function does not write."""
    written = {output.into for output in graph.outputs}
    inputs = [
        replace(item, lasting=isinstance(binding, State) and number not in written)
        for number, (item, binding) in enumerate(zip(graph.inputs, bindings, strict=True))
    ]
    return replace(graph, inputs=tuple(inputs))


def _check_inputs(graph: Graph) -> None:
    """Raise CompileError for a value of another trace."""
    known = {item.node for item in graph.inputs}
    for node in graph:
        if node.op is graph_input and node not in known:
            raise CompileError(
                f"the function uses a tensor {node.type} that was made while something else was "
                "traced, and has no value; return tensors from compiled functions"
            )
