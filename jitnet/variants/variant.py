"""One compiled variant of a function: when it may be used, and what a call of it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..guards.assigned import set_entry
from ..guards.holding import Guards
from ..guards.signature import Signature, tensor_key
from ..guards.watches import Tensors
from ..nn import epoch
from ..tensor import Tensor, base_of
from ..trace import Traced
from ..tracing.bindings import Hyper, Number, State
from ..tracing.exclusive import alone
from ..tracing.results import Made
from ..tree import Branch, Leaf, rebuild
from .acting import Array, Build, Executable, gradients_left
from .backward import CompiledNode
from .launch import BackwardLaunch, Launch


class Variant:
    """A traced function, compiled.

    reason: why it was compiled, in one line.  seconds: of tracing.
    """

    def __init__(
        self, traced: Traced, signature: Signature, build: Build, reason: str, seconds: float
    ) -> None:
        self.traced = traced
        self.signature = signature
        self.is_flat = _is_flat(signature)
        self.reason = reason
        self.seconds = seconds
        executable = build(traced.graph, traced.device)
        self.guards = self._guards()
        traced.watcher = None  # it keeps all objects that were reached
        self._grads = gradients_left(traced)
        self.launch = Launch(traced, signature, self.guards, executable, self._finish)
        self._build = build
        self._backward: BackwardLaunch | None = None

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

    def fits(self, leaves: Sequence[Any]) -> bool:
        """Whether a call with this variant's signature may use it."""
        pinned = self.traced.pinned
        for position, held in pinned.items():
            if leaves[position] is not held:
                return False
        for position, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor):
                base = base_of(leaf)
                if id(base) in self.launch.held and position not in pinned:
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

    # -- after the program -----------------------------------------------------------------------

    def _finish(self, *everything: Any) -> Any:
        """Return the result and leave behind what the function does, given leaves and outputs."""
        count = len(self.signature.leaves)
        made = Made(everything[:count], everything[count:])
        if self.traced.backward is not None:
            self._record(made)
        results = [recipe.make(made) for recipe in self.traced.recipes]
        self._change_tensors(made)
        return rebuild(self.traced.tree, iter(results))

    def _change_tensors(self, made: Made) -> None:
        """Set gradients and flags as the function does, but for gradients that are set already."""
        effects = self.traced.effects
        grads: list[tuple[Any, Any]] = [
            (effect.owner.make(made), None if effect.value is None else effect.value.make(made))
            for effect in self._grads
        ]
        for owner, grad in grads:
            owner._grad = grad
        for recipe, flag in effects.requires_grad:
            tensor: Any = recipe.make(made)
            tensor.requires_grad_(flag)
        for module, flag in effects.training:
            module.training = flag
        values = [effect.make(made) for effect in effects.entries]
        for effect, value in zip(effects.entries, values, strict=True):
            set_entry(effect.entries, effect.key, value)
            if effect.structural:
                epoch.bump()

    # -- gradients -------------------------------------------------------------------------------

    def _record(self, made: Made) -> None:
        """Give the results a place on the tape."""
        backward = self.traced.backward
        assert backward is not None
        owners = [owner.tensor(made.leaves) for owner in backward.owners]
        inputs = [self._input(number, made.leaves) for number in backward.inputs]
        saved = [made.outputs[number] for number in backward.saved]
        node = CompiledNode(self.traced.graph.name, owners, inputs, saved, backward, self)
        for place, number in enumerate(backward.outputs):
            _attach(made.outputs[number], node, place)

    def _input(self, number: int, leaves: Sequence[Any]) -> Tensor | Array:
        """Return what a forward input is in this call: a tensor, or a number as an array."""
        binding = self.traced.bindings[number]
        if isinstance(binding, (Number, Hyper)):
            return np.asarray(binding.value(leaves), np.float64)
        return binding.tensor(leaves)

    def run_backward(self, arrays: Sequence[Array]) -> Sequence[Tensor]:
        """Return the gradients of the owners, given the backward graph's inputs."""
        if self._backward is None:
            self._compile_backward()
        assert self._backward is not None
        gradients: Sequence[Tensor] = self._backward.run(*arrays)
        return gradients

    def _compile_backward(self) -> None:
        backward = self.traced.backward
        assert backward is not None
        with alone():
            if self._backward is None:  # another thread may have compiled it meanwhile
                executable = self._build(backward.graph, self.traced.device)
                self._backward = BackwardLaunch(executable)

    @property
    def executable(self) -> Executable:
        """The forward program."""
        return self.launch.executable

    @property
    def programs(self) -> list[Launch | BackwardLaunch]:
        """The programs made so far and their calls: forward, and backward once it was needed."""
        return [self.launch] if self._backward is None else [self.launch, self._backward]


def _attach(tensor: Tensor, node: Any, place: int) -> None:
    """Make a fresh output one of the results of a node of the tape."""
    tensor._requires_grad = True
    tensor._grad_fn = node
    tensor._output_nr = place


def _is_flat(signature: Signature) -> bool:
    """Whether the leaves are the arguments, all of them positional."""
    tree = signature.tree
    assert isinstance(tree, Branch)
    args, kwargs = tree.children
    assert isinstance(args, Branch) and isinstance(kwargs, Branch)
    return not kwargs.children and all(isinstance(child, Leaf) for child in args.children)
