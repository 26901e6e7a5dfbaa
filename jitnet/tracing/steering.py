"""Values of small state that steer a trace, as in `if not self.initialized:`.

Python wants such a value while a function is traced. It is computed from what the state holds when
the call begins, and so it is again before each call: another value is another variant. That costs
an interpreted op or two in each call, and a compilation for each value that is met.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output

from ..device import CPU
from .bindings import Attribute, Binding, State

_LIMIT = 256  # elements that are read before each call


class Steering:
    """A value of whole numbers or bools that depends on small state alone.

    bindings: of all inputs, as the trace knows them: where it sets an entry, state is found there.
    """

    def __init__(
        self, node: Node, numbers: Sequence[int], inputs: Sequence[Input], bindings: list[Binding]
    ) -> None:
        chosen = tuple(inputs[number] for number in numbers)
        self._graph = Graph("steering", chosen, (Output(node, ""),))
        self._numbers = numbers
        self._bindings = bindings
        self.path = f"what is read of {' and '.join(item.name for item in chosen)}"

    def array(self) -> np.ndarray[Any, Any]:
        """Return the value if a call began now."""
        arrays = []
        for number in self._numbers:
            binding = self._bindings[number]
            assert isinstance(binding, (State, Attribute))
            arrays.append(binding.tensor(())._copied())
        (value,) = evaluate(self._graph, arrays)
        return value

    def __call__(self) -> Any:
        """Return the value as plain numbers, for a guard."""
        return self.array().tolist()


def steering(
    node: Node, below: Sequence[int | None], inputs: Sequence[Input], bindings: list[Binding]
) -> Steering | None:
    """Return what tells a node's value before a call; None where only the call can know it.

    below: the inputs that decide the value. Floats tell nothing: as they are learned they differ
    in each call. What they are compared to is a bool.
    """
    if node.dtype.is_inexact or node.type.numel > _LIMIT:
        return None
    numbers = [number for number in below if number is not None]
    found = [bindings[number] for number in numbers]
    states = [binding.held for binding in found if isinstance(binding, State)]
    if len(states) != len(below) or any(state.device is not CPU for state in states):
        return None
    if sum(state._type.numel for state in states) > _LIMIT:
        return None
    return Steering(node, numbers, inputs, bindings)
