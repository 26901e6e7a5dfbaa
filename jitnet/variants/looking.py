"""What a call of a variant looks at: is this a call that the variant is for?

The looks say yes only where the long way (signature, guards) would choose the variant.
"""

from __future__ import annotations

import numpy as np

from jitnet.runtime import acts, facts, looks
from jitnet.runtime.instruction import Instruction

from .. import capture
from ..device import CPU
from ..guards.signature import (
    FloatKey,
    LeafKey,
    ObjectKey,
    Signature,
    TensorKey,
    ValueKey,
    leaf_key,
)
from ..modes import mode
from ..tensors import making
from ..tensors.holder import HOLDER
from ..trace import Traced
from ..tracing.bindings import Argument, Attribute, GradientOf, Memory, State

_PLAIN = (bool, int, str, type(None))


def looks_of(signature: Signature, traced: Traced, held: set[int]) -> list[Instruction]:
    """Return all looks but those of the guards.  held: the ids of the variant's own memory."""
    return [
        *_looks_at_arguments(signature, traced, held),
        *_looks_at_modes(signature),
        *_looks_at_gradients(traced),
    ]


def _looks_at_arguments(signature: Signature, traced: Traced, held: set[int]) -> list[Instruction]:
    """Return what tells whether the leaves are as the signature says."""
    found: list[Instruction] = [looks.Arguments(len(signature.leaves))]
    addresses, apart = np.array(sorted(held), np.int64), 0
    for position, key in enumerate(signature.leaves):
        found += [looks.Argument(position), *_looks_at_leaf(key)]
        if position in traced.pinned:
            found += [looks.Argument(position), looks.Is(traced.pinned[position])]
        elif isinstance(key, TensorKey) and key.device is CPU:
            rank, size = len(key.shape), key.dtype.size
            own = looks.Apart(HOLDER, apart, addresses, len(addresses), rank, size)
            found += [looks.Argument(position), own]
            apart += 1
    return found


def _looks_at_leaf(key: LeafKey) -> list[Instruction]:
    """Return what tells whether the current object has this key."""
    match key:
        case TensorKey():
            return _looks_at_tensor(key)
        case FloatKey():
            return [looks.IsOf(float)]
        case ObjectKey():
            return [looks.Is(key.held)]
        case ValueKey() if key.kind in _PLAIN:
            return [looks.Equals(key.value)]
        case ValueKey():
            return [looks.Passes(lambda leaf: leaf_key(leaf, by_value=True) == key)]


def _looks_at_tensor(key: TensorKey) -> list[Instruction]:
    """Return what tells whether the current object is a tensor with this key."""
    dtype, history = key.dtype.numpy, HOLDER.place("history")
    strides = [step * dtype.itemsize for step in key.strides]
    sizes = np.array([*key.shape, *strides], np.int64)
    layout: list[Instruction] = [looks.IsArray(dtype, len(key.shape), sizes, int(key.writeable))]
    if key.device is not CPU:
        from jitnet.runtime.cuda.array import looks_of_layout

        layout = looks_of_layout(key.device, dtype, key.shape, tuple(strides))
    return [
        looks.IsOf(key.kind),
        looks.Settled(HOLDER),
        looks.Keeps(HOLDER.place("wants_gradient"), key.requires_grad),
        looks.Keeps(history, None) if key.leaf else looks.KeepsOther(history, None),
        looks.Slot(HOLDER.place("array")),
        *layout,
    ]


def _looks_at_modes(signature: Signature) -> list[Instruction]:
    """Return what tells whether the switches are as they were, and nothing is being traced."""
    return [
        facts.Attribute(mode, "now", signature.modes),
        facts.Entry(vars(capture), "active", None),
        facts.Entry(vars(making), making.DEFAULT, signature.default_dtype),
    ]


def _looks_at_gradients(traced: Traced) -> list[Instruction]:
    """Return what tells whether the gradients that the function reads are as when traced."""
    found: list[Instruction] = []
    for memory, expected in traced.entry_grads:
        gradient = HOLDER.place("gradient")
        found += seek(memory)
        if expected is None:
            found.append(looks.Keeps(gradient, None))
        else:
            found += [looks.Slot(gradient), *_looks_at_tensor(expected)]
    return found


def seek(memory: Memory) -> list[Instruction]:
    """Return what makes the tensor at a place the current object."""
    match memory:
        case Argument():
            found: list[Instruction] = [looks.Argument(memory.position)]
            return [*found, looks.Base(HOLDER)] if memory.base else found
        case State():
            return [looks.Object(memory.held)]
        case Attribute():
            inside = map(acts.Subscript, (memory.name, *memory.place))
            return [looks.Object(memory.entries), *inside, looks.Base(HOLDER)]
        case GradientOf():
            return [*seek(memory.owner), looks.Slot(HOLDER.place("gradient"))]
