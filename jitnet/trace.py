"""Runs a function once on traced tensors, and keeps what it did as a Graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jitnet.compiler.ir.graph import Graph, Input, Node, Output, make
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import float64

from . import capture
from .bindings import Argument, Binding, GradientOf, Hyper, Memory, Number, State, graph_input
from .errors import CompileError, at_line
from .grad_mode import mode
from .joint import Backward, split
from .results import Constant, Existing, Fresh, Given, PythonNumber, Recipe, ViewOf
from .signature import TensorKey, tensor_key
from .tape import TapeNode
from .tensor import Tensor, strides_of
from .tree import Tree, flatten, paths, rebuild
from .watch import Watcher

_SLOTS = tuple(name for name in Tensor.__slots__ if name != "__weakref__")
_HISTORY = ("_grad_fn", "_output_nr", "_origin_fn")

class Again(BaseException):
    """Trace once more, these leaves compiled in by their value, or these passed as themselves.

    Not an Exception, so that no `except Exception` of the traced function catches it.
    """

    def __init__(self, by_value: frozenset[int], pinned: frozenset[int]) -> None:
        super().__init__(by_value, pinned)
        self.by_value = by_value
        self.pinned = pinned


@dataclass(frozen=True, eq=False)
class GradEffect:
    """After a call, `grad` of a tensor is what the recipe makes."""

    owner: Recipe
    value: Recipe | None


@dataclass(frozen=True, eq=False)
class Effects:
    """What a call does to tensors besides writing the graph's outputs."""

    written: tuple[Memory, ...]  # tensors whose memory the graph overwrites
    grads: tuple[GradEffect, ...]
    requires_grad: tuple[tuple[Recipe, bool], ...]
    training: tuple[tuple[Any, bool], ...]  # modules whose flag is set


@dataclass(eq=False)
class Traced:
    """A function as a graph, and what a call needs besides."""

    graph: Graph
    bindings: tuple[Binding, ...]  # of the graph's inputs
    tree: Tree  # of the result
    recipes: tuple[Recipe, ...]  # of its leaves
    effects: Effects
    entry_grads: tuple[tuple[Memory, TensorKey | None], ...]  # what was read of `grad`
    watcher: Watcher
    pinned: dict[int, Any]  # leaves that are known by identity
    backward: Backward | None  # of the results that have history
    spent: tuple[tuple[int, str], ...]  # results with history that cannot be walked, and why


