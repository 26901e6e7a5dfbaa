"""Masks of causal attention between queries and keys that differ in number."""

from __future__ import annotations

import jitnet as jn
from jitnet.nn.attention.bias import (
    CausalBias,
    CausalVariant,
    causal_lower_right,
    causal_upper_left,
)
from jitnet.nn.functional import scaled_dot_product_attention


def test_the_diagonal_starts_or_ends_in_a_corner() -> None:
    assert causal_upper_left(2, 3).int().tolist() == [[1, 0, 0], [1, 1, 0]]
    assert causal_lower_right(2, 3).int().tolist() == [[1, 1, 0], [1, 1, 1]]
    assert jn.equal(CausalBias(CausalVariant.LOWER_RIGHT, 4, 4), causal_upper_left(4, 4))


def test_the_last_query_of_a_longer_memory_sees_all_of_it() -> None:
    query, key = jn.randn(1, 2, 3, 4), jn.randn(1, 2, 5, 4)
    attend = jn.compile(
        lambda q, k: scaled_dot_product_attention(q, k, k, attn_mask=causal_lower_right(3, 5))
    )
    whole = scaled_dot_product_attention(query[:, :, -1:], key, key)
    assert jn.allclose(attend(query, key)[:, :, -1:], whole, atol=1e-5)
