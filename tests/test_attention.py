"""Attention and Transformers: compiled as eager, with gradients; dropout; errors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from tests.attention_table import (
    ARRAYS,
    BATCH,
    CALLS,
    HEADS,
    KEYS,
    LAYERS,
    QUERIES,
    SCALED,
    SETTINGS,
    SMALL,
    WIDTH,
    scaled,
    sequences,
)
from tests.function_table import real
from tests.test_tensor_compiled import flat, fresh, with_gradients


def assert_close(got: Any, wanted: Any) -> None:
    """Assert equal types and close values, one by one."""
    assert len(got) == len(wanted)
    for mine, expected in zip(got, wanted, strict=True):
        assert mine.dtype is expected.dtype and mine.shape == expected.shape
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", SCALED)
def test_scaled_dot_product_compiled(name: str) -> None:
    """Results and gradients, with every mask."""
    run = with_gradients(scaled(name))
    assert_close(jitnet.compile(run)(*fresh(ARRAYS)), run(*fresh(ARRAYS)))


def trained(layer: nn.Module, arrays: tuple[np.ndarray, ...], **options: Any) -> list[Any]:
    """Return results and all gradients of a call that is compiled or not."""
    inputs = fresh(arrays)
    results = list(flat(layer(*inputs, **options)))
    total = jitnet.zeros(())
    for y in results:
        total = total + (y * jitnet.arange(y.numel()).cos().reshape(y.shape)).sum()
    total.backward()
    return [y.detach() for y in results] + [
        x.grad for x in (*inputs, *layer.parameters()) if x.grad is not None
    ]


def compare(layer: nn.Module, arrays: tuple[np.ndarray, ...], **options: Any) -> None:
    """Compare a compiled layer with the same run eagerly; arrays in options become tensors."""
    tensors = {key: jitnet.tensor(x) for key, x in options.items() if isinstance(x, np.ndarray)}
    other = copy.deepcopy(layer)
    wanted = trained(layer, arrays, **options | tensors)
    assert_close(trained(jitnet.compile(other), arrays, **options | tensors), wanted)


@pytest.mark.parametrize("call", ["no_weights", "both", "causal_quick"])
@pytest.mark.parametrize("layer", ["plain", "zero_attn", "all"])
def test_multihead_attention_compiled(layer: str, call: str) -> None:
    """Projections, biases and masks, forward and backward."""
    made = nn.MultiheadAttention(WIDTH, HEADS, **LAYERS[layer])
    compare(made, sequences(LAYERS[layer]), **CALLS[call])


@pytest.mark.parametrize("name", SETTINGS)
def test_transformer_compiled(name: str) -> None:
    """Encoder and decoder, forward and backward."""
    counts = {"num_encoder_layers": 1, "num_decoder_layers": 1}
    made = nn.Transformer(**SMALL, **SETTINGS[name], **counts)
    mask = nn.Transformer.generate_square_subsequent_mask(QUERIES).numpy()
    padding = real(BATCH, KEYS, seed=9) > 0.9
    source, target = real(KEYS, BATCH, WIDTH), real(QUERIES, BATCH, WIDTH, seed=1)
    if made.batch_first:
        source, target = source.swapaxes(0, 1).copy(), target.swapaxes(0, 1).copy()
    compare(made, (source, target), tgt_mask=mask, src_key_padding_mask=padding)


def test_a_query_that_sees_no_key() -> None:
    """Gets zeros and gives no gradient, with weights too."""
    q = jitnet.randn(2, 3, 4, requires_grad=True)
    mask = jitnet.tensor([[True, False], [False, False], [True, True]])
    y = F.scaled_dot_product_attention(q, q[:, :2], q[:, :2], attn_mask=mask)
    assert y[:, 1].eq(0).all()
    layer = nn.MultiheadAttention(4, 2, bias=False)
    output, weights = layer(q, q, q, attn_mask=jitnet.ones(2, 2, dtype=jitnet.bool))
    assert output.eq(0).all() and weights.eq(0).all()
    (y.sum() + output.sum()).backward()
    assert q.grad.isfinite().all()


def test_dropout_of_weights() -> None:
    """Drops in training only, and always where the function is told so."""
    jitnet.manual_seed(0)
    x = jitnet.ones(3, 1, 4)
    layer = nn.MultiheadAttention(4, 2, dropout=0.5)
    _, weights = layer(x, x, x, average_attn_weights=False)
    assert 0 < (weights == 0).sum() < weights.numel()
    assert jitnet.isclose(weights[weights != 0], jitnet.tensor(2 / 3)).all()
    _, weights = layer.eval()(x, x, x, average_attn_weights=False)
    assert jitnet.isclose(weights, jitnet.tensor(1 / 3)).all()
    assert F.scaled_dot_product_attention(x, x, x, dropout_p=1.0).eq(0).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        F.scaled_dot_product_attention(x, x, x, dropout_p=1.5)


X = jitnet.zeros(2, 4, 5, 6)
BOTH = jitnet.zeros(5, 5, dtype=jitnet.bool)
WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "width": (
        lambda: F.scaled_dot_product_attention(X, X[..., :3], X),
        jitnet.ShapeError, "equal widths of query and key",
    ),
    "values": (
        lambda: F.scaled_dot_product_attention(X, X, X[:, :, :2]),
        jitnet.ShapeError, "as many values as keys",
    ),
    "dims": (
        lambda: F.scaled_dot_product_attention(X[0, 0, 0], X, X),
        jitnet.ShapeError, "at least 2 dims",
    ),
    "dtype": (
        lambda: F.scaled_dot_product_attention(X, X.double(), X),
        jitnet.DTypeError, "one dtype",
    ),
    "whole": (
        lambda: F.scaled_dot_product_attention(X.long(), X.long(), X.long()),
        jitnet.DTypeError, "floating point",
    ),
    "mask_dtype": (
        lambda: F.scaled_dot_product_attention(X, X, X, BOTH.long()),
        jitnet.DTypeError, "attn_mask of bool, float32",
    ),
    "mask_shape": (
        lambda: F.scaled_dot_product_attention(X[0], X[0], X[0], X[:, :, :, :5]),
        jitnet.ShapeError, "broadcasts to the weights",
    ),
    "both": (
        lambda: F.scaled_dot_product_attention(X, X, X, BOTH, is_causal=True),
        RuntimeError, "not both",
    ),
    "groups": (
        lambda: F.scaled_dot_product_attention(X, X[:, :3], X[:, :3], enable_gqa=True),
        jitnet.ShapeError, "divide the query's 4, got 3",
    ),
    "heads": (lambda: nn.MultiheadAttention(6, 4), ValueError, "divides it, got 6 and 4"),
    "causal": (
        lambda: nn.MultiheadAttention(6, 2)(X[0], X[0], X[0], is_causal=True),
        RuntimeError, "wants an attn_mask",
    ),
    "mask_2d": (
        lambda: nn.MultiheadAttention(6, 2)(X[0], X[0], X[0], attn_mask=BOTH),
        jitnet.ShapeError, r"attn_mask of shape \[4, 4\] or \[10, 4, 4\], got bool\[5, 5\]",
    ),
    "padding": (
        lambda: nn.MultiheadAttention(6, 2)(X[0], X[0], X[0], key_padding_mask=BOTH[:4]),
        jitnet.ShapeError, r"key_padding_mask of shape \[5, 4\]",
    ),
    "features": (
        lambda: nn.MultiheadAttention(4, 2)(X[0], X[0], X[0]),
        jitnet.ShapeError, "made for 4 features",
    ),
    "batch": (
        lambda: nn.MultiheadAttention(6, 2)(X[0], X[0][:, :1], X[0][:, :1]),
        jitnet.ShapeError, "equal batches",
    ),
    "rank": (
        lambda: nn.MultiheadAttention(6, 2)(X, X, X), jitnet.ShapeError, "3 dims, or 2 without",
    ),
    "activation": (
        lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"),
        RuntimeError, "should be relu/gelu, not tanh",
    ),
    "transformer": (
        lambda: nn.Transformer(6, 2, 1, 1)(X[0], X[0][:, :2]), jitnet.ShapeError, "equal batches",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_was_wanted(name: str) -> None:
    """The type and the text of errors."""
    function, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        function()


def test_mask_values() -> None:
    """generate_square_subsequent_mask: dtype, and -inf above the diagonal."""
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=jitnet.float64)
    assert mask.dtype is jitnet.float64
    assert mask.tolist() == [[0, -math.inf, -math.inf], [0, 0, -math.inf], [0, 0, 0]]