class Trace:
    """The capture: the graph's inputs so far, what was written, what must be put back."""

    def __init__(
        self, leaves: Sequence[Any], names: Sequence[str], pinned: frozenset[int], line: str
    ) -> None:
        self.watcher = Watcher()
        self.inputs: list[Input] = []
        self.bindings: list[Binding] = []
        self.first_sequence = TapeNode(()).sequence  # of the tape: earlier nodes are not ours
        self._leaves = leaves
        self._names = names
        self._pinned = pinned
        self._line = line  # where the function is defined: that of the graph's inputs
        self._values: dict[int, Node] = {}  # by id of the base that holds it now
        self._kept: dict[int, Any] = {}  # objects known by id, kept alive
        self._input_of: dict[int, int] = {}  # by id of the base
        self._originals: dict[int, set[int]] = {}  # id of an argument's base -> leaves
        self._stand_ins: dict[int, Recipe] = {}  # id of a stand-in -> what it stands for
        self._memory_of: dict[int, Memory] = {}  # id of a stand-in base or a tensor -> binding
        self._written: dict[int, Tensor] = {}
        self._journal: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._grads: dict[int, tuple[Memory, TensorKey | None]] = {}  # read of `grad` at entry
        self._gradient_of: dict[int, Memory] = {}  # id of a gradient -> its owner
        self._hypers: dict[tuple[int, str, int | None], Tensor] = {}
        self._recipes: dict[int, Recipe] = {}
        self.fresh: list[Tensor] = []

    # -- the capture protocol --------------------------------------------------------------------

    def read(self, tensor: Tensor) -> Node:
        """Return the node of a base's value now; one that this trace did not make is an input."""
        node = self._values.get(id(tensor))
        if node is None:
            if tensor._array is None:
                assert tensor._node is not None
                return tensor._node
            node = self._new_state(tensor)
        return node

    def write(self, tensor: Tensor, node: Node) -> None:
        """Make node the value of a base from now on."""
        self._kept[id(tensor)] = self._written[id(tensor)] = tensor
        self._values[id(tensor)] = node
        if tensor._array is None:
            tensor._node = node  # what aliases made from now on begin with

    def journal(self, owner: Any, name: str) -> None:
        """Remember `owner.name`, so that it can be put back."""
        key = (id(owner), name)
        if key not in self._journal:
            self._journal[key] = (owner, name, getattr(owner, name))

    def observe(self, owner: Tensor) -> None:
        """Note that `owner.grad` is about to be read."""
        if (id(owner), "_grad") in self._journal or id(owner) in self._grads:
            return
        memory = self._memory(owner)
        if memory is None:
            return
        self._kept[id(owner)] = owner
        grad = owner._grad
        if grad is None:
            self._grads[id(owner)] = memory, None
            return
        self._grads[id(owner)] = memory, tensor_key(grad)
        if grad._base is None:
            self._kept[id(grad)] = grad
            self._gradient_of[id(grad)] = memory

    def hyper(self, group: Any, key: str, index: int | None) -> Tensor:
        """Return an option of an optimizer's group as an input that each call reads anew."""
        place = (id(group), key, index)
        if place not in self._hypers:
            self.watcher.release(group, key)
            text = key if index is None else f"{key}[{index}]"
            name = self.watcher.path_of(group)
            node = self._add(
                TensorType(float64, ()), f"{name}.{text}" if name else text, "scalar", (),
                Hyper(group, key, index),
            )
            self._hypers[place] = Tensor._from_node(node)
        return self._hypers[place]

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

    def known_value(self, tensor: Tensor) -> None:
        """Trace again with floats by value, if the wanted value depends on nothing else."""
        positions = self._floats_below(tensor)
        if positions:
            raise Again(frozenset(positions), self._pinned)

    # -- inputs ----------------------------------------------------------------------------------

    def _add(
        self, kind: TensorType, name: str, what: str, strides: tuple[int, ...], binding: Binding
    ) -> Node:
        node = make(graph_input, line=self._line, kind=kind)
        self.inputs.append(Input(node, self._unused_name(name), what, strides))
        self.bindings.append(binding)
        return node

    def _unused_name(self, name: str) -> str:
        taken = {item.name for item in self.inputs}
        number, chosen = 2, name
        while chosen in taken:
            chosen, number = f"{name}#{number}", number + 1
        return chosen

    def _new_state(self, tensor: Tensor) -> Node:
        """Make a tensor that the function reached by itself an input."""
        positions = self._originals.get(id(tensor))
        if positions:
            raise Again(frozenset(), self._pinned | positions)
        if mode.enabled and tensor._grad_fn is not None:
            raise CompileError(
                at_line(
                    f"the function uses a tensor {tensor._type} that was computed outside of it, "
                    "with history; pass it as an argument, or detach() it"
                )
            )
        owner = self._gradient_of.get(id(tensor))
        memory: Memory = State(tensor) if owner is None else _gradient_of(owner)
        name = self.watcher.name_of(tensor)
        if owner is not None:
            name = f"{self._name_of(owner)}.grad"
        return self._add_memory(tensor, name or "tensor", "state", memory)

    def _add_memory(self, tensor: Tensor, name: str, what: str, memory: Memory) -> Node:
        node = self._add(tensor._type, name, what, strides_of(tensor), memory)
        self._register(tensor, node, memory)
        return node

    def _register(self, base: Tensor, node: Node, memory: Memory) -> None:
        self._kept[id(base)] = base
        self._values[id(base)] = node
        self._memory_of[id(base)] = memory
        self._input_of[id(base)] = len(self.inputs) - 1

    def _memory(self, tensor: Tensor) -> Memory | None:
        """Return where a tensor that exists outside is found at a call; None for a traced one."""
        recipe = self._stand_ins.get(id(tensor))
        if isinstance(recipe, Given):
            return Argument(recipe.position)
        if isinstance(recipe, Existing):
            return recipe.memory
        return State(tensor) if tensor._array is not None else None

    def _name_of(self, memory: Memory) -> str:
        match memory:
            case Argument():
                return self._names[memory.position]
            case State():
                return self.watcher.name_of(memory.held) or "tensor"
            case GradientOf():
                return f"{self._name_of(memory.owner)}.grad"

    # -- arguments -------------------------------------------------------------------------------

    def stand_ins(self, by_value: frozenset[int]) -> list[Any]:
        """Return what the function gets in place of each leaf."""
        bases: dict[int, list[int]] = {}
        for position, leaf in enumerate(self._leaves):
            if isinstance(leaf, Tensor) and position not in self._pinned:
                base = leaf if leaf._base is None else leaf._base
                bases.setdefault(id(base), []).append(position)
                self._kept[id(base)] = base
        self._originals = {key: set(positions) for key, positions in bases.items()}
        groups = {position: group for group in bases.values() for position in group}
        made: dict[int, Tensor] = {}
        result: list[Any] = []
        for position, leaf in enumerate(self._leaves):
            if position in self._pinned:
                result.append(leaf)
            elif isinstance(leaf, Tensor):
                if id(leaf) not in made:
                    alone = all(self._leaves[other] is leaf for other in groups[position])
                    made[id(leaf)] = self._stand_in(leaf, position, alone, made)
                result.append(made[id(leaf)])
            elif type(leaf) is float and position not in by_value:
                result.append(self._number(position))
            else:
                result.append(leaf)
        return result

    def _number(self, position: int) -> Tensor:
        name = self._names[position]
        node = self._add(TensorType(float64, ()), name, "scalar", (), Number(position))
        stand_in = Tensor._from_node(node)
        stand_in._weak = True
        self._kept[id(stand_in)] = stand_in
        self._stand_ins[id(stand_in)] = Given(position)
        return stand_in

    def _stand_in(
        self, leaf: Tensor, position: int, alone: bool, made: dict[int, Tensor]
    ) -> Tensor:
        """Return a traced tensor for an argument; a shared base is an input of its own."""
        name = self._names[position]
        if alone or leaf._base is None:
            stand_in = _imitate(leaf)
            stand_in._node = self._add_memory(stand_in, name, "argument", Argument(position))
        else:
            base = made.get(id(leaf._base))
            if base is None:
                base = self._shared_base(leaf._base, position)
                made[id(leaf._base)] = base
            with capture.activated(self):
                view = base
                for op, params in leaf._view:
                    view = op(view, **params)
            stand_in = _imitate(leaf)
            stand_in._node, stand_in._seen = view._node, view._seen
            stand_in._base, stand_in._view, stand_in._counter = base, leaf._view, base._counter
        self._kept[id(stand_in)] = stand_in
        self._stand_ins[id(stand_in)] = Given(position)
        return stand_in

    def _shared_base(self, base: Tensor, position: int) -> Tensor:
        """Return the stand-in of a base that several arguments view."""
        for other, leaf in enumerate(self._leaves):
            if leaf is base:  # the base is an argument too
                return self._stand_in(base, other, True, {})
        stand_in = _imitate(base)
        memory = Argument(position, base=True)
        name = f"{self._names[position]}.base"
        stand_in._node = self._add_memory(stand_in, name, "argument", memory)
        self._stand_ins[id(stand_in)] = Existing(memory)
        return stand_in

    def _floats_below(self, tensor: Tensor) -> set[int]:
        """Return the leaves of the float arguments that alone decide a traced value."""
        if tensor._array is not None:
            return set()
        base = tensor if tensor._base is None else tensor._base
        node = self._values.get(id(base)) or tensor._node
        found: set[int] = set()
        binding_of = {
            item.node: binding for item, binding in zip(self.inputs, self.bindings, strict=True)
        }
        stack, seen = [node], set()
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            binding = binding_of.get(node)
            if isinstance(binding, Number):
                found.add(binding.position)
            elif binding is not None:
                return set()
            stack.extend(node.args)
        return found

    # -- the end ---------------------------------------------------------------------------------

    def undo(self) -> None:
        """Put every attribute of every tensor back as it was."""
        for owner, name, value in self._journal.values():
            setattr(owner, name, value)

    def recipe(self, leaf: Any, where: str) -> Recipe:
        """Return how a call makes one leaf of the result."""
        if not isinstance(leaf, Tensor):
            return self._plain_recipe(leaf, where)
        known = self._recipes.get(id(leaf))
        if known is None:
            self._kept[id(leaf)] = leaf
            known = self._recipes[id(leaf)] = self._tensor_recipe(leaf)
        return known

    def _plain_recipe(self, leaf: Any, where: str) -> Recipe:
        if self.watcher.may_return(leaf) or any(leaf is given for given in self._leaves):
            return Constant(leaf)
        raise CompileError(
            f"{where} is a {type(leaf).__name__}, made while tracing: a compiled function returns "
            "tensors and plain values, in tuples, lists, dicts and dataclasses"
        )

    def _tensor_recipe(self, tensor: Tensor) -> Recipe:
        if id(tensor) in self._stand_ins:
            return self._stand_ins[id(tensor)]
        if tensor._weak:
            return PythonNumber(self._fresh_number(tensor))
        if tensor._array is not None:
            owner = self._gradient_of.get(id(tensor))
            return Existing(State(tensor) if owner is None else _gradient_of(owner))
        if tensor._base is None:
            is_leaf = tensor._grad_fn is None
            return Fresh(self._fresh_number(tensor), tensor._requires_grad and is_leaf)
        base = self.recipe(tensor._base, "")
        attached = tensor._origin is not None and tensor._origin._view == ()
        if tensor._origin is not None and tensor._origin is not tensor._base:
            attached = False  # a view of a detach()
        return ViewOf(base, tensor._view, attached, tensor.requires_grad)

    def _fresh_number(self, tensor: Tensor) -> int:
        self.fresh.append(tensor)
        return len(self.fresh) - 1

    def value(self, base: Tensor) -> Node:
        """Return the node of a traced base's final value."""
        node = self._values.get(id(base)) or base._node
        assert node is not None
        return node

    def effects(self) -> Effects:
        """Return what the function did to tensors that exist outside; before `undo`."""
        grads: list[GradEffect] = []
        flags: list[tuple[Recipe, bool]] = []
        for owner, name, before in list(self._journal.values()):
            if not isinstance(owner, Tensor):
                continue
            after = getattr(owner, name)
            outside = self._outside(owner)
            if outside is None:
                if name == "_grad" and id(owner) in self._recipes and after is not None:
                    value = self.recipe(after, "a gradient")
                    grads.append(GradEffect(self._recipes[id(owner)], value))
                continue
            if name == "_grad":
                value = None if after is None else self.recipe(after, "a gradient")
                self._check_gradient(owner)
                grads.append(GradEffect(outside, value))
            elif name == "_requires_grad":
                if after is not before:
                    flags.append((outside, after))
            elif after is not before:
                self._refuse(owner, name)
        training = tuple(self.watcher.training_flags())
        written = tuple(self._memory_of[id(base)] for base in self._changed())
        for memory in written:
            self._check_writeable(memory)
        return Effects(written, tuple(grads), tuple(flags), training)

    def _check_writeable(self, memory: Memory) -> None:
        if not memory.tensor(self._leaves)._copied().flags.writeable:
            raise ValueError(
                f"the function writes into {self._name_of(memory)}, whose memory is read-only; "
                "clone() it first"
            )

    def _outside(self, tensor: Tensor) -> Recipe | None:
        """Return the recipe of a tensor that exists outside the call; None for a traced one."""
        if id(tensor) in self._stand_ins:
            return self._stand_ins[id(tensor)]
        return Existing(State(tensor)) if tensor._array is not None else None

    def _check_gradient(self, owner: Tensor) -> None:
        recipe = self._stand_ins.get(id(owner))
        if isinstance(recipe, Given):
            leaf = self._leaves[recipe.position]
            if leaf.grad_fn is not None:
                raise CompileError(
                    f"backward() reaches argument {self._names[recipe.position]}, which was "
                    "computed outside the compiled function, with history; detach() it, or let "
                    "backward() run outside"
                )

    def _refuse(self, owner: Tensor, name: str) -> None:
        text = self._name_of(self._memory(owner) or State(owner))
        if name in _HISTORY:
            raise CompileError(
                f"{text} was written in place with gradients recorded, which compiled code cannot "
                "carry outside; write inside `with jitnet.no_grad():`, or return a new tensor"
            )
        raise CompileError(
            f"{text}: compiled code cannot replace what a tensor is ({name.strip('_')}); "
            "write into it with copy_()"
        )

    def _changed(self) -> Iterator[Tensor]:
        """Yield the bases outside whose value is another at the end."""
        for key, base in self._written.items():
            number = self._input_of.get(key)
            if number is not None and self._values[key] is not self.inputs[number].node:
                yield base

    def outputs(self) -> list[Output]:
        """Return the graph's outputs: fresh values first, then new contents of inputs."""
        fresh = [
            Output(self.value(tensor), f"out{number}") for number, tensor in enumerate(self.fresh)
        ]
        written = []
        for base in self._changed():
            number = self._input_of[id(base)]
            written.append(Output(self._values[id(base)], self.inputs[number].name, number))
        return fresh + written

    def entry_grads(self) -> tuple[tuple[Memory, TensorKey | None], ...]:
        """Return the gradients that were read before they were set."""
        return tuple(self._grads.values())

    def owner_of(self, leaf: Tensor) -> Memory | None:
        """Return where a leaf of the tape is found at a call; None for one that was traced."""
        return self._memory(leaf)


