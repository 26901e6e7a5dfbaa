"""One compiled variant of a function: its guards, its program, and how a call runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, Protocol

import numpy as np

from jitnet.compiler.ir.graph import Graph
from jitnet.runtime.memory import aligned_empty

from .backward import CompiledNode, SpentNode
from .bindings import Argument, GradientOf, Hyper, Number, State
from .guards import Guards, Tensors
from .results import Existing, Fresh, Given, Made, Recipe, ViewOf
from .signature import tensor_key
from .tensor import Tensor
from .trace import GradEffect, Traced
from .tree import Leaf, rebuild

Array = np.ndarray[Any, Any]


class Executable(Protocol):
    """A graph that can run."""

    def bind(self, number: int, array: Array) -> None:
        """Let a graph input be this array in every call."""

    def entry(self, inputs: Sequence[int]) -> Callable[..., int]:
        """Return a function of an array for each of these inputs and each fresh output.

        It returns the status: 0 if all went well.
        """

    def error(self, status: int) -> Exception:
        """Return the exception for a status."""


Build = Callable[[Graph], Executable]


class Variant:
    """A traced function, compiled.

    reason: why it was compiled, in one line.  seconds: of tracing.
    """

    def __init__(self, traced: Traced, build: Build, reason: str, seconds: float) -> None:
        self.traced = traced
        self.reason = reason
        self.seconds = seconds
        self.executable = build(traced.graph)
        self.guards = self._guards()
        self._lock = threading.Lock()
        self._backward: Callable[..., int] | None = None
        self._backward_executable: Executable | None = None
        self._build = build
        self._bind()
        self._plan_outputs()

    # -- preparing -------------------------------------------------------------------------------

    def _guards(self) -> Guards:
        watcher = self.traced.watcher
        held = {
            id(item.held): item.held for item in self.traced.bindings if isinstance(item, State)
        }
        reached = {
            key: tensor for key, tensor in watcher.tensors.items() if id(tensor._base) in held
        }
        tensors = list({**held, **reached}.values())
        names = [watcher.name_of(tensor) or "tensor" for tensor in tensors]
        return Guards([*watcher.guards().watches, Tensors(tensors, names)])

    def _bind(self) -> None:
        """Give the program what is the same in every call; note what is not."""
        bindings = self.traced.bindings
        scalars = [
            (number, binding)
            for number, binding in enumerate(bindings)
            if isinstance(binding, (Number, Hyper))
        ]
        self._numbers = np.zeros(len(scalars), np.float64)
        self._scalars = tuple(binding for _, binding in scalars)
        for place, (number, _) in enumerate(scalars):
            self.executable.bind(number, self._numbers[place : place + 1].reshape(()))
        passed: list[int] = []
        self._passed: list[Argument | GradientOf] = []
        held: set[int] = set()
        for number, binding in enumerate(bindings):
            if isinstance(binding, State):
                self.executable.bind(number, binding.held._copied())
                held.add(id(binding.held))
            elif isinstance(binding, (Argument, GradientOf)):
                passed.append(number)
                self._passed.append(binding)
        self._held = held
        self._call = self.executable.entry(passed)

    def _plan_outputs(self) -> None:
        graph, effects = self.traced.graph, self.traced.effects
        self._entry_grads = self.traced.entry_grads
        outputs = [output for output in graph.outputs if output.into is None]
        self._fresh = tuple((output.node.shape, output.node.dtype.numpy) for output in outputs)
        self._returned = _fresh_of(self.traced.recipes)
        read = [memory for memory, _ in self._entry_grads]
        self._reusable = tuple(
            (memory, effect.value.output)
            for effect in effects.grads
            if isinstance(effect.value, Fresh) and effect.value.output not in self._returned
            if (memory := _memory(effect.owner)) is not None
            and not any(_same_memory(memory, other) for other in read)
        )
        self._pinned = tuple(self.traced.pinned.items())

    # -- choosing --------------------------------------------------------------------------------

    def fits(self, leaves: Sequence[Any]) -> bool:
        """Whether a call with this signature may use the variant."""
        for position, held in self._pinned:
            if leaves[position] is not held:
                return False
        for position, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor):
                base = leaf if leaf._base is None else leaf._base
                if id(base) in self._held and position not in self.traced.pinned:
                    return False
        for memory, expected in self._entry_grads:
            grad = memory.tensor(leaves)._grad
            if (grad is None) != (expected is None):
                return False
            if grad is not None and tensor_key(grad) != expected:
                return False
        return self.guards.hold()

    def misfit(self, leaves: Sequence[Any]) -> str:
        """Return why a call with this signature cannot use the variant; "" if it can."""
        change = self.guards.first_change()
        if change is not None:
            return str(change)
        if not self.fits(leaves):
            return "other tensors share memory, or have a gradient"
        return ""

    # -- running ---------------------------------------------------------------------------------

    def run(self, leaves: Sequence[Any]) -> Any:
        """Run the program and return what the function returns."""
        inputs = [binding.tensor(leaves)._array for binding in self._passed]
        arrays: list[Any] = [None] * len(self._fresh)
        kept = self._reuse(leaves, arrays) if self._reusable else ()
        for number, (shape, dtype) in enumerate(self._fresh):
            if arrays[number] is None:
                arrays[number] = aligned_empty(shape, dtype)
        with self._lock:
            for place, scalar in enumerate(self._scalars):
                self._numbers[place] = scalar.value(leaves)
            status = self._call(*inputs, *arrays)
        if status:
            raise self.executable.error(status)
        made = Made(leaves, arrays, dict(kept))
        return self._commit(made)

    def _reuse(self, leaves: Sequence[Any], arrays: list[Any]) -> list[tuple[int, Tensor]]:
        """Choose the gradients that nobody else holds as memory for the new ones."""
        kept: list[tuple[int, Tensor]] = []
        for owner, number in self._reusable:
            grad = owner.tensor(leaves)._grad
            shape, dtype = self._fresh[number]
            if grad is None or getrefcount(grad) != _ALONE or grad._base is not None:
                continue
            array = grad._array
            if getrefcount(array) != _ALONE or array.shape != shape or array.dtype != dtype:
                continue
            if array.flags.c_contiguous and array.flags.writeable and not grad._requires_grad:
                arrays[number] = array
                kept.append((number, grad))
        return kept

    def _commit(self, made: Made) -> Any:
        """Do what the function does to tensors, and return its result."""
        effects = self.traced.effects
        for memory in effects.written:
            memory.tensor(made.leaves)._counter.count += 1
        if self.traced.backward is not None or self.traced.spent:
            self._record(made)
        results = [recipe.make(made) for recipe in self.traced.recipes]
        new_grads = [_gradient(effect, made) for effect in effects.grads]
        for effect, grad in zip(effects.grads, new_grads, strict=True):
            effect.owner.make(made)._grad = grad
        for owner, flag in effects.requires_grad:
            owner.make(made).requires_grad_(flag)
        for module, flag in effects.training:
            module.training = flag
        if isinstance(self.traced.tree, Leaf):
            return results[0]
        return rebuild(self.traced.tree, iter(results))

    # -- gradients -------------------------------------------------------------------------------

    def _record(self, made: Made) -> None:
        """Give the results a place on the tape."""
        for number, why in self.traced.spent:
            _attach(made, number, SpentNode(why), 0)
        backward = self.traced.backward
        if backward is None:
            return
        owners = [owner.tensor(made.leaves) for owner in backward.owners]
        kept = [self._input_tensor(number, made.leaves) for number in backward.inputs]
        saved = [made.arrays[number] for number in backward.saved]
        for number in backward.saved:
            if number in self._returned:
                self._returned[number].make(made)
        node = CompiledNode(self.traced.graph.name, owners, kept, saved, backward, self)
        for place, number in enumerate(backward.outputs):
            _attach(made, number, node, place)
        node.watch_outputs([made.tensors.get(number) for number in backward.saved])

    def _input_tensor(self, number: int, leaves: Sequence[Any]) -> Any:
        """Return the tensor (or the number, as an array) that an input is in this call."""
        binding = self.traced.bindings[number]
        if isinstance(binding, (Number, Hyper)):
            return np.asarray(binding.value(leaves), np.float64)
        return binding.tensor(leaves)

    def run_backward(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the gradients of the owners, given the backward graph's inputs."""
        backward = self.traced.backward
        assert backward is not None
        with self._lock:
            if self._backward is None:
                self._backward_executable = self._build(backward.graph)
                self._backward = self._backward_executable.entry(range(len(backward.graph.inputs)))
        outs = [
            aligned_empty(output.node.shape, output.node.dtype.numpy)
            for output in backward.graph.outputs
        ]
        status = self._backward(*arrays, *outs)
        if status:
            assert self._backward_executable is not None
            raise self._backward_executable.error(status)
        return outs

    @property
    def executables(self) -> list[Executable]:
        """The programs made so far: forward, and backward once it was needed."""
        both = [self.executable, self._backward_executable]
        return [executable for executable in both if executable is not None]


