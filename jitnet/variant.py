"""One compiled variant of a function: when it may be used, and what a call of it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitnet.runtime.memory import aligned_empty

from .backward import CompiledNode, SpentNode
from .bindings import Argument, Hyper, Number, State
from .guards import Guards
from .launch import Array, Build, Executable, Launch
from .quick import quick_for
from .results import Fresh, Made, Recipe, ViewOf
from .signature import Signature, tensor_key
from .tensor import Tensor
from .trace import Traced
from .tree import Leaf, rebuild
from .watches import Tensors


class Variant:
    """A traced function, compiled.

    reason: why it was compiled, in one line.  seconds: of tracing.
    """

    def __init__(
        self, traced: Traced, signature: Signature, build: Build, reason: str, seconds: float
    ) -> None:
        self.traced = traced
        self.reason = reason
        self.seconds = seconds
        self.executable = build(traced.graph)
        self.guards = self._guards()
        traced.watcher = None  # it keeps all objects that were reached
        self._returned = _fresh_of(traced.recipes)
        self._launch = Launch(traced, self.executable, set(self._returned))
        self._quick = quick_for(signature, self._written_leaves(), self._launch.held)
        self._prepare_effects()
        self._build = build
        self._lock = threading.Lock()
        self._backward: Executable | None = None
        self._run_backward: Callable[..., int] | None = None

    # -- choosing --------------------------------------------------------------------------------

    def _guards(self) -> Guards:
        watcher = self.traced.watcher
        assert watcher is not None
        held = {
            id(item.held): item.held for item in self.traced.bindings if isinstance(item, State)
        }
        reached = {
            key: tensor for key, tensor in watcher.tensors.items() if id(tensor._base) in held
        }
        tensors = list({**held, **reached}.values())
        names = [watcher.name_of(tensor) or "tensor" for tensor in tensors]
        return Guards([*watcher.guards().watches, Tensors(tensors, names)])

    def _written_leaves(self) -> frozenset[int]:
        written = self.traced.effects.written
        return frozenset(each.position for each in written if isinstance(each, Argument))

    def takes(self, args: Sequence[Any]) -> bool:
        """Whether a call with these positional arguments may use the variant, quickly."""
        quick = self._quick
        if quick is None or self.traced.pinned or not quick.takes(args):
            return False
        return self._gradients_fit(args) and self.guards.hold()

    def fits(self, leaves: Sequence[Any]) -> bool:
        """Whether a call with this variant's signature may use it."""
        pinned = self.traced.pinned
        for position, held in pinned.items():
            if leaves[position] is not held:
                return False
        for position, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor):
                base = leaf if leaf._base is None else leaf._base
                if id(base) in self._launch.held and position not in pinned:
                    return False
        return self._gradients_fit(leaves) and self.guards.hold()

    def _gradients_fit(self, leaves: Sequence[Any]) -> bool:
        """Whether the gradients that the function reads are there, or not, as when traced."""
        for memory, expected in self.traced.entry_grads:
            grad = memory.tensor(leaves)._grad
            if (grad is None) != (expected is None):
                return False
            if grad is not None and tensor_key(grad) != expected:
                return False
        return True

    def misfit(self, leaves: Sequence[Any]) -> str:
        """Return why a call with this variant's signature cannot use it."""
        change = self.guards.first_change()
        if change is not None:
            return str(change)
        if not self._gradients_fit(leaves):
            return "parameters had no gradient before, or have one now"
        return "an argument was a tensor that the function also uses by itself, or is now"

    # -- running ---------------------------------------------------------------------------------

    def _prepare_effects(self) -> None:
        """Look up once what effects need in each call."""
        effects = self.traced.effects
        self._counters = [
            memory.held._counter for memory in effects.written if isinstance(memory, State)
        ]
        self._written = [each for each in effects.written if not isinstance(each, State)]
        self._spent = [(number, SpentNode(why)) for number, why in self.traced.spent]
        self._is_single = isinstance(self.traced.tree, Leaf)

    def run(self, leaves: Sequence[Any]) -> Any:
        """Run the program and return what the function returns."""
        arrays, kept = self._launch.run(leaves)
        for counter in self._counters:
            counter.count += 1
        for memory in self._written:
            memory.tensor(leaves)._counter.count += 1
        made = Made(leaves, arrays, dict(kept))
        for number, node in self._spent:
            _attach(made, number, node, 0)
        if self.traced.backward is not None:
            self._record(made)
        results = [recipe.make(made) for recipe in self.traced.recipes]
        self._change_tensors(made, kept)
        return results[0] if self._is_single else rebuild(self.traced.tree, iter(results))

    def _change_tensors(self, made: Made, kept: dict[int, Tensor]) -> None:
        """Set gradients and flags as the function does."""
        effects = self.traced.effects
        grads: list[tuple[Any, Any]] = [
            (effect.owner.make(made), None if effect.value is None else effect.value.make(made))
            for effect in effects.grads
            if not (isinstance(effect.value, Fresh) and effect.value.output in kept)
        ]
        for owner, grad in grads:
            owner._grad = grad
        for recipe, flag in effects.requires_grad:
            tensor: Any = recipe.make(made)
            tensor.requires_grad_(flag)
        for module, flag in effects.training:
            module.training = flag

    # -- gradients -------------------------------------------------------------------------------

    def _record(self, made: Made) -> None:
        """Give the results a place on the tape."""
        backward = self.traced.backward
        assert backward is not None
        for number in backward.saved:
            if number in self._returned:
                self._returned[number].make(made)
        owners = [owner.tensor(made.leaves) for owner in backward.owners]
        inputs = [self._input(number, made.leaves) for number in backward.inputs]
        saved = [made.arrays[number] for number in backward.saved]
        node = CompiledNode(self.traced.graph.name, owners, inputs, saved, backward, self)
        for place, number in enumerate(backward.outputs):
            _attach(made, number, node, place)
        node.watch_outputs([made.tensors.get(number) for number in backward.saved])

    def _input(self, number: int, leaves: Sequence[Any]) -> Tensor | Array:
        """Return what a forward input is in this call: a tensor, or a number as an array."""
        binding = self.traced.bindings[number]
        if isinstance(binding, (Number, Hyper)):
            return np.asarray(binding.value(leaves), np.float64)
        return binding.tensor(leaves)

    def run_backward(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the gradients of the owners, given the backward graph's inputs."""
        backward = self.traced.backward
        assert backward is not None
        with self._lock:
            if self._run_backward is None:
                self._backward = self._build(backward.graph)
                self._run_backward = self._backward.entry(range(len(backward.graph.inputs)))
        outs = [
            aligned_empty(output.node.shape, output.node.dtype.numpy)
            for output in backward.graph.outputs
        ]
        status = self._run_backward(*arrays, *outs)
        if status:
            assert self._backward is not None
            raise self._backward.error(status)
        return outs

    @property
    def executables(self) -> list[Executable]:
        """The programs made so far: forward, and backward once it was needed."""
        return [self.executable] if self._backward is None else [self.executable, self._backward]


def _attach(made: Made, number: int, node: Any, place: int) -> None:
    """Make a fresh output one of the results of a node of the tape."""
    tensor = Fresh(number, False).make(made)
    tensor._requires_grad = True
    tensor._grad_fn = node
    tensor._output_nr = place


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
