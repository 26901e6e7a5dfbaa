"""What a traced function did: its result, what it wrote, gradients and flags that it set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jitnet.compiler.ir.graph import Output

from ..errors import CompileError
from ..guards.appending import Log
from ..guards.assigned import Setting, containers_in, tensors_in
from ..guards.counting import Count
from ..guards.plain import MISSING
from ..guards.signature import TensorKey
from ..tensor import Tensor, base_of
from ..tree import Tree, rebuild
from .bindings import Argument, Attribute, Memory, State
from .capturing import Again, Trace, gradient_of
from .results import (
    Constant,
    Counted,
    Existing,
    Fresh,
    Given,
    Made,
    PythonNumber,
    Recipe,
    ViewOf,
)

_HISTORY = ("_grad_fn", "_output_nr", "_origin_fn")


@dataclass(frozen=True, eq=False)
class GradEffect:
    """After a call, `grad` of a tensor is what the recipe makes."""

    owner: Recipe
    value: Recipe | None


@dataclass(frozen=True, eq=False)
class EntryEffect:
    """After a call, an attribute, a global or an entry of a container is what recipes make."""

    entries: Any
    key: Any
    structural: bool  # a change of it moves nn.epoch
    tree: Tree | None  # None if the entry goes away
    recipes: tuple[Recipe, ...]

    def make(self, made: Made) -> Any:
        """Return what the entry becomes in this call."""
        if self.tree is None:
            return MISSING
        return rebuild(self.tree, (recipe.make(made) for recipe in self.recipes))


@dataclass(frozen=True, eq=False)
class Effects:
    """What a call does to tensors besides writing the graph's outputs."""

    written: tuple[Memory, ...]  # tensors whose memory the graph overwrites
    grads: tuple[GradEffect, ...]
    requires_grad: tuple[tuple[Recipe, bool], ...]
    training: tuple[tuple[Any, bool], ...]  # modules whose flag is set
    entries: tuple[EntryEffect, ...]