def _attach(made: Made, number: int, node: Any, place: int) -> None:
    tensor = Fresh(number, False).make(made)
    tensor._requires_grad = True
    tensor._grad_fn = node
    tensor._output_nr = place


def _gradient(effect: GradEffect, made: Made) -> Tensor | None:
    if effect.value is None:
        return None
    tensor: Tensor = effect.value.make(made)
    return tensor


def _memory(recipe: Recipe) -> Argument | State | GradientOf | None:
    """Return where a tensor is that exists before the call."""
    match recipe:
        case Given():
            return Argument(recipe.position)
        case Existing():
            return recipe.memory
        case _:
            return None


def _same_memory(a: Any, b: Any) -> bool:
    if isinstance(a, Argument) and isinstance(b, Argument):
        return a.position == b.position
    return isinstance(a, State) and isinstance(b, State) and a.held is b.held


def _fresh_of(recipes: Sequence[Recipe]) -> dict[int, Fresh]:
    """Return the outputs that the results are made of."""
    found: dict[int, Fresh] = {}
    stack: list[Any] = list(recipes)
    while stack:
        recipe = stack.pop()
        if isinstance(recipe, Fresh):
            found[recipe.output] = recipe
        stack.extend([recipe.base] if isinstance(recipe, ViewOf) else [])
    return found


class _Holder:
    """Holds an object as a tensor holds its gradient."""

    __slots__ = ("held",)


def _references() -> int:
    """Return what getrefcount says of an object that one attribute and one variable hold."""
    holder = _Holder()
    holder.held = object()
    held = holder.held
    return getrefcount(held)


_ALONE = _references()
