"""jitnet.nn.attention.bias: masks of causal attention where queries and keys differ in number.

In PyTorch these are objects that pick a kernel; here they are what these stand for, masks of bool.
"""

from __future__ import annotations

from enum import IntEnum

from jitnet import creation
from jitnet.tensor import Tensor


class CausalVariant(IntEnum):
    """Where the diagonal of a mask lies that is no square."""

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


def CausalBias(variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> Tensor:
    """Return the mask [seq_len_q, seq_len_kv] whose diagonal starts or ends in a corner."""
    below = 0 if CausalVariant(variant) is CausalVariant.UPPER_LEFT else seq_len_kv - seq_len_q
    rows = creation.arange(seq_len_q).unsqueeze(1)
    return creation.arange(seq_len_kv).unsqueeze(0) <= rows + below


def causal_upper_left(*size: int) -> Tensor:
    """Return the mask in which the first query sees the first key, the next one two, and so on."""
    return CausalBias(CausalVariant.UPPER_LEFT, *size)


def causal_lower_right(*size: int) -> Tensor:
    """Return the mask in which the last query sees all keys, the one before all but one."""
    return CausalBias(CausalVariant.LOWER_RIGHT, *size)
