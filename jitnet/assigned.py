"""Attributes that a compiled function sets: which of them a call can set, as the function does.

They are set to tensors of the call, as `self.attention = weights` does, or to None. What such an
attribute was before must not matter but for its kind: a tensor that the function computes with is
state, which copy_() changes.
"""

from __future__ import annotations

from typing import Any

from .plain import MISSING
from .signature import tensor_key
from .tensor import Tensor


def can_be_set(value: Any) -> bool:
    """Whether a call can make a value: a tensor, a tuple of such, or None."""
    if type(value) is tuple:
        return bool(value) and all(map(can_be_set, value))
    return value is None or isinstance(value, Tensor)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors of such a value."""
    if type(value) is tuple:
        return [tensor for part in value for tensor in tensors_in(part)]
    return [value] if isinstance(value, Tensor) else []


def kind_of(value: Any) -> str:
    """Return what code can tell of a value without computing with it."""
    if type(value) is tuple:
        return f"({', '.join(map(kind_of, value))})"
    if isinstance(value, Tensor):
        key = tensor_key(value)
        facts = f"strides {key.strides}, requires_grad {key.requires_grad}, leaf {key.leaf}"
        return f"{key.kind.__name__} {value._type}, {facts}"
    if value is MISSING:
        return "missing"
    return "None" if value is None else f"{type(value).__name__} {id(value)}"