def _gradient_of(owner: Memory) -> GradientOf:
    assert isinstance(owner, (Argument, State))
    return GradientOf(owner)


def _imitate(leaf: Tensor) -> Any:
    """Return a traced base that looks like a tensor: its class, layout, gradient and hooks."""
    made = object.__new__(type(leaf))
    model = Tensor._from_node(make(graph_input, kind=leaf._type))
    for name in _SLOTS:
        setattr(made, name, getattr(model, name))
    made._strides = strides_of(leaf)
    made._requires_grad = leaf.requires_grad
    made._grad = leaf._grad
    made._hooks = leaf._hooks
    if hasattr(leaf, "__dict__"):
        made.__dict__.update(leaf.__dict__)
    return made


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
    floats = {i for i, leaf in enumerate(leaves) if type(leaf) is float}
    while True:
        try:
            return _trace_once(function, leaves, tree, names, by_value, pinned), by_value
        except Again as again:
            by_value, pinned = by_value | again.by_value, again.pinned
        except CompileError:
            raise
        except Exception:
            if floats <= by_value:
                raise
            # Python code that wants a real float (math.sqrt, an `if`) may have met a tensor.
            by_value = by_value | floats


def _trace_once(
    function: Callable[..., Any],
    leaves: Sequence[Any],
    tree: Tree,
    names: Sequence[str],
    by_value: frozenset[int],
    pinned: frozenset[int],
) -> Traced:
    capturing = Trace(leaves, names, pinned, definition(function))
    stand_ins = capturing.stand_ins(by_value)
    args, kwargs = rebuild(tree, iter(stand_ins))
    grad_mode = mode.enabled, mode.inference
    watcher = capturing.watcher
    watcher.begin(function, [leaf for leaf in leaves if not isinstance(leaf, (Tensor, float))])
    try:
        with capture.activated(capturing), watcher.following():
            result = function(*args, **kwargs)
        _check_arguments(stand_ins, tree, args, kwargs)
        if (mode.enabled, mode.inference) != grad_mode:
            raise CompileError(
                "the function leaves gradients switched on or off; use `with jitnet.no_grad():` "
                "or `with jitnet.set_grad_enabled(...):` inside it"
            )
        return _finish(capturing, function, result)
    except BaseException:
        watcher.restore()
        raise
    finally:
        mode.enabled, mode.inference = grad_mode
        capturing.undo()


