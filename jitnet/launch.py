"""Runs a variant's program: finds the inputs' memory, makes the outputs', calls native code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, Protocol

import numpy as np

from jitnet.compiler.ir.graph import Graph
from jitnet.runtime.memory import aligned_empty

from .bindings import Argument, GradientOf, Hyper, Memory, Number, State
from .results import Existing, Fresh, Given, Recipe
from .tensor import Tensor
from .trace import Traced

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


class Launch:
    """A program and what it is called with.

    held: ids of the tensors whose memory is bound to it for good.
    """

    def __init__(self, traced: Traced, executable: Executable, returned: set[int]) -> None:
        self.held: set[int] = set()
        self._executable = executable
        self._lock = threading.Lock()
        self._bind_numbers(traced)
        self._call = executable.entry(self._bind_memory(traced))
        self._plan_outputs(traced, returned)

    # -- once ------------------------------------------------------------------------------------

    def _bind_numbers(self, traced: Traced) -> None:
        """Give the program an array of the numbers that each call sets."""
        scalars = [
            (number, binding)
            for number, binding in enumerate(traced.bindings)
            if isinstance(binding, (Number, Hyper))
        ]
        array = np.zeros(len(scalars), np.float64)
        for place, (number, _) in enumerate(scalars):
            self._executable.bind(number, array[place : place + 1].reshape(()))
        self._numbers: Any = memoryview(array)  # sets a number faster than NumPy does
        self._scalars = tuple(binding for _, binding in scalars)

    def _bind_memory(self, traced: Traced) -> list[int]:
        """Give the program the memory of state; return the inputs that each call gives."""
        passed: list[int] = []
        self._passed: list[Argument | GradientOf] = []
        for number, binding in enumerate(traced.bindings):
            if isinstance(binding, State):
                self._executable.bind(number, binding.held._copied())
                self.held.add(id(binding.held))
            elif isinstance(binding, (Argument, GradientOf)):
                passed.append(number)
                self._passed.append(binding)
        return passed

    def _plan_outputs(self, traced: Traced, returned: set[int]) -> None:
        """Note every fresh output's shape and, for a gradient, the tensor that gets it."""
        read = [memory for memory, _ in traced.entry_grads]
        owners: dict[int, Memory] = {}
        for effect in traced.effects.grads:
            memory = existing(effect.owner)
            if not isinstance(effect.value, Fresh) or effect.value.output in returned:
                continue
            if memory is not None and not any(same_memory(memory, other) for other in read):
                owners[effect.value.output] = memory
        outputs = [output.node for output in traced.graph.outputs if output.into is None]
        self._outputs = tuple(
            (number, node.shape, node.dtype.numpy, owners.get(number))
            for number, node in enumerate(outputs)
        )

    # -- each call -------------------------------------------------------------------------------

    def run(self, leaves: Sequence[Any]) -> tuple[list[Array], dict[int, Tensor]]:
        """Run the program; return the fresh outputs, and the gradients whose memory they took."""
        inputs = [binding.tensor(leaves)._array for binding in self._passed]
        arrays: list[Any] = []
        kept: dict[int, Tensor] = {}
        for number, shape, dtype, owner in self._outputs:
            if owner is not None:
                grad = _take_gradient(owner.tensor(leaves), shape, dtype)
                if grad is not None:
                    arrays.append(grad._array)
                    kept[number] = grad
                    continue
            arrays.append(aligned_empty(shape, dtype) if shape else np.empty(shape, dtype))
        with self._lock:
            for place, scalar in enumerate(self._scalars):
                self._numbers[place] = scalar.value(leaves)
            status = self._call(*inputs, *arrays)
        if status:
            raise self._executable.error(status)
        return arrays, kept


def _take_gradient(owner: Tensor, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor | None:
    """Return owner's gradient if nobody else holds it or its memory, and a new one fits there."""
    grad = owner._grad
    if grad is None or getrefcount(grad) != ALONE or grad._base is not None:
        return None
    array = grad._array
    if array is None or getrefcount(array) != ALONE or grad._requires_grad:
        return None
    if array.shape != shape or array.dtype != dtype:
        return None
    return grad if array.flags.c_contiguous and array.flags.writeable else None


def existing(recipe: Recipe) -> Memory | None:
    """Return where a tensor is that exists before the call; None for one that the call makes."""
    match recipe:
        case Given():
            return Argument(recipe.position)
        case Existing():
            return recipe.memory
        case _:
            return None


def same_memory(a: Memory, b: Memory) -> bool:
    """Whether two places hold the same tensor."""
    if isinstance(a, Argument) and isinstance(b, Argument):
        return a.position == b.position
    return isinstance(a, State) and isinstance(b, State) and a.held is b.held


class _Holder:
    """Holds an object as a tensor holds its gradient."""

    __slots__ = ("held",)
    held: object


def _references() -> int:
    """Return what getrefcount says of an object that one attribute and one variable hold."""
    holder = _Holder()
    holder.held = object()
    held = holder.held
    return getrefcount(held)


ALONE = _references()
