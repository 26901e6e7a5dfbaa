"""Attention whose scores and masks are functions of places."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import jitnet as jn
from jitnet.nn.attention.flex_attention import (
    AuxRequest,
    and_masks,
    create_block_mask,
    create_mask,
    flex_attention,
    or_masks,
)

DOCUMENT = [0, 0, 0, 1, 1, 1]


def causal(b: Any, h: Any, q: Any, k: Any) -> Any:
    return q >= k


def near(b: Any, h: Any, q: Any, k: Any) -> Any:
    return (q - k).abs() <= 2


def slanted(score: Any, b: Any, h: Any, q: Any, k: Any) -> Any:
    return score + (k - q) * 0.5 ** (h + 1)


def capped(score: Any, b: Any, h: Any, q: Any, k: Any) -> Any:
    return 3 * (score / 3).tanh()


def tensors(heads: int = 2) -> list[jn.Tensor]:
    jn.manual_seed(0)
    return [jn.randn(2, h, 6, 4, requires_grad=True) for h in (2, heads, heads)]


MASKS = [None, causal, and_masks(causal, near), or_masks(causal, near)]


@pytest.mark.parametrize("score", [None, slanted, capped])
@pytest.mark.parametrize("mask", MASKS)
def test_flex_attention_is_pytorchs(score: Any, mask: Any) -> None:
    torch = pytest.importorskip("torch", reason="the oracle")
    theirs = pytest.importorskip("torch.nn.attention.flex_attention", reason="the oracle")
    ours = tensors()
    others = [torch.tensor(x.detach().numpy()) for x in ours]
    block = None if mask is None else create_block_mask(mask, None, None, 6, 6)
    their_block = None if mask is None else theirs.create_block_mask(mask, None, None, 6, 6, "cpu")
    with warnings.catch_warnings(action="ignore"):  # that it is slow uncompiled
        expected = theirs.flex_attention(*others, score, their_block)
    got = flex_attention(*ours, score, block).detach()
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("mask", MASKS)
def test_gradients(mask: Any) -> None:
    block = None if mask is None else create_block_mask(mask, None, None, 6, 6)
    doubles = [x.detach().double().requires_grad_() for x in tensors()]
    assert jn.autograd.gradcheck(lambda *x: flex_attention(*x, slanted, block), doubles)


def test_a_compiled_call_makes_its_mask_of_the_batch() -> None:
    def attend(q: jn.Tensor, k: jn.Tensor, v: jn.Tensor, document: jn.Tensor) -> jn.Tensor:
        def same(b: Any, h: Any, i: Any, j: Any) -> Any:
            return document[i] == document[j]

        return flex_attention(q, k, v, slanted, create_block_mask(same, None, None, 6, 6))

    document = jn.tensor(DOCUMENT)
    assert jn.allclose(
        jn.compile(attend)(*tensors(), document), attend(*tensors(), document), atol=1e-5
    )
    q, k, v = tensors()
    apart = attend(q, k, v, document)
    assert jn.allclose(
        apart[:, :, :3], flex_attention(q[:, :, :3], k[:, :, :3], v[:, :, :3], slanted)
    )


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    late = create_block_mask(lambda b, h, q, k: k > q + 3, None, None, 6, 6)
    result, lse = flex_attention(*tensors(), block_mask=late, return_lse=True)
    assert not result[:, :, 2:].any()
    assert lse[0, 0, 2].item() == -math.inf
    _, aux = flex_attention(*tensors(), return_aux=AuxRequest(lse=True, max_scores=True))
    assert (aux.max_scores <= aux.lse).all()


def test_heads_share_keys() -> None:
    q, k, v = tensors(heads=1)
    got = flex_attention(q, k, v, slanted, enable_gqa=True)
    wide = flex_attention(q, k.expand(2, 2, 6, 4), v.expand(2, 2, 6, 4), slanted)
    assert jn.allclose(got, wide)


def test_masks_as_tensors_and_blocks() -> None:
    assert create_mask(causal, None, None, 2, 3).int().tolist() == [[[[1, 0, 0], [1, 1, 0]]]]
    block = create_block_mask(causal, None, None, 6, 6, BLOCK_SIZE=2)
    assert block.shape == (1, 1, 6, 6)
    assert block.to_dense().tolist() == [[[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]]
    assert block.sparsity() == pytest.approx(100 / 3)
