"""Where, at each call, the buffer of a graph's input is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitnet.compiler.ir.op import Op

from ..tensor import Tensor, base_of

Array = np.ndarray[Any, Any]

# Of the nodes that stand for a graph's inputs.
graph_input = Op("input", lambda *, kind: kind, eval=lambda *, kind: None)


@dataclass(frozen=True, eq=False)
class Argument:
    """The tensor among the call's leaves at `position`; with `base`, the memory that it views."""

    position: int
    base: bool = False

    def tensor(self, leaves: Sequence[Any]) -> Tensor:
        """Return the tensor whose memory it is."""
        found: Tensor = leaves[self.position]
        return found if not self.base or found._base is None else found._base


@dataclass(frozen=True, eq=False)
class State:
    """A tensor that the function reached by itself: always this one."""

    held: Tensor

    def tensor(self, leaves: Sequence[Any]) -> Tensor:
        """Return the tensor."""
        return self.held


@dataclass(frozen=True, eq=False)
class GradientOf:
    """What another tensor's `grad` is when the call begins."""

    owner: Argument | State

    def tensor(self, leaves: Sequence[Any]) -> Tensor:
        """Return the gradient."""
        found = self.owner.tensor(leaves)._grad
        assert found is not None  # guarded
        return found


@dataclass(frozen=True, eq=False)
class Number:
    """A float among the call's leaves, as a 0-d float64 array."""

    position: int

    def value(self, leaves: Sequence[Any]) -> float:
        """Return the number."""
        found: float = leaves[self.position]
        return found


@dataclass(frozen=True, eq=False)
class Hyper:
    """A number in an optimizer's parameter group, read at each call."""

    group: Any
    key: str
    index: int | None

    def value(self, leaves: Sequence[Any]) -> float:
        """Return the number."""
        found = self.group[self.key]
        return float(found if self.index is None else found[self.index])


@dataclass(frozen=True, eq=False)
class Attribute:
    """The memory of a tensor that an entry holds when the call begins, which sets it anew.

    An entry is an attribute, say. place: the keys of the tensor in containers inside.
    """

    entries: Any
    name: Any
    place: tuple[Any, ...]

    def tensor(self, leaves: Sequence[Any]) -> Tensor:
        """Return the tensor whose memory it is."""
        found = self.entries[self.name]
        for position in self.place:
            found = found[position]
        return base_of(found)


Memory = Argument | State | GradientOf | Attribute
Scalar = Number | Hyper
Binding = Memory | Scalar
