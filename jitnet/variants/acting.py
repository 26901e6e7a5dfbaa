"""What a call of a variant does: inputs, outputs, the program, gradients, the result."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np

from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.runtime import acts, endings, looks
from jitnet.runtime.holders import Pattern, Writes
from jitnet.runtime.instruction import Instruction
from jitnet.runtime.memory import aligned_empty, rooms_for

from ..device import Device
from ..tensor import Tensor
from ..tensors.holder import HOLDER
from ..trace import Traced
from ..tracing.bindings import Argument, Binding, Hyper, Memory, Number, State
from ..tracing.outcome import GradEffect
from ..tracing.results import Constant, Existing, Fresh, Given, Recipe, fresh_outputs
from ..tree import Branch, Leaf
from .backward import SpentNode
from .looking import seek

if TYPE_CHECKING:
    from jitnet.compiler.compiled import Compiled
    from jitnet.compiler.cuda_compiled import CudaCompiled

    from .native import Native

Array = np.ndarray[Any, Any]


class Executable(Protocol):
    """A graph that can run: where, and what a call does there.

    phases: seconds by step, from graph to program.
    """

    device: Device
    phases: dict[str, float]

    @property
    def compiled(self) -> Compiled | CudaCompiled:
        """The graph, and every stage on the way to code."""

    def acts(self, traced: Traced, finish: Callable[..., Any]) -> list[Instruction]:
        """Return what a call of a forward program does, given the call's leaves; see Acts."""

    def backward_acts(self) -> list[Instruction]:
        """Return what a call of a backward program does: arrays in, a tuple of gradients out."""

    def first_try(self, call: Callable[..., Any], held: set[int]) -> Callable[..., Any]:
        """Return a variant's call, or one that first looks at what native code cannot see.

        held: ids of the tensors that the function reached by itself.
        """


Build = Callable[[Graph, Device], Executable]


def backward_acts(executable: Native, graph: Graph) -> list[Instruction]:
    """Return what a call of a backward program does: arrays as arguments, a tuple of gradients."""
    count = len(graph.inputs)
    found: list[Instruction] = []
    for number in range(count):
        found += [looks.Argument(number), acts.Pointer(number)]
    for number, output in enumerate(graph.outputs):
        pattern = _pattern(output.node.shape, output.node.dtype.numpy, False)
        found.append(_make(number, count + number, output.node, pattern))
    return [
        *found,
        executable.instruction(range(count)),
        _check(executable),
        endings.Finish(lambda *everything: everything[count:], len(graph.outputs)),
    ]


class Acts:
    """Writes down what a call of a forward program does.

    finish: takes the call's leaves and the fresh outputs, as tensors, and returns the result where
    that is more than one of these.
    """

    def __init__(self, traced: Traced, executable: Native, finish: Callable[..., Any]) -> None:
        self._traced = traced
        self._executable = executable
        self._finish = finish
        self._passed: list[int] = []  # inputs that each call gives
        self._numbers = 0
        self._nodes = [output.node for output in traced.graph.outputs if output.into is None]
        self._given = gradients_given(traced)

    def instructions(self) -> list[Instruction]:
        """Return everything from the program's first argument to the result."""
        gathered = [*self._inputs(), *self._outputs()]
        return [
            *gathered,
            *self._prepared(),
            self._executable.instruction(self._passed),
            _check(self._executable),
            *self._counts(),
            *self._gradients(),
            self._result(),
        ]

    def _inputs(self) -> list[Instruction]:
        """Bind the memory of state for good; return what finds the other inputs."""
        found: list[Instruction] = []
        for number, binding in enumerate(self._traced.bindings):
            if isinstance(binding, State):
                self._executable.bind(number, binding.held._copied())
            else:
                found += self._input(binding, len(self._passed))
                self._passed.append(number)
        return found

    def _prepared(self) -> list[Instruction]:
        """Return what sees that values made of lasting inputs are made of their present state."""
        prepare = self._executable.preparation()
        if prepare is None:
            return []
        pairs = zip(self._traced.graph.inputs, self._traced.bindings, strict=True)
        held = [
            binding.held for item, binding in pairs if item.lasting and isinstance(binding, State)
        ]
        writes = Writes(HOLDER, held)
        return [acts.Prepare(writes, HOLDER, lambda: writes.read(prepare))]

    def _input(self, binding: Binding, place: int) -> list[Instruction]:
        match binding:
            case Number():
                source: list[Instruction] = [looks.Argument(binding.position)]
            case Hyper():
                keys = [binding.key] if binding.index is None else [binding.key, binding.index]
                source = [looks.Object(binding.group), *map(acts.Subscript, keys)]
            case _:
                array = looks.Slot(HOLDER.place("array"))
                return [*seek(binding), array, acts.Pointer(place)]
        self._numbers += 1
        return [*source, acts.Number(place, self._numbers - 1)]

    def _outputs(self) -> list[Instruction]:
        """Return what makes the outputs; a gradient's memory serves again if nobody holds it."""
        fresh, returned = fresh_outputs(self._recipes()), fresh_outputs(self._traced.recipes)
        owners = {number: owner for owner, number in self._given if number not in returned}
        spent = dict(self._traced.spent)
        found: list[Instruction] = []
        for number, node in enumerate(self._nodes):
            place = len(self._passed) + number
            if number in owners:
                like = _packed(node.shape, node.dtype.numpy)
                found += [*seek(owners[number]), acts.Reuse(number, place, like, HOLDER)]
            wants_gradient = number in fresh and fresh[number].requires_grad
            pattern = _pattern(node.shape, node.dtype.numpy, wants_gradient)
            if number in spent:
                pattern = _spent_pattern(pattern, spent[number])
            found.append(_make(number, place, node, pattern))
        return found

    def _recipes(self) -> list[Recipe]:
        grads = [effect.value for effect in self._traced.effects.grads]
        known = [recipe for recipe in grads if recipe is not None]
        set_ = [recipe for each in self._traced.effects.entries for recipe in each.recipes]
        return [*self._traced.recipes, *known, *set_]

    def _counts(self) -> list[Instruction]:
        """Return what notes which memory was written."""
        found: list[Instruction] = []
        for memory in self._traced.effects.written:
            found += [*seek(memory), endings.Count(HOLDER)]
        return found

    def _gradients(self) -> list[Instruction]:
        """Return what sets the gradients."""
        found: list[Instruction] = []
        for owner, number in self._given:
            found += [*seek(owner), endings.Give(number, HOLDER)]
        return found

    def _result(self) -> Instruction:
        """Return what returns the result: as it is where that is all, or what `finish` returns."""
        traced, effects = self._traced, self._traced.effects
        remains = (
            traced.backward is not None
            or gradients_left(traced)
            or effects.requires_grad
            or effects.training
            or effects.entries
        )
        finish = endings.Finish(self._finish, len(self._nodes))
        return finish if remains else _plain_result(traced) or finish


