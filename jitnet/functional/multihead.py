"""Attention with several heads: project, split into heads, attend, join, project."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jitnet.runtime.dtype import DType, bool_

from .. import creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .attention import attention_weights, scaled_dot_product_attention
from .choice import where
from .joining import cat
from .linear_algebra import linear, product
from .padding import pad

Three = tuple[Tensor, Tensor, Tensor]


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return the output [L, N, E] and the weights [N, L, S] (with need_weights, else None).

    query: [L, N, E], key, value: [S, N, E]; without N for one sequence; [N, L, E] with
    batch_first, which only jitnet has.  The weights are [N, heads, L, S] unless they are averaged.
    attn_mask: [L, S] or [N * heads, L, S], key_padding_mask: [N, S]; bools (True is left out) or
    numbers that are added.  is_causal: attn_mask is a causal mask, and need not be read.
    static_k, static_v: [N * heads, S, E / heads], in place of the projected key and value.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention
    """
    heads = _Heads(num_heads, query.ndim == 3, batch_first)
    _check(query, key, value, embed_dim_to_check, heads, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            at_line(
                "is_causal=True says that attn_mask is causal, so it wants an attn_mask; make one "
                "with nn.Transformer.generate_square_subsequent_mask"
            )
        )
    if use_separate_proj_weight:
        apart = (q_proj_weight, k_proj_weight, v_proj_weight)
        projected = _project_each(query, key, value, apart, in_proj_bias)
    else:
        projected = _project_packed(query, key, value, in_proj_weight, in_proj_bias)
    q, k, v = (heads.split(x) for x in projected)
    k = k if static_k is None else heads.given(static_k, q, "static_k")
    v = v if static_v is None else heads.given(static_v, q, "static_v")
    keys = k._type.shape[2]
    k, v = _with_bias(k, v, bias_k, bias_v, static=static_k is not None or static_v is not None)
    if add_zero_attn:
        k, v = pad(k, (0, 0, 0, 1)), pad(v, (0, 0, 0, 1))
    dropout_p = dropout_p if training else 0.0
    causal = is_causal and key_padding_mask is None and not need_weights
    mask = _merged(None if causal else attn_mask, key_padding_mask, heads, q, keys)
    if mask is not None and k._type.shape[2] > keys:
        mask = pad(mask, (0, k._type.shape[2] - keys))
    if not need_weights:
        output = scaled_dot_product_attention(q, k, v, mask, dropout_p, causal)
        return linear(heads.join(output), out_proj_weight, out_proj_bias), None
    shares = attention_weights(q, k, mask, dropout_p)
    output = linear(heads.join(product(shares, v)), out_proj_weight, out_proj_bias)
    shares = shares.mean(1) if average_attn_weights else shares
    return output, shares if heads.batched else shares.squeeze(0)


# -- heads --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Heads:
    """How features [L, N, H * D], [N, L, H * D] or [L, H * D] become heads [N, H, L, D]."""

    count: int
    batched: bool
    batch_first: bool

    def split(self, x: Tensor) -> Tensor:
        """Return the features of each head."""
        apart = x.unflatten(-1, (self.count, -1))
        if not self.batched:
            return apart.transpose(0, 1).unsqueeze(0)
        return apart.permute((0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))  # type: ignore[no-any-return]

    def join(self, x: Tensor) -> Tensor:
        """Return the features of all heads side by side."""
        if not self.batched:
            return x.squeeze(0).transpose(0, 1).flatten(1)
        order = (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)
        return x.permute(order).flatten(2)  # type: ignore[no-any-return]

    def given(self, x: Tensor, query: Tensor, name: str) -> Tensor:
        """Return a static key or value [N * H, S, D] as heads."""
        batch, _, _, width = query._type.shape
        shape = x._type.shape
        if len(shape) != 3 or (shape[0], shape[2]) != (batch * self.count, width):
            raise ShapeError(
                at_line(f"{name} wants shape [{batch * self.count}, S, {width}], got {x._type}")
            )
        return x.unflatten(0, (batch, self.count))  # type: ignore[no-any-return]


def _with_bias(
    k: Tensor, v: Tensor, bias_k: Tensor | None, bias_v: Tensor | None, static: bool
) -> tuple[Tensor, Tensor]:
    """Return heads of keys and values with a learned one [1, 1, H * D] at their end."""
    if bias_k is None and bias_v is None:
        return k, v
    if bias_k is None or bias_v is None:
        raise ValueError(at_line("attention wants both bias_k and bias_v, or neither; got one"))
    if static:
        raise ValueError(at_line("bias_k and bias_v cannot be added to static_k and static_v"))
    batch, heads, _, width = k._type.shape
    last = [
        bias.reshape(1, heads, 1, width).expand(batch, heads, 1, width) for bias in (bias_k, bias_v)
    ]
    return cat([k, last[0]], 2), cat([v, last[1]], 2)


