"""Attention and Transformers against PyTorch: state, results, gradients, masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
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

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

from tests.test_tensor_oracle import assert_same, check, flat, pair  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, on nested tensors
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize("name", SCALED)
def test_scaled_dot_product(name: str) -> None:
    """Values and gradients, with masks, in both float types."""
    check(scaled(name), *ARRAYS, **CLOSE)
    wide = [array.astype(float) if array.dtype == np.float32 else array for array in ARRAYS]
    check(scaled(name), *wide, rtol=1e-10, atol=1e-12)


def test_scaled_dot_product_of_nothing() -> None:
    """No queries, no keys, no features."""

    def work(lib: Any, f: Any, q: Any, k: Any, v: Any) -> Any:
        attend = f.scaled_dot_product_attention
        return (
            attend(q[..., :0, :], k, v),
            attend(q, k[..., :0, :], v[..., :0, :]),
            attend(q[..., :0], k[..., :0], v),
        )

    check(work, *ARRAYS[:3])


def copied(name: str, **options: Any) -> tuple[Any, Any]:
    """Return a layer of both libraries with the same weights, moved off their special values."""
    theirs = getattr(torch.nn, name)(**options)
    if callable(options.get("activation")):
        options["activation"] = jitnet.nn.functional.silu
    ours = getattr(jitnet.nn, name)(**options)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in theirs.parameters():
            noise = rng.uniform(-0.3, 0.3, tuple(parameter.shape)).astype(np.float32)
            parameter.add_(torch.from_numpy(noise))
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    named = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_parameters()] == named
    ours.load_state_dict({key: jitnet.tensor(value.numpy()) for key, value in state.items()})
    return ours, theirs


def compare(
    layers: tuple[Any, Any],
    arrays: tuple[np.ndarray, ...],
    options: dict[str, Any],
    call: Callable[..., Any] = lambda layer, *args, **options: layer(*args, **options),
) -> None:
    """Compare results and all gradients; arrays among the options become tensors."""
    mine, theirs = zip(*(pair(array, requires_grad=True) for array in arrays), strict=True)
    tensors = {key: pair(x) for key, x in options.items() if isinstance(x, np.ndarray)}
    got = call(layers[0], *mine, **options | {key: x for key, (x, _) in tensors.items()})
    want = call(layers[1], *theirs, **options | {key: x for key, (_, x) in tensors.items()})
    assert_same(got, want, **CLOSE)
    for y, expected in zip(flat(got), flat(want), strict=True):
        if expected is None:
            continue
        seed = np.cos(np.arange(expected.numel(), dtype=np.float32)).reshape(expected.shape)
        y.backward(jitnet.tensor(seed), retain_graph=True)
        expected.backward(torch.tensor(seed), retain_graph=True)
    for a, b in zip(
        (*mine, *layers[0].parameters()), (*theirs, *layers[1].parameters()), strict=True
    ):
        assert_same(a.grad, b.grad, rtol=1e-3, atol=5e-5)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("layer", LAYERS)
def test_multihead_attention(layer: str, call: str) -> None:
    """Every way to make it, called in every way."""
    made = copied("MultiheadAttention", embed_dim=WIDTH, num_heads=HEADS, **LAYERS[layer])
    compare(made, sequences(LAYERS[layer]), CALLS[call])


@pytest.mark.parametrize("call", ["plain", "each_head", "no_weights", "numbers", "causal_quick"])
@pytest.mark.parametrize("layer", ["plain", "batch_first", "all"])
def test_multihead_attention_without_batch(layer: str, call: str) -> None:
    """One sequence; batch_first means nothing then."""
    made = copied("MultiheadAttention", embed_dim=WIDTH, num_heads=HEADS, **LAYERS[layer])
    options = CALLS[call] | {"key_padding_mask": np.arange(KEYS) > 4}
    compare(made, sequences(LAYERS[layer], batched=False), options)
    each = {"attn_mask": real(HEADS, QUERIES, KEYS, seed=3)}
    compare(made, sequences(LAYERS[layer], batched=False), CALLS[call] | each)


@pytest.mark.parametrize("batch_first", [False, True])
def test_multihead_attention_to_itself(batch_first: bool) -> None:
    """The same tensor as query, key and value, and as key and value only."""
    made = copied("MultiheadAttention", embed_dim=8, num_heads=4, batch_first=batch_first)
    compare(made, (real(3, 4, 8),), {}, lambda layer, x: layer(x, x, x))
    memory = real(3, 4, 8, seed=1)
    compare(made, (real(3, 4, 8), memory), {}, lambda layer, x, y: layer(x, y, y))
    made[0].eval()
    made[1].eval()
    compare(made, (real(3, 4, 8),), {}, lambda layer, x: layer(x, x, x, need_weights=False))


def test_multihead_attention_function() -> None:
    """Static keys and values, and sizes other than the projection's."""
    heads = real(BATCH * HEADS, 4, WIDTH // HEADS, seed=30)
    weights = real(3 * WIDTH, WIDTH, seed=31), real(WIDTH, WIDTH, seed=32), real(WIDTH, seed=33)

    def work(lib: Any, f: Any, q: Any, s: Any, w: Any, o: Any, b: Any) -> Any:
        return f.multi_head_attention_forward(
            q, q, q, WIDTH, HEADS, w, None, None, None, False, 0.0, o, b, False,
            static_k=s, static_v=s * 2, need_weights=False,
        )  # fmt: skip

    check(work, real(4, BATCH, WIDTH, seed=34), heads, *weights, **CLOSE)


SEQUENCE = real(QUERIES, BATCH, WIDTH, seed=40)
MEMORY = real(KEYS, BATCH, WIDTH, seed=41)


def ordered(options: dict[str, Any], *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return sequences with the batch where the settings want it."""
    first = options.get("batch_first")
    return tuple(array.swapaxes(0, 1).copy() if first else array for array in arrays)


@pytest.mark.parametrize("masks", ["none", "causal", "padding"])
@pytest.mark.parametrize("name", SETTINGS)
def test_encoder_layer(name: str, masks: str) -> None:
    """Each setting, without masks, with a causal one, with padding."""
    options: dict[str, Any] = {}
    if masks == "causal":
        options = {"src_mask": np.triu(np.ones((QUERIES, QUERIES), bool), 1), "is_causal": True}
    if masks == "padding":
        options = {"src_key_padding_mask": np.arange(QUERIES) > np.array([[3], [9], [1]])}
    made = copied("TransformerEncoderLayer", **SMALL, **SETTINGS[name])
    compare(made, ordered(SETTINGS[name], SEQUENCE), options)


@pytest.mark.parametrize("name", SETTINGS)
def test_decoder_layer(name: str) -> None:
    """Each setting, with masks for both attentions."""
    options = {
        "tgt_mask": np.triu(np.full((QUERIES, QUERIES), -np.inf, np.float32), 1),
        "memory_mask": real(QUERIES, KEYS, seed=42),
        "memory_key_padding_mask": (np.arange(KEYS) > np.array([[3], [9], [1]])) * np.float32(-9),
    }
    made = copied("TransformerDecoderLayer", **SMALL, **SETTINGS[name])
    compare(made, ordered(SETTINGS[name], SEQUENCE, MEMORY), options)


@pytest.mark.parametrize("name", SETTINGS)
def test_transformer(name: str) -> None:
    """The whole, with a causal target, and without a batch."""
    counts = {"num_encoder_layers": 2, "num_decoder_layers": 2}
    made = copied("Transformer", **SMALL, **SETTINGS[name], **counts)
    mask = jitnet.nn.Transformer.generate_square_subsequent_mask(QUERIES).numpy()
    assert np.array_equal(mask, torch.nn.Transformer.generate_square_subsequent_mask(QUERIES))
    options = {"tgt_mask": mask, "src_key_padding_mask": real(BATCH, KEYS, seed=9)}
    compare(made, ordered(SETTINGS[name], MEMORY, SEQUENCE), options)
    if name != "gelu":
        compare(made, (MEMORY[:, 0], SEQUENCE[:, 0]), {"tgt_mask": mask, "tgt_is_causal": True})


def test_activation_that_is_a_function() -> None:
    """A callable in place of a name."""
    made = copied("TransformerEncoderLayer", **SMALL, activation=torch.nn.functional.silu)
    compare(made, (SEQUENCE,), {})


def test_initial_values() -> None:
    """Zeros where PyTorch has zeros, and the same bounds elsewhere."""
    jitnet.manual_seed(0)
    torch.manual_seed(0)
    options = {"d_model": 64, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1}
    layers = [jitnet.nn.Transformer(**options), torch.nn.Transformer(**options)]
    layers += [
        library.nn.MultiheadAttention(64, 2, add_bias_kv=True, kdim=48)
        for library in (jitnet, torch)
    ]
    for ours, theirs in (layers[:2], layers[2:]):
        for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            spread = other.std().item() if other.numel() > 1 else 0.0
            assert mine.std().item() == pytest.approx(spread, rel=0.3, abs=1e-6), name
            assert mine.mean().item() == pytest.approx(other.mean().item(), abs=0.05), name