class Outcome:
    """Turns what a trace saw into recipes, effects and the graph's outputs; before it is undone."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._recipes: dict[int, Recipe] = {}
        self.fresh: list[Tensor] = []

    def recipe(self, leaf: Any, where: str) -> Recipe:
        """Return how a call makes one leaf of the result."""
        if not isinstance(leaf, Tensor):
            return self._plain_recipe(leaf, where)
        known = self._recipes.get(id(leaf))
        if known is None:
            self._trace.kept[id(leaf)] = leaf
            known = self._recipes[id(leaf)] = self._tensor_recipe(leaf)
        return known

    def _plain_recipe(self, leaf: Any, where: str) -> Recipe:
        if type(leaf) is Count:
            return Counted(leaf)
        if isinstance(leaf, Log):
            return Constant(leaf.owner)
        if self._trace.watcher.may_return(leaf) or any(
            leaf is given for given in self._trace.leaves
        ):
            return Constant(leaf)
        raise CompileError(
            f"{where} is a {type(leaf).__name__}, made while tracing: a compiled function returns "
            "tensors and plain values, in tuples, lists, dicts and dataclasses"
        )

    def _tensor_recipe(self, tensor: Tensor) -> Recipe:
        if id(tensor) in self._trace.stands_for:
            return self._trace.stands_for[id(tensor)]
        if tensor._weak:
            return PythonNumber(self._fresh_number(tensor))
        if tensor._array is not None:
            owner = self._trace.gradient_of.get(id(tensor))
            return Existing(State(tensor) if owner is None else gradient_of(owner))
        if tensor._base is None:
            is_leaf = tensor._grad_fn is None
            return Fresh(self._fresh_number(tensor), tensor._requires_grad and is_leaf)
        base = self.recipe(tensor._base, "")
        attached = tensor._origin is tensor._base  # not a view of a detach()
        return ViewOf(base, tensor._view, attached, tensor.requires_grad)

    def _fresh_number(self, tensor: Tensor) -> int:
        self.fresh.append(tensor)
        return len(self.fresh) - 1

    def effects(self) -> Effects:
        """Return what the function did to tensors that exist outside; before `undo`."""
        grads: list[GradEffect] = []
        flags: list[tuple[Recipe, bool]] = []
        for owner, name, before in list(self._trace.journaled.values()):
            if not isinstance(owner, Tensor):
                continue
            after = getattr(owner, name)
            outside = self._outside(owner)
            if name == "_grad":
                recipe = outside or self._recipes.get(id(owner))  # or of a result
                if recipe is not None:
                    grads.append(self._grad_effect(recipe, owner, after))
            elif outside is None or after is before or self._is_own(owner):
                continue
            elif name == "_requires_grad":
                flags.append((outside, after))
            else:
                self._refuse(owner, name)
        training = tuple(self._trace.watcher.training_flags())
        entries = tuple(self._entries())
        written: list[Memory] = []
        for base in self._changed():
            written.append(self._trace.memory_of[id(base)])
            self._check_writeable(base, written[-1])
        return Effects(tuple(written), tuple(grads), tuple(flags), training, entries)

    def _is_own(self, tensor: Tensor) -> bool:
        """Whether nobody outside will see what became of a tensor: an alias that stays inside."""
        return id(tensor) in self._trace.adopted and id(tensor) not in self._recipes

    def _entries(self) -> Iterator[EntryEffect]:
        """Yield the entries that calls set, put back as they were; others stay, as errors."""
        trace, watcher = self._trace, self._trace.watcher
        settings = watcher.entries_set()
        wanted = watcher.followed.wanted(settings)
        if wanted:
            raise Again(frozenset(), trace.pinned, wanted)
        made = [(setting, *self._made_of(setting)) for setting in settings]
        for setting, tree, recipes in made:
            state = {
                place: trace.input_of[id(base_of(tensor))]
                for place, tensor in tensors_in(setting.before).items()
                if id(base_of(tensor)) in trace.input_of
            }
            if not all(self._is_reached_once(number, setting) for number in state.values()):
                continue
            watcher.leave_to_calls(setting, bool(state))
            for place, number in state.items():
                trace.bindings[number] = Attribute(setting.entries, setting.key, place)
            structural = setting.watch.structural
            yield EntryEffect(setting.entries, setting.key, structural, tree, recipes)
        for inside, added in watcher.followed.filled():
            leaves, tree = watcher.taken_apart(added)
            recipes = tuple(self.recipe(leaf, "what is appended") for leaf in leaves)
            yield EntryEffect(inside, None, False, tree, recipes)

    def _made_of(self, setting: Setting) -> tuple[Tree | None, tuple[Recipe, ...]]:
        """Return how calls make what an entry is set to."""
        if setting.after is MISSING:
            return None, ()
        leaves, tree = self._trace.watcher.taken_apart(setting.after)
        return tree, tuple(self.recipe(leaf, setting.path) for leaf in leaves)

    def _is_reached_once(self, number: int, setting: Setting) -> bool:
        """Whether an input is state that is read only, and found by this entry alone."""
        trace, binding = self._trace, self._trace.bindings[number]
        if not isinstance(binding, State):
            return False
        if binding.held.requires_grad and binding.held.grad_fn is None:
            return False  # its gradient would be another tensor's in the next call
        base = base_of(binding.held)
        if id(base) in trace.written or any(
            isinstance(trace.memory_of.get(written), Argument) for written in trace.written
        ):
            return False
        returned = [each.memory for each in self._recipes.values() if isinstance(each, Existing)]
        if any(isinstance(memory, State) and base_of(memory.held) is base for memory in returned):
            return False
        inside = {id(part) for part in containers_in(setting.before)}
        return not any(
            isinstance(value, (Tensor, tuple))
            and any(base_of(tensor) is base for tensor in tensors_in(value).values())
            for other in trace.watcher.watches
            for name, value in zip(other.keys, other.expected, strict=True)
            if id(other.owner) not in inside
            and (other is not setting.watch or name is not setting.key)
        )

    def _grad_effect(self, recipe: Recipe, owner: Tensor, grad: Tensor | None) -> GradEffect:
        if grad is None:
            return GradEffect(recipe, None)
        self._check_gradient(owner)
        return GradEffect(recipe, self.recipe(grad, "a gradient"))

    def _check_writeable(self, base: Tensor, memory: Memory) -> None:
        trace = self._trace
        stands_in = base._array is None
        tensor = memory.tensor(trace.leaves) if stands_in else base
        if not tensor._array.flags.writeable:  # type: ignore[union-attr]
            raise ValueError(
                f"the function writes into {trace.name_of(memory)}, whose memory is read-only; "
                "clone() it first"
            )

    def _outside(self, tensor: Tensor) -> Recipe | None:
        """Return the recipe of a tensor that exists outside the call; None for a traced one."""
        if id(tensor) in self._trace.stands_for:
            return self._trace.stands_for[id(tensor)]
        return Existing(State(tensor)) if tensor._array is not None else None

    def _check_gradient(self, owner: Tensor) -> None:
        recipe = self._trace.stands_for.get(id(owner))
        if isinstance(recipe, Given):
            leaf = self._trace.leaves[recipe.position]
            if leaf.grad_fn is not None:
                raise CompileError(
                    f"backward() reaches argument {self._trace.names[recipe.position]}, which was "
                    "computed outside the compiled function, with history; detach() it, or let "
                    "backward() run outside"
                )
            if leaf._hooks:
                raise CompileError(
                    f"backward() inside the compiled function reaches argument "
                    f"{self._trace.names[recipe.position]}, which has hooks; register them inside"
                )

    def _refuse(self, owner: Tensor, name: str) -> None:
        text = self._trace.name_of(self._trace.memory(owner) or State(owner))
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
        for key, base in self._trace.written.items():
            number = self._trace.input_of.get(key)
            if (
                number is not None
                and self._trace.values[key] is not self._trace.inputs[number].node
            ):
                yield base

    def outputs(self) -> list[Output]:
        """Return the graph's outputs: fresh values first, then new contents of inputs."""
        fresh = [
            Output(self._trace.value(tensor), f"out{number}")
            for number, tensor in enumerate(self.fresh)
        ]
        written = []
        for base in self._changed():
            number = self._trace.input_of[id(base)]
            written.append(
                Output(self._trace.values[id(base)], self._trace.inputs[number].name, number)
            )
        return fresh + written

    def entry_grads(self) -> tuple[tuple[Memory, TensorKey | None], ...]:
        """Return the gradients that were read before they were set."""
        return tuple(self._trace.grads.values())
