"""Attributes that a compiled function sets: which of them a call can set, as the function does.

They are set to tensors of the call, as `self.attention = weights` does, or to None. Of what such an
attribute was before, the kind is guarded; a tensor that the function computes with, such as a
hidden state that it carries on, is found by the attribute at each call.
"""

from __future__ import annotations

from typing import Any

from .plain import MISSING
from .signature import tensor_key
from .tensor import Tensor, base_of, strides_of


def can_be_set(value: Any) -> bool:
    """Whether a call can make a value: a tensor, a tuple of such, or None."""
    if type(value) is tuple:
        return bool(value) and all(map(can_be_set, value))
    return value is None or isinstance(value, Tensor)


def tensors_in(value: Any) -> dict[tuple[int, ...], Tensor]:
    """Return the tensors of such a value by their positions in its tuples."""
    if type(value) is tuple:
        return {
            (number, *place): tensor
            for number, part in enumerate(value)
            for place, tensor in tensors_in(part).items()
        }
    return {(): value} if isinstance(value, Tensor) else {}


def kind_of(value: Any) -> str:
    """Return what code can tell of a value without computing with it."""
    if type(value) is tuple:
        return f"({', '.join(map(kind_of, value))})"
    if isinstance(value, Tensor):
        key = tensor_key(value)
        facts = f"strides {key.strides}, requires_grad {key.requires_grad}, leaf {key.leaf}"
        if value._base is not None:
            base = base_of(value)
            facts += f", of {base._type} {strides_of(base)} by {value._view}"
        return f"{key.kind.__name__} {value._type}, {facts}"
    if value is MISSING:
        return "missing"
    return "None" if value is None else f"{type(value).__name__} {id(value)}"
