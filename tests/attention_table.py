"""Attention and Transformers with all their options: to compare with PyTorch and compiled code.

Functions are function(library, nn.functional, *tensors), as in function_table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.function_table import real

Q = real(2, 4, 5, 6, seed=1)  # [batch, heads, queries, width]
K = real(2, 4, 7, 6, seed=2)
V = real(2, 4, 7, 3, seed=3)
NUMBERS = real(5, 7, seed=4)
SEEN = real(2, 1, 5, 7, seed=5) > -1.2
SEEN[1, 0, 2] = False  # a query that sees no key
NOTHING = np.where(SEEN, 0, -math.inf).astype(np.float32)

SCALED: dict[str, Callable[..., Any]] = {
    "plain": lambda a, q, k, v, m, s, n: a(q, k, v),
    "causal": lambda a, q, k, v, m, s, n: a(q, k, v, is_causal=True),
    "causal_tall": lambda a, q, k, v, m, s, n: a(k, q, v[:, :, :5], is_causal=True),
    "scale": lambda a, q, k, v, m, s, n: (a(q, k, v, scale=0.3), a(q, k, v, scale=-1.0)),
    "numbers": lambda a, q, k, v, m, s, n: (a(q, k, v, m), a(q, k, v, attn_mask=m, scale=0.2)),
    "numbers_for_heads": lambda a, q, k, v, m, s, n: a(q, k, v, m.expand(2, 4, 5, 7) * 2),
    "numbers_for_keys": lambda a, q, k, v, m, s, n: a(q, k, v, m[:1]),
    "bools": lambda a, q, k, v, m, s, n: a(q, k, v, s),
    "bools_for_all": lambda a, q, k, v, m, s, n: a(q, k, v, s[0, 0]),
    "infinities": lambda a, q, k, v, m, s, n: a(q, k, v, n),
    "no_heads": lambda a, q, k, v, m, s, n: a(q[:, 0], k[:, 0], v[:, 0], m),
    "no_batch": lambda a, q, k, v, m, s, n: a(q[0, 0], k[0, 0], v[0, 0], m, is_causal=False),
    "more_dims": lambda a, q, k, v, m, s, n: a(q[None], k[None], v[None], s),
    "broadcast": lambda a, q, k, v, m, s, n: a(q, k[:1, :1], v[:, :1]),
    "grouped": lambda a, q, k, v, m, s, n: a(q, k[:, :2], v[:, 2:], enable_gqa=True),
    "grouped_to_one": lambda a, q, k, v, m, s, n: a(
        q[0], k[0, :1], v[0, :2], m, enable_gqa=True
    ),
}  # fmt: skip


def scaled(name: str) -> Callable[..., Any]:
    """Return a case of scaled_dot_product_attention for (lib, f, *ARRAYS)."""
    return lambda lib, f, *tensors: SCALED[name](f.scaled_dot_product_attention, *tensors)


ARRAYS = (Q, K, V, NUMBERS, SEEN, NOTHING)

# -- MultiheadAttention --------------------------------------------------------------------------

WIDTH, HEADS, QUERIES, KEYS, BATCH = 8, 2, 5, 7, 3
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no_bias": {"bias": False},
    "batch_first": {"batch_first": True},
    "bias_kv": {"add_bias_kv": True},
    "zero_attn": {"add_zero_attn": True, "batch_first": True},
    "kdim": {"kdim": 6},
    "all": {"kdim": 6, "vdim": 3, "add_bias_kv": True, "add_zero_attn": True},
    "all_no_bias": {"vdim": 3, "bias": False, "add_bias_kv": True, "batch_first": True},
}
CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no_weights": {"need_weights": False},
    "each_head": {"average_attn_weights": False},
    "numbers": {"attn_mask": NUMBERS},
    "bools": {"attn_mask": NUMBERS > 0.6, "need_weights": False},
    "numbers_each": {"attn_mask": real(BATCH * HEADS, QUERIES, KEYS, seed=8)},
    "bools_each": {
        "attn_mask": real(BATCH * HEADS, QUERIES, KEYS, seed=8) > 1.2, "need_weights": False,
    },
    "padding": {"key_padding_mask": real(BATCH, KEYS, seed=9) > 0.9},
    "padding_numbers": {"key_padding_mask": real(BATCH, KEYS, seed=9), "need_weights": False},
    "both": {
        "attn_mask": NUMBERS > 1.2, "key_padding_mask": real(BATCH, KEYS, seed=9) > 0.9,
        "average_attn_weights": False,
    },
    "both_quick": {
        "attn_mask": NUMBERS, "key_padding_mask": real(BATCH, KEYS, seed=9), "need_weights": False,
    },
    "causal": {"attn_mask": np.triu(np.ones((QUERIES, KEYS), bool), 1), "is_causal": True},
    "causal_quick": {
        "attn_mask": np.triu(np.ones((QUERIES, KEYS), bool), 1), "is_causal": True,
        "need_weights": False,
    },
}  # fmt: skip


def sequences(options: dict[str, Any], batched: bool = True) -> tuple[np.ndarray, ...]:
    """Return query, key and value for a layer."""
    widths = (WIDTH, options.get("kdim", WIDTH), options.get("vdim", WIDTH))
    lengths = (QUERIES, KEYS, KEYS)
    made = []
    for seed, (length, width) in enumerate(zip(lengths, widths, strict=True)):
        shape = (BATCH, length) if options.get("batch_first") else (length, BATCH)
        made.append(real(*(shape if batched else (length,)), width, seed=20 + seed))
    return tuple(made)


# -- Transformers --------------------------------------------------------------------------------

SMALL = {"d_model": WIDTH, "nhead": HEADS, "dim_feedforward": 12, "dropout": 0.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch_first": {"batch_first": True},
    "norm_first": {"norm_first": True, "layer_norm_eps": 1e-3},
    "gelu": {"activation": "gelu", "bias": False},
}