def _check_arguments(stand_ins: list[Any], tree: Tree, args: Any, kwargs: Any) -> None:
    """Raise CompileError if the function changed a list or dict among its arguments."""
    after, tree_after = flatten((args, kwargs))
    if tree_after == tree and all(map(lambda a, b: a is b, after, stand_ins)):
        return
    raise CompileError(
        "the function changes a list, dict or dataclass among its arguments; compiled code "
        "changes tensors only: return the new values"
    )


def _finish(capturing: Trace, function: Callable[..., Any], result: Any) -> Traced:
    """Return the graph and all else that a call needs, once the function has returned."""
    result_leaves, tree = flatten(result)
    places = paths(tree, "the result")
    recipes = tuple(map(capturing.recipe, result_leaves, places))
    effects = capturing.effects()
    capturing.watcher.check()
    graph = Graph(
        getattr(function, "__qualname__", type(function).__name__).replace("<locals>.", ""),
        tuple(capturing.inputs),
        tuple(capturing.outputs()),
    )
    _check_inputs(graph)
    with_history = [
        (number, tensor)
        for number, tensor in enumerate(capturing.fresh)
        if tensor._grad_fn is not None
    ]
    parts = split(capturing, graph, with_history)
    return Traced(
        parts.forward,
        tuple(capturing.bindings),
        tree,
        recipes,
        effects,
        capturing.entry_grads(),
        capturing.watcher,
        {position: capturing._leaves[position] for position in capturing._pinned},
        parts.backward,
        parts.spent,
    )


