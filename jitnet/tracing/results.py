"""How a compiled call makes the tensors that it returns: from fresh arrays, or from what exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..grad_mode import enable_grad, no_grad
from ..guards.counting import Count
from ..tensor import Step, Tensor
from .bindings import Memory


@dataclass
class Made:
    """What one call works with: its leaves, and its fresh outputs."""

    leaves: Sequence[Any]
    outputs: Sequence[Tensor]


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
    """A new tensor: one of the graph's outputs."""

    output: int
    requires_grad: bool

    def make(self, made: Made) -> Tensor:
        """Return it."""
        return made.outputs[self.output]


@dataclass(frozen=True, eq=False)
class PythonNumber:
    """A float that was computed from the call's floats, as Python would have."""

    output: int

    def make(self, made: Made) -> float:
        """Return it."""
        return float(made.outputs[self.output].item())


@dataclass(frozen=True, eq=False)
class Counted:
    """A whole number that was computed of one that calls change."""

    count: Count

    def make(self, made: Made) -> int:
        """Return it."""
        return self.count.now()


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


Recipe = Constant | Given | Existing | Fresh | PythonNumber | Counted | ViewOf


def fresh_outputs(recipes: Sequence[Recipe]) -> dict[int, Fresh]:
    """Return the outputs that recipes are made of, by number."""
    found: dict[int, Fresh] = {}
    stack = list(recipes)
    while stack:
        recipe = stack.pop()
        if isinstance(recipe, Fresh):
            found[recipe.output] = recipe
        if isinstance(recipe, ViewOf):
            stack.append(recipe.base)
    return found
