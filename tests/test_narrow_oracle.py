"""float16 and bfloat16 against PyTorch: functions and gradients, layers, what autocast casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from tests.function_table import (
    ACTIVATIONS,
    EVEN,
    PRODUCTS,
    REDUCTIONS,
    SHAPES,
    TWO,
    B,
    C,
    M,
    N,
    X,
    Y,
    real,
)

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

NAMES = pytest.mark.parametrize("dtype", ["float16", "bfloat16"])


def pair(array: np.ndarray, dtype: str) -> tuple[Any, Any]:
    """Return the same values in both libraries, as leaves."""
    mine, theirs = jitnet.tensor(array), torch.tensor(array)
    if array.dtype.kind == "f":
        mine = mine.to(getattr(jitnet, dtype)).requires_grad_()
        theirs = theirs.to(getattr(torch, dtype)).requires_grad_()
    return mine, theirs


def parts(value: Any) -> list[Any]:
    """Return the tensors of a nested result."""
    if isinstance(value, tuple | list):
        return [item for part in value for item in parts(part)]
    return [value]


def assert_near(mine: Any, theirs: Any, ulps: float) -> None:
    """Assert equal dtypes, and values up to some units in the last place of the largest."""
    if not isinstance(theirs, torch.Tensor):
        assert mine == theirs
        return
    assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    got, want = np.array(mine.tolist()), np.array(theirs.tolist())
    if not theirs.is_floating_point():
        np.testing.assert_array_equal(got, want)
        return
    eps = torch.finfo(theirs.dtype).eps
    big = np.abs(want[np.isfinite(want)]).max(initial=1.0)
    np.testing.assert_allclose(got, want, rtol=ulps * eps, atol=ulps * eps * big)


def compare(function: Callable[..., Any], dtype: str, *arrays: np.ndarray, ulps: float = 2) -> None:
    """Compare results and, with a little more room, gradients: PyTorch rounds those in between."""
    pairs = [pair(array, dtype) for array in arrays]
    got = parts(function(jitnet, F, *[mine for mine, _ in pairs]))
    want = parts(function(torch, torch.nn.functional, *[theirs for _, theirs in pairs]))
    for y, expected in zip(got, want, strict=True):
        assert_near(y, expected, ulps)
        if getattr(expected, "requires_grad", False):
            y.sum().backward(retain_graph=True)
            expected.sum().backward(retain_graph=True)
    for a, b in pairs:
        if b.requires_grad and b.grad is not None:
            found = jitnet.zeros_like(a) if a.grad is None else a.grad
            assert_near(found, b.grad, 4 * ulps)


@NAMES
@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name: str, dtype: str) -> None:
    compare(TWO[name], dtype, X, Y)


@NAMES
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str, dtype: str) -> None:
    compare(REDUCTIONS[name], dtype, EVEN)


@NAMES
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, dtype: str) -> None:
    compare(SHAPES[name], dtype, EVEN)


@NAMES
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, dtype: str) -> None:
    compare(ACTIVATIONS[name], dtype, EVEN * 2)


@NAMES
@pytest.mark.parametrize("name", "relu leaky_relu elu selu silu mish hardswish hardtanh".split())
def test_in_place(name: str, dtype: str) -> None:
    def function(lib: Any, f: Any, x: Any) -> Any:
        y = x * 1
        return getattr(f, name)(y, inplace=True), y

    compare(function, dtype, EVEN * 2, ulps=3)


@NAMES
@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str, dtype: str) -> None:
    compare(PRODUCTS[name], dtype, M, N, B, C)


LAYERS: dict[str, Callable[..., Any]] = {
    "conv1d": lambda lib, f, x, w: f.conv1d(x, w[..., 0], w[:, 0, 0, 0], padding=1),
    "conv2d": lambda lib, f, x, w: f.conv2d(x[:, None].expand(-1, 4, -1, -1), w, stride=2),
    "conv_transpose2d": lambda lib, f, x, w: f.conv_transpose2d(x[None], w[:2], w[0, :, 0, 0]),
    "layer_norm": lambda lib, f, x, w: f.layer_norm(x, (6,), w[0, 0, :1].flatten()[:1].expand(6)),
    "group_norm": lambda lib, f, x, w: f.group_norm(x, 2),
    "rms_norm": lambda lib, f, x, w: f.rms_norm(x, (6,)),
    "batch_norm": lambda lib, f, x, w: f.batch_norm(x, None, None, training=True),
    "cross_entropy": lambda lib, f, x, w: f.cross_entropy(x[:, :, 0], lib.tensor([1, 3])),
    "soft": lambda lib, f, x, w: f.cross_entropy(x, f.softmax(x.detach(), 1), label_smoothing=0.1),
    "mse": lambda lib, f, x, w: f.mse_loss(x, x.detach() * 0.5),
    "smooth_l1": lambda lib, f, x, w: f.smooth_l1_loss(x, x.detach() * 0.5),
    "bce": lambda lib, f, x, w: f.binary_cross_entropy_with_logits(x, x.detach().sigmoid()),
    "kl": lambda lib, f, x, w: f.kl_div(x.log_softmax(1), x.detach().softmax(1), reduction="sum"),
    "cosine": lambda lib, f, x, w: f.cosine_similarity(x, x.flip(0)),
    "attention": lambda lib, f, x, w: f.scaled_dot_product_attention(x, x, x, is_causal=True),
    "avg_pool": lambda lib, f, x, w: (f.avg_pool1d(x, 2), f.adaptive_avg_pool2d(x, 2)),
    "max_pool": lambda lib, f, x, w: f.max_pool2d(x, 2),
    "interpolate": lambda lib, f, x, w: f.interpolate(x, scale_factor=2.0, mode="linear"),
    "embedding": lambda lib, f, x, w: f.embedding(lib.tensor([0, 1, 1]), x[0]),
    "numbers": lambda lib, f, x, w: (x * 0.1, x + 1e-3, x / 3, 1.7 - x, x.add(x, alpha=0.3)),
    "index": lambda lib, f, x, w: (x[:, [0, 2]], x.index_select(2, lib.tensor([3, 3]))),
}  # fmt: skip


@NAMES
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, dtype: str) -> None:
    compare(LAYERS[name], dtype, EVEN, real(4, 4, 3, 3, seed=5), ulps=3)


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "Adam": {"lr": 0.01},
    "AdamW": {"lr": 0.01},
    "RMSprop": {"lr": 0.01},
    "Adagrad": {"lr": 0.1},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    """Parameters and states in bfloat16; each op of an update rounds, in both libraries."""
    mine, theirs = pair(EVEN, "bfloat16")
    ours = getattr(jitnet.optim, name)([mine], **OPTIMIZERS[name])
    other = getattr(torch.optim, name)([theirs], **OPTIMIZERS[name], foreach=False)
    for _ in range(5):
        for x, optimizer in ((mine, ours), (theirs, other)):
            optimizer.zero_grad()
            (x * x).sum().backward()
            optimizer.step()
        assert_near(mine, theirs, 2)
    for key, value in ours.state[mine].items():
        assert_near(value, other.state[theirs][key], 8)