def _check_inputs(graph: Graph) -> None:
    """Raise CompileError for a value of another trace."""
    known = {item.node for item in graph.inputs}
    for node in graph:
        if node.op is graph_input and node not in known:
            raise CompileError(
                f"the function uses a tensor {node.type} that was made while something else was "
                "traced, and has no value; return tensors from compiled functions"
            )


def definition(function: Callable[..., Any]) -> str:
    """Return where a function (or a module's forward) is defined: "model.py:31"."""
    function = getattr(function, "forward", function)
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return type(function).__name__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def leaf_names(function: Callable[..., Any], tree: Tree) -> list[str]:
    """Return the name of every leaf of (args, kwargs): `x`, `batch[0]`, `rest[1]["y"]`."""
    args, kwargs = tree.children  # type: ignore[union-attr]
    found: list[str] = []
    params = _positional_names(function)
    for position, child in enumerate(args.children):
        name = params[position] if position < len(params) else None
        if name is None:
            rest = _rest_name(function)
            name = f"{rest}[{position - len(params)}]"
        found += paths(child, name)
    for key, child in zip(kwargs.keys, kwargs.children, strict=True):
        found += paths(child, str(key))
    return found


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin, which tells nothing
        return []


def _positional_names(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [param.name for param in _parameters(function) if param.kind in kinds]


def _rest_name(function: Callable[..., Any]) -> str:
    kind = inspect.Parameter.VAR_POSITIONAL
    return next((param.name for param in _parameters(function) if param.kind is kind), "args")
