"""Trace: the capture of one traced call. Inputs so far, values written, what must be put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output, make, topological
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import float64

from ..device import Device
from ..errors import CompileError, at_line
from ..guards.following import Place, Wishes
from ..guards.signature import TensorKey, tensor_key
from ..guards.watcher import Watcher
from ..modes import mode
from ..tape import TapeNode
from ..tensor import Tensor, base_of, node_of, strides_of
from .bindings import (
    Argument,
    Attribute,
    Binding,
    GradientOf,
    Hyper,
    Memory,
    Number,
    State,
    graph_input,
)
from .results import Existing, Given, Recipe
from .steering import steering


class Again(BaseException):
    """Trace once more, these leaves compiled in by their value, or these passed as themselves.

    followed: entries of Python's objects that calls change.

    Not an Exception, so that no `except Exception` of the traced function catches it.
    """

    def __init__(
        self,
        by_value: frozenset[int],
        pinned: frozenset[int],
        followed: frozenset[Place] = frozenset(),
    ) -> None:
        super().__init__(by_value, pinned, followed)
        self.by_value = by_value
        self.pinned = pinned
        self.followed = followed


class Trace:
    """The capture: the graph's inputs so far, what was written, what must be put back."""

    def __init__(
        self,
        leaves: Sequence[Any],
        names: Sequence[str],
        pinned: frozenset[int],
        line: str,
        wishes: Wishes,
    ) -> None:
        self.watcher = Watcher(wishes)
        self.watcher.followed.float_of = self.number
        self.inputs: list[Input] = []
        self.bindings: list[Binding] = []
        self.first_sequence = TapeNode(()).sequence  # of the tape: earlier nodes are not ours
        self.leaves = leaves
        self.names = names
        self.pinned = pinned
        self._line = line  # where the function is defined: that of the graph's inputs
        self.values: dict[int, Node] = {}  # by id of the base that holds it now
        self.kept: dict[int, Any] = {}  # objects known by id, kept alive
        self.input_of: dict[int, int] = {}  # by id of the base
        self.originals: dict[int, set[int]] = {}  # id of an argument's base -> leaves
        self.stands_for: dict[int, Recipe] = {}  # id of a stand-in -> what it stands for
        self.memory_of: dict[int, Memory] = {}  # id of a stand-in base or a tensor -> binding
        self.written: dict[int, Tensor] = {}
        self.adopted: dict[int, Tensor] = {}  # aliases of tensors from outside
        self.journaled: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self.grads: dict[int, tuple[Memory, TensorKey | None]] = {}  # read of `grad` at entry
        self.gradient_of: dict[int, Memory] = {}  # id of a gradient -> its owner
        self.moves: set[Device] = set()
        self._taken_names: set[str] = set()  # of inputs
        self._hypers: dict[tuple[int, str, int | None], Tensor] = {}

    # -- the capture protocol --------------------------------------------------------------------

    def read(self, tensor: Tensor, used: Tensor | None = None) -> Node:
        """Return the node of a base's value now; one that this trace did not make is an input.

        used: the view through which it is read; a detached one may have a base with history.
        """
        self._check_history(tensor, tensor if used is None else used)
        node = self.values.get(id(tensor))
        if node is None:
            if tensor._array is None:
                if tensor._node is None:
                    raise AssertionError(tensor._copied())  # it says why there is no value
                return tensor._node
            node = self._new_state(tensor)
        return node

    def write(self, tensor: Tensor, node: Node) -> None:
        """Make node the value of a base from now on."""
        self.kept[id(tensor)] = self.written[id(tensor)] = tensor
        self.values[id(tensor)] = node
        if tensor._array is None:
            tensor._node = node  # what aliases made from now on begin with

    def journal(self, owner: Any, name: str) -> None:
        """Remember `owner.name`, so that it can be put back."""
        key = (id(owner), name)
        if key not in self.journaled:
            if isinstance(owner, Tensor):
                self._tell_from_arguments(owner)
            self.journaled[key] = (owner, name, getattr(owner, name))

    def adopt(self, tensor: Tensor) -> None:
        """Note a tensor with a value that the function made: what becomes of it is no effect."""
        self.kept[id(tensor)] = self.adopted[id(tensor)] = tensor

    def observe(self, owner: Tensor) -> None:
        """Note that `owner.grad` is about to be read."""
        if (id(owner), "_grad") in self.journaled or id(owner) in self.grads:
            return
        memory = self.memory(owner)
        if memory is None:
            return
        self._tell_from_arguments(owner)
        self.kept[id(owner)] = owner
        grad = owner._grad
        if grad is None:
            self.grads[id(owner)] = memory, None
            return
        self.grads[id(owner)] = memory, tensor_key(grad)
        if grad._base is None:
            self.kept[id(grad)] = grad
            self.gradient_of[id(grad)] = memory

    def hyper(self, group: Any, key: str, index: int | None) -> Tensor:
        """Return an option of an optimizer's group as an input that each call reads anew."""
        place = (id(group), key, index)
        if place not in self._hypers:
            self.watcher.release(group, key)
            text = key if index is None else f"{key}[{index}]"
            name = self.watcher.path_of(group)
            node = self.add(
                TensorType(float64, ()),
                f"{name}.{text}" if name else text,
                "scalar",
                (),
                Hyper(group, key, index),
            )
            self._hypers[place] = Tensor._from_node(node)
        return self._hypers[place]

    def number(self, entries: Any, key: Any) -> Tensor:
        """Return a number of Python's, which each call reads anew, as the float that it equals."""
        made = Tensor._from_node(node_of(self.hyper(entries, key, None)))
        made._weak = True
        return made

    def switch(self, group: Any, key: str) -> None:
        """Guard whether an option is zero, and nothing else about it."""
        self.watcher.release(group, key)
        self.watcher.watch_switch(group, key)

    def visit(self, nodes: Sequence[TapeNode]) -> None:
        """Note that backward walks these tape nodes; CompileError for history from outside."""
        if any(node.sequence < self.first_sequence for node in nodes):
            raise CompileError(
                at_line(
                    "backward() leaves the compiled function: a tensor that it uses was computed "
                    "outside, with history; compute it inside, or detach() it first"
                )
            )

    def known_value(self, tensor: Tensor) -> np.ndarray | None:
        """Return a value that depends on no input, or is guarded from now on; None for others.

        If it depends on floats among the arguments alone, trace again with these by value.
        """
        node = node_of(tensor)
        below = self._inputs_below(node)
        if not below:
            return _read_only(evaluate(Graph("known", (), (Output(node, ""),)), ())[0])
        bindings = [None if number is None else self.bindings[number] for number in below]
        if all(isinstance(binding, Number) for binding in bindings):
            positions = {item.position for item in bindings if isinstance(item, Number)}
            raise Again(frozenset(positions), self.pinned)
        found = steering(node, below, self.inputs, self.bindings)
        if found is None:
            return None
        self.watcher.watch_value(found, found.path)
        return _read_only(found.array())

    # -- inputs ----------------------------------------------------------------------------------

    def add(
        self, kind: TensorType, name: str, what: str, strides: tuple[int, ...], binding: Binding
    ) -> Node:
        """Return the node of a new input."""
        node = make(graph_input, line=self._line, kind=kind)
        self.inputs.append(Input(node, self._unused_name(name), what, strides))
        self.bindings.append(binding)
        return node

    def _unused_name(self, name: str) -> str:
        number, chosen = 2, name
        while chosen in self._taken_names:
            chosen, number = f"{name}#{number}", number + 1
        self._taken_names.add(chosen)
        return chosen

    def _new_state(self, tensor: Tensor) -> Node:
        """Make a tensor that the function reached by itself an input."""
        self._tell_from_arguments(tensor)
        owner = self.gradient_of.get(id(tensor))
        memory: Memory = State(tensor) if owner is None else gradient_of(owner)
        name = self.watcher.name_of(tensor)
        if owner is not None:
            name = f"{self.name_of(owner)}.grad"
        return self.add_memory(tensor, name or "tensor", "state", memory)

    def _check_history(self, base: Tensor, used: Tensor) -> None:
        if base._array is None or base._grad_fn is None or id(base) in self.written:
            return
        if mode.now.enabled and used.requires_grad:
            raise CompileError(
                at_line(
                    f"the function uses a tensor {base._type} that was computed outside of it, "
                    "with history; pass it as an argument, or detach() it"
                )
            )

    def _tell_from_arguments(self, tensor: Tensor) -> None:
        """Trace again, arguments known by identity, if one of them is what the function reached."""
        base = base_of(tensor)
        positions = self.originals.get(id(base))
        if positions:
            raise Again(frozenset(), self.pinned | positions)

    def add_memory(self, tensor: Tensor, name: str, what: str, memory: Memory) -> Node:
        """Return the node of a new input that a tensor stands for, or is."""
        node = self.add(tensor._type, name, what, strides_of(tensor), memory)
        self._register(tensor, node, memory)
        return node

    def _register(self, base: Tensor, node: Node, memory: Memory) -> None:
        self.kept[id(base)] = base
        self.values[id(base)] = node
        self.memory_of[id(base)] = memory
        self.input_of[id(base)] = len(self.inputs) - 1

    def memory(self, tensor: Tensor) -> Memory | None:
        """Return where a tensor that exists outside is found at a call; None for a traced one."""
        recipe = self.stands_for.get(id(tensor))
        if isinstance(recipe, Given):
            return Argument(recipe.position)
        if isinstance(recipe, Existing):
            return recipe.memory
        return State(tensor) if tensor._array is not None else None

    def name_of(self, memory: Memory) -> str:
        """Return how a person writes a tensor that exists outside."""
        match memory:
            case Argument():
                return self.names[memory.position]
            case State():
                return self.watcher.name_of(memory.held) or "tensor"
            case Attribute():
                return str(memory.name)
            case GradientOf():
                return f"{self.name_of(memory.owner)}.grad"

    def _inputs_below(self, node: Node) -> list[int | None]:
        """Return which inputs decide a traced value; None for one of another trace."""
        number_of = {item.node: number for number, item in enumerate(self.inputs)}
        inputs = [each for each in topological([node]) if each.op is graph_input]
        return [number_of.get(each) for each in inputs]

    # -- the end ---------------------------------------------------------------------------------

    def value(self, base: Tensor) -> Node:
        """Return the node of a traced base's final value."""
        node = self.values.get(id(base)) or base._node
        assert node is not None
        return node

    def undo(self) -> None:
        """Put every attribute of every tensor back as it was."""
        for owner, name, value in self.journaled.values():
            setattr(owner, name, value)


def _read_only(array: np.ndarray) -> np.ndarray:
    """Return an array that nobody can take for a tensor's memory and write into."""
    shown = array.view()
    shown.flags.writeable = False
    return shown


def gradient_of(owner: Memory) -> GradientOf:
    """Return the place of a tensor's gradient."""
    assert isinstance(owner, (Argument, State))
    return GradientOf(owner)
