"""Attention: weighted means of values, by how well queries fit keys."""

from __future__ import annotations

import math

from jitnet.runtime.dtype import bool_, float32

from .. import creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .activation import softmax
from .choice import where
from .dropout import dropout
from .linear_algebra import product
from .precision import autocast_lowers, rounded_once
from .promote import broadcast_shapes, need_float
from .reduction import amax
from .reduction import sum as total
from .unary import exp


@autocast_lowers
@rounded_once
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(query * scale @ key.T + mask) @ value, for [..., length, features].

    attn_mask: bool (True takes part) or numbers that are added; a query that may see no key gets
    zeros.  is_causal: each query sees the keys up to its own place.  scale: 1 / sqrt(features)
    unless given.  enable_gqa: several query heads (dim -3) share one head of key and value.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention
    """
    _check(query, key, value)
    if is_causal and attn_mask is not None:
        raise RuntimeError(at_line("attention takes attn_mask or is_causal=True, not both"))
    if enable_gqa:
        key, value = shared_heads(query, key), shared_heads(query, value)
    weights = attention_weights(query, key, attn_mask, dropout_p, is_causal, scale)
    return product(weights, value)


def attention_weights(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    dropout_p: float,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return how much of each value [..., S] each query [..., L] takes: [..., L, S]."""
    factor = 1 / math.sqrt(max(query._type.shape[-1], 1)) if scale is None else scale
    scores = (
        product(query, key.transpose(-2, -1)) * factor
    )  # as they are stored: no pass over query
    if is_causal:
        scores = where(_causal(scores._type.shape[-2:]), scores, -math.inf)
    weights = softmax(scores, -1) if mask is None else softmax_or_zero(_masked(scores, mask))
    return dropout(weights, dropout_p)


# -- masks --------------------------------------------------------------------------------------


def _causal(shape: tuple[int, ...]) -> Tensor:
    """Return where a key stands no later than the query."""
    return creation.counting(shape, 1) <= creation.counting(shape, 0)  # type: ignore[no-any-return]


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    """Return the scores, -inf where a mask of bools is False, or plus a mask of numbers."""
    found, wanted = mask._type.dtype, scores._type.dtype
    if found not in (bool_, float32, wanted):
        raise DTypeError(
            at_line(
                f"attention wants attn_mask of bool, float32 or the query's dtype, got "
                f"{mask._type} for a query of {wanted}; cast it with .to(dtype)"
            )
        )
    shape = scores._type.shape
    if broadcast_shapes(shape, mask._type.shape) != shape:
        raise ShapeError(
            at_line(
                f"attention wants attn_mask that broadcasts to the weights {list(shape)}, "
                f"got {mask._type}"
            )
        )
    return where(mask, scores, -math.inf) if found is bool_ else scores + mask  # type: ignore[no-any-return]


def softmax_or_zero(scores: Tensor) -> Tensor:
    """Return softmax over the last dim; zeros, and no gradient, where all scores are -inf."""
    if 0 in scores._type.shape:
        return softmax(scores, -1)
    top = amax(scores.detach(), -1, keepdim=True)
    powers = exp(scores - where(top == -math.inf, 0.0, top))
    sums = total(powers, -1, keepdim=True)
    return powers * where(sums == 0, 1.0, sums).reciprocal()  # type: ignore[no-any-return]


# -- arguments ----------------------------------------------------------------------------------


def _check(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise unless query [..., L, E], key [..., S, E] and value [..., S, V] fit."""
    need_float("attention", query, key, value)
    got = f"got query {query._type}, key {key._type}, value {value._type}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ShapeError(at_line(f"attention wants at least 2 dims, [..., length, width]; {got}"))
    if query._type.shape[-1] != key._type.shape[-1]:
        raise ShapeError(at_line(f"attention wants equal widths of query and key; {got}"))
    if key._type.shape[-2] != value._type.shape[-2]:
        raise ShapeError(at_line(f"attention wants as many values as keys; {got}"))
    if not query._type.dtype is key._type.dtype is value._type.dtype:
        raise DTypeError(at_line(f"attention wants one dtype; {got}; cast with .to(dtype)"))


def shared_heads(query: Tensor, x: Tensor) -> Tensor:
    """Return keys or values with each head repeated, to be as many as the query's."""
    if min(query.ndim, x.ndim) < 3:
        raise ShapeError(
            at_line(f"enable_gqa wants heads at dim -3, got {query._type} and {x._type}")
        )
    heads, own = query._type.shape[-3], x._type.shape[-3]
    if heads % own:
        raise ShapeError(
            at_line(
                f"enable_gqa wants heads of key and value to divide the query's {heads}, got {own}"
            )
        )
    return x.repeat_interleave(heads // own, -3)  # type: ignore[no-any-return]
