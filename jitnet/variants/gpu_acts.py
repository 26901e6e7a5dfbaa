"""What a call of a variant does on a GPU: inputs, outputs, launches, gradients, the result.

acting.py is the same for the CPU, where native code does it; here a call's work is on the GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from jitnet.compiler.ir.graph import Graph, Node
from jitnet.runtime import endings
from jitnet.runtime.cuda.array import DeviceArray
from jitnet.runtime.cuda.gpu import Gpu
from jitnet.runtime.instruction import Instruction
from jitnet.runtime.routine import MISSED

from ..device import CPU
from ..on_gpu import brought, tensor_of
from ..tensor import Tensor, base_of
from ..trace import Traced
from ..tracing.bindings import Binding, Hyper, Number, State
from ..tracing.results import fresh_outputs
from .acting import gradients_given
from .backward import SpentNode

if TYPE_CHECKING:
    from .cuda_native import OnGpu

_OWN = 3  # references: the slot that holds it, the variable, and getrefcount's argument


class GpuActs:
    """What a call of a forward program does, given the call's leaves."""

    def __init__(self, traced: Traced, executable: OnGpu, finish: Callable[..., Any]) -> None:
        self._traced = traced
        self._executable = executable
        self._finish = finish
        self._nodes = [output.node for output in traced.graph.outputs if output.into is None]
        self._given = gradients_given(traced)
        self._returned = fresh_outputs(traced.recipes)
        made = [effect.value for effect in traced.effects.grads if effect.value is not None]
        set_ = [recipe for each in traced.effects.entries for recipe in each.recipes]
        fresh = fresh_outputs([*traced.recipes, *made, *set_])
        self._wants = {number for number, recipe in fresh.items() if recipe.requires_grad}
        self._spent = {number: SpentNode(why) for number, why in traced.spent}

        self._keep_places()

    def _keep_places(self) -> None:
        """Tell the program what moves from call to call: no state, and nothing that is written."""
        graph, bindings = self._traced.graph, self._traced.bindings
        written = {output.into for output in graph.outputs}
        staying = {number for _, number in self._given}
        moving = [
            number
            for number, binding in enumerate(bindings)
            if number not in written and _moves(binding)
        ]
        results = [number for number in range(len(self._nodes)) if number not in staying]
        self._executable.keep(moving, results)

    def instructions(self) -> list[Instruction]:
        """Return the one instruction that does it all."""
        return [endings.Finish(self._call, 0)]

    def _call(self, *leaves: Any) -> Any:
        gpu = self._executable.gpu
        inputs = [_value(binding, leaves, gpu) for binding in self._traced.bindings]
        outputs = _fresh(self._executable, self._nodes, self._reused(leaves))
        self._executable.run(inputs, outputs)
        for memory in self._traced.effects.written:
            memory.tensor(leaves)._counter.count += 1
        made = [self._tensor(number, array) for number, array in enumerate(outputs)]
        for owner, number in self._given:
            owner.tensor(leaves)._grad = made[number]
        return self._finish(*leaves, *made)

    def _reused(self, leaves: Sequence[Any]) -> dict[int, DeviceArray]:
        """Return the memory of gradients that nobody else holds: it takes the new ones."""
        found = {}
        for owner, number in self._given:
            if number not in self._returned:
                array = _unshared(owner.tensor(leaves), self._nodes[number])
                if array is not None:
                    found[number] = array
        return found

    def _tensor(self, number: int, array: DeviceArray) -> Tensor:
        if number in self._traced.to_host:
            return Tensor._from_array(self._executable.gpu.download(array))
        made = tensor_of(array)
        made._requires_grad = number in self._wants or number in self._spent
        made._grad_fn = self._spent.get(number)
        return made


def _moves(binding: Binding) -> bool:
    """Whether an input is elsewhere in each call: no state on the GPU, and no number."""
    if isinstance(binding, State):
        return binding.held.device is CPU and binding.held.ndim > 0
    return not isinstance(binding, Number | Hyper)


def _value(binding: Binding, leaves: Sequence[Any], gpu: Gpu) -> Any:
    """Return an input's array: on the GPU, brought there if need be, or a number on the host."""
    if isinstance(binding, Number | Hyper):
        return np.asarray(binding.value(leaves), np.float64)
    array: Any = binding.tensor(leaves)._array
    return array if isinstance(array, DeviceArray) or not array.ndim else brought(array, gpu)


def _fresh(
    executable: OnGpu,
    nodes: Sequence[Node],
    known: Mapping[int, DeviceArray] = {},
) -> list[DeviceArray]:
    """Return memory for outputs, but for those that have some."""
    empty = executable.gpu.empty
    return [
        known[number] if number in known else empty(node.shape, node.dtype.numpy)
        for number, node in enumerate(nodes)
    ]


def _unshared(owner: Tensor, node: Node) -> DeviceArray | None:
    """Return the array of a tensor's gradient if nobody else holds it, and it fits."""
    gradient = owner._grad
    if gradient is None or gradient._base is not None or getrefcount(gradient) > _OWN:
        return None
    array: Any = gradient._array
    if not isinstance(array, DeviceArray) or getrefcount(array) > _OWN:
        return None
    if getrefcount(array.memory) > _OWN - 1 or not array.layout.is_contiguous:
        return None
    fits = array.shape == node.shape and array.dtype == node.dtype.numpy
    return array if fits else None


def backward_on_gpu(executable: OnGpu, graph: Graph) -> list[Instruction]:
    """Return what a call of a backward program does: arrays as arguments, a tuple of gradients."""
    nodes = [output.node for output in graph.outputs]

    def call(*arrays: Any) -> tuple[Tensor, ...]:
        outputs = _fresh(executable, nodes)
        executable.run(arrays, outputs)
        return tuple(map(tensor_of, outputs))

    return [endings.Finish(call, 0)]


def alone(call: Callable[..., Any], held: set[int]) -> Callable[..., Any]:
    """Return the call, but MISSED where arguments share memory, or are the function's own."""

    def take(*leaves: Any) -> Any:
        bases = [id(base_of(leaf)) for leaf in leaves if isinstance(leaf, Tensor)]
        if len(set(bases)) < len(bases) or not held.isdisjoint(bases):
            return MISSED
        return call(*leaves)

    return take
