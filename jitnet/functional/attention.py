"""Attention: weighted means of values, by how well queries fit keys."""

from __future__ import annotations

import math

from jitnet.runtime.dtype import bool_

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .activation import softmax
from .choice import where
from .dropout import dropout
from .linear_algebra import matmul


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(query @ key.T * scale + mask) @ value, for [..., length, features].

    attn_mask: bool (True takes part) or numbers that are added.  is_causal: each query sees the
    keys up to its own place.  enable_gqa: several query heads (dim -3) share one key head.
    """
    if query._type.shape[-1] != key._type.shape[-1]:
        raise ShapeError(
            at_line(f"attention wants equal widths, got query {query._type} and key {key._type}")
        )
    if is_causal and attn_mask is not None:
        raise RuntimeError(at_line("attention takes attn_mask or is_causal=True, not both"))
    if enable_gqa:
        share = query._type.shape[-3] // key._type.shape[-3]
        key = key.repeat_interleave(share, -3)
        value = value.repeat_interleave(share, -3)
    factor = 1 / math.sqrt(query._type.shape[-1]) if scale is None else scale
    scores = matmul(query * factor, key.transpose(-2, -1))
    if is_causal:
        attn_mask = _causal(scores._type.shape[-2:])
    if attn_mask is not None:
        if attn_mask._type.dtype is bool_:
            scores = where(attn_mask, scores, -math.inf)
        else:
            scores = scores + attn_mask
    weights = softmax(scores, -1)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return matmul(weights, value)


def _causal(shape: tuple[int, ...]) -> Tensor:
    """Return where a key stands no later than the query."""
    row, column = creation.counting(shape, 0), creation.counting(shape, 1)
    return column <= row