def _plain_result(traced: Traced) -> Instruction | None:
    """Return what returns a result of outputs or a constant; None for any other."""
    numbers = [recipe.output for recipe in traced.recipes if isinstance(recipe, Fresh)]
    match traced.tree:
        case Leaf():
            recipe = traced.recipes[0]
            if isinstance(recipe, Constant):
                return endings.ReturnThis(recipe.value)
            return endings.Return(*numbers) if numbers else None
        case Branch(type=kind, children=children) if kind is tuple and children:
            is_flat = all(isinstance(child, Leaf) for child in children)
            if is_flat and len(numbers) == len(children):
                return endings.ReturnTuple(np.array(numbers, np.int64), len(numbers))
    return None


def _check(executable: Native) -> Instruction:
    def fail(status: int) -> NoReturn:
        raise executable.error(status)

    return acts.Check(fail)


# -- outputs ------------------------------------------------------------------------------------


def _make(number: int, place: int, node: Node, pattern: Pattern) -> Instruction:
    shape, dtype = node.shape, node.dtype.numpy
    rooms = rooms_for(shape, dtype)
    if rooms is not None:
        return acts.FreshInRoom(number, place, rooms, pattern)
    return acts.Fresh(number, place, shape, dtype, aligned_empty, pattern)


@lru_cache(maxsize=1024)
def _pattern(shape: tuple[int, ...], dtype: np.dtype[Any], wants_gradient: bool) -> Pattern:
    """Return what new outputs are like."""
    without_memory = np.broadcast_to(np.zeros((), dtype), shape)
    return Pattern(HOLDER, Tensor._from_array(without_memory, wants_gradient))


def _spent_pattern(pattern: Pattern, why: str) -> Pattern:
    """Return the same with a history that cannot be walked."""
    sample = Tensor._from_array(pattern.sample._array, requires_grad=True)
    sample._grad_fn = SpentNode(why)
    return Pattern(HOLDER, sample)


def _packed(shape: tuple[int, ...], dtype: np.dtype[Any]) -> looks.IsArray:
    """Return the look at a C-contiguous array that may be written."""
    strides = [step * dtype.itemsize for step in contiguous_strides(shape)]
    return looks.IsArray(dtype, len(shape), np.array([*shape, *strides], np.int64), 1)


# -- gradients ----------------------------------------------------------------------------------


def gradients_given(traced: Traced) -> list[tuple[Memory, int]]:
    """Return the tensors whose gradient native code sets, and the outputs that these are."""
    found = [_given(traced, effect) for effect in traced.effects.grads]
    return [each for each in found if each is not None]


def gradients_left(traced: Traced) -> list[GradEffect]:
    """Return what else becomes of gradients."""
    return [effect for effect in traced.effects.grads if _given(traced, effect) is None]


def _given(traced: Traced, effect: GradEffect) -> tuple[Memory, int] | None:
    """Return the owner and the output, if a tensor from outside gets one as its gradient.

    None if the function has read that gradient: what it was may be part of the result.
    """
    owner = _outside(effect.owner)
    if owner is None or not isinstance(effect.value, Fresh):
        return None
    if any(_same(owner, memory) for memory, _ in traced.entry_grads):
        return None
    return owner, effect.value.output


def _outside(recipe: Recipe) -> Memory | None:
    """Return where a tensor is that is an argument or state; None for any other."""
    match recipe:
        case Given():
            return Argument(recipe.position)
        case Existing(memory=Argument() | State()):
            return recipe.memory
        case _:
            return None


def _same(a: Memory, b: Memory) -> bool:
    """Whether two places hold the same tensor."""
    if isinstance(a, Argument) and isinstance(b, Argument):
        return a.position == b.position
    return isinstance(a, State) and isinstance(b, State) and a.held is b.held