# -- projections --------------------------------------------------------------------------------


def _project_packed(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor | None, bias: Tensor | None
) -> Three:
    """Project with one weight [3 * E, E]; what is the same tensor is multiplied once."""
    if weight is None:
        raise ValueError(at_line("attention wants in_proj_weight, got None"))
    width = query._type.shape[-1]
    if query is key and key is value:
        return linear(query, weight, bias).chunk(3, -1)  # type: ignore[no-any-return]
    if key is value:
        first, both = weight.split([width, 2 * width])
        first_bias, both_bias = (None, None) if bias is None else bias.split([width, 2 * width])
        k, v = linear(key, both, both_bias).chunk(2, -1)
        return linear(query, first, first_bias), k, v
    return _project_each(query, key, value, weight.chunk(3), bias)


def _project_each(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weights: tuple[Tensor | None, ...],
    bias: Tensor | None,
) -> Three:
    """Project with a weight [E, features] each and a bias [3 * E] for all."""
    width = query._type.shape[-1]
    names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
    biases = (None, None, None) if bias is None else bias.chunk(3)
    found = []
    for x, weight, part, name in zip((query, key, value), weights, biases, names, strict=True):
        wanted = (width, x._type.shape[-1])
        if weight is None or weight._type.shape != wanted:
            got = None if weight is None else weight._type
            raise ShapeError(at_line(f"attention wants {name} of shape {list(wanted)}, got {got}"))
        found.append(linear(x, weight, part))
    return found[0], found[1], found[2]


# -- masks --------------------------------------------------------------------------------------


def _merged(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    heads: _Heads,
    query: Tensor,
    keys: int,
) -> Tensor | None:
    """Return one mask of numbers, to be added to scores [N, H, L, keys]."""
    batch, count, length, _ = query._type.shape
    dtype = query._type.dtype
    mask = None
    if attn_mask is not None:
        shapes = ((length, keys), (batch * count, length, keys))
        mask = _numbers("attn_mask", attn_mask, shapes, dtype)
        if mask.ndim == 3:
            mask = mask.unflatten(0, (batch, count))
    if key_padding_mask is not None:
        shape = (batch, keys) if heads.batched else (keys,)
        padding = _numbers("key_padding_mask", key_padding_mask, (shape,), dtype)
        padding = padding.reshape(batch, 1, 1, keys)
        mask = padding if mask is None else mask + padding
    return mask


def _numbers(name: str, mask: Tensor, shapes: tuple[tuple[int, ...], ...], dtype: DType) -> Tensor:
    """Return a mask as numbers to add: -inf where a mask of bools is True."""
    if mask._type.shape not in shapes:
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise ShapeError(at_line(f"attention wants {name} of shape {wanted}, got {mask._type}"))
    if mask._type.dtype is bool_:
        hidden, seen = (
            creation.full((), x, dtype=dtype, device=mask.device) for x in (-math.inf, 0.0)
        )
        return where(mask, hidden, seen)  # type: ignore[no-any-return]
    if mask._type.dtype.kind != "float":
        raise DTypeError(
            at_line(f"attention wants {name} of bools or floats, got {mask._type}; cast it")
        )
    return mask


# -- arguments ----------------------------------------------------------------------------------


def _check(
    query: Tensor, key: Tensor, value: Tensor, width: int, heads: _Heads, separate: bool
) -> None:
    """Raise unless the arguments fit together, and the widths that the weights were made for."""
    got = f"got query {query._type}, key {key._type}, value {value._type}"
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ShapeError(at_line(f"attention wants 3 dims, or 2 without a batch; {got}"))
    if query._type.shape[-1] != width:
        raise ShapeError(at_line(f"attention was made for {width} features; {got}"))
    if width % heads.count:
        raise ShapeError(at_line(f"attention wants heads that divide {width}, got {heads.count}"))
    alike = slice(-1 if separate else None)
    if key._type.shape[alike] != value._type.shape[alike]:
        raise ShapeError(at_line(f"attention wants equal shapes of key and value; {got}"))
    batch = 0 if heads.batch_first else 1
    if heads.batched and query._type.shape[batch] != key._type.shape[batch]:
        raise ShapeError(at_line(f"attention wants equal batches (dim {batch}); {got}"))
