"""How a compiled call makes the tensors that it returns: from fresh arrays, or from what exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .bindings import Memory
from .grad_mode import enable_grad, no_grad
from .tensor import Step, Tensor

Array = np.ndarray[Any, Any]


@dataclass
class Made:
    """What one call works with: its leaves, its fresh arrays, and the tensors made so far."""

    leaves: Sequence[Any]
    arrays: Sequence[Array]
    tensors: dict[int, Tensor]  # by output number; each output becomes one tensor


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that is not a tensor, the same in every call."""

    value: Any

    def make(self, made: Made) -> Any:
        """Return it."""
        return self.value


@dataclass(frozen=True, eq=False)
class Given:
    """A leaf of the arguments, returned as it came."""

    position: int

    def make(self, made: Made) -> Any:
        """Return it."""
        return made.leaves[self.position]


@dataclass(frozen=True, eq=False)
class Existing:
    """A tensor that exists: one of the function's state, or an argument's base."""

    memory: Memory

    def make(self, made: Made) -> Tensor:
        """Return it."""
        return self.memory.tensor(made.leaves)


@dataclass(frozen=True, eq=False)
class Fresh:
    """A new tensor that owns the array of one of the graph's outputs."""

    output: int
    requires_grad: bool

    def make(self, made: Made) -> Tensor:
        """Return it, the same one each time within a call."""
        tensor = made.tensors.get(self.output)
        if tensor is None:
            tensor = Tensor._from_array(made.arrays[self.output], self.requires_grad)
            made.tensors[self.output] = tensor
        return tensor


@dataclass(frozen=True, eq=False)
class PythonNumber:
    """A float that was computed from the call's floats, as Python would have."""

    output: int

    def make(self, made: Made) -> float:
        """Return it."""
        return float(made.arrays[self.output])


@dataclass(frozen=True, eq=False)
class ViewOf:
    """A view: the movement steps from a base; without history if it was detached."""

    base: Recipe
    steps: tuple[Step, ...]
    attached: bool
    requires_grad: bool

    def make(self, made: Made) -> Tensor:
        """Return a new view."""
        tensor: Any = self.base.make(made)
        if not self.attached:
            tensor = tensor.detach()
        with enable_grad() if self.attached else no_grad():
            for op, params in self.steps:
                tensor = op(tensor, **params)
        if self.requires_grad and not tensor.requires_grad:
            tensor.requires_grad_()
        return tensor  # type: ignore[no-any-return]


Recipe = Constant | Given | Existing | Fresh | PythonNumber | ViewOf
