"""Convolutions, pools, normalizations, losses and lookups against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from tests.function_table import (
    CONVS,
    CUBE,
    IMAGE,
    INDEX,
    LINE,
    LOOKUPS,
    LOSSES,
    MORE,
    NORMS,
    POOLS,
    QUERY,
    SIGNS,
    WEIGHT,
    P,
    Q,
    real,
)

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

from tests.test_tensor_oracle import assert_same, check, pair  # noqa: E402

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.mark.parametrize("name", CONVS)
def test_conv2d(name: str) -> None:
    """Values and gradients of two-dimensional convolutions."""
    check(CONVS[name], IMAGE, WEIGHT, **CLOSE)


def test_conv_other_ranks() -> None:
    """One and three spatial dims."""
    w1, w3 = real(6, 4, 3, seed=1), real(3, 2, 2, 3, 2, seed=2)
    check(lambda lib, f, x, w: f.conv1d(x, w, stride=2, padding=1), LINE, w1, **CLOSE)
    check(lambda lib, f, x, w: f.conv_transpose1d(x, w[:4], stride=2), LINE, w1, **CLOSE)
    check(lambda lib, f, x, w: f.conv3d(x, w, padding=1, stride=(1, 2, 1)), CUBE, w3, **CLOSE)
    check(lambda lib, f, x, w: f.conv_transpose3d(x, w[:2], stride=2), CUBE, w3, **CLOSE)


@pytest.mark.parametrize("name", POOLS)
def test_pools2d(name: str) -> None:
    """Values, indices and gradients of two-dimensional pools."""
    check(POOLS[name], IMAGE, **CLOSE)


def test_pools_other_ranks() -> None:
    """One and three spatial dims."""
    check(lambda lib, f, x: f.max_pool1d(x, 3, 2, 1, return_indices=True), LINE)
    check(lambda lib, f, x: f.avg_pool1d(x, 2, 1, 1, ceil_mode=True), LINE)
    check(lambda lib, f, x: (f.adaptive_avg_pool1d(x, 4), f.adaptive_max_pool1d(x, 4)), LINE)
    check(lambda lib, f, x: f.max_pool3d(x, 2, 1, return_indices=True), CUBE)
    check(lambda lib, f, x: (f.avg_pool3d(x, 2, 1, 1), f.adaptive_avg_pool3d(x, (2, 3, 2))), CUBE)


def test_max_pool_of_nan() -> None:
    """NaN wins its windows."""
    x = IMAGE.copy()
    x[0, 0, 2, 3] = np.nan
    check(lambda lib, f, a: f.max_pool2d(a, 3, 2, 1), x, grad=False)


@pytest.mark.parametrize("name", NORMS)
def test_norms(name: str) -> None:
    """Values and gradients of normalizations."""
    check(NORMS[name], IMAGE, real(4, low=0.5, high=1.5), rtol=1e-4, atol=5e-5)


def test_running_statistics() -> None:
    """batch_norm and instance_norm move them as PyTorch does."""
    for name in ("batch_norm", "instance_norm"):
        mine, theirs = pair(IMAGE)
        a = [jitnet.zeros(4), jitnet.ones(4)]
        b = [torch.zeros(4), torch.ones(4)]
        for _ in range(3):
            getattr(F, name)(mine, *a, None, None, True, 0.3)
            getattr(torch.nn.functional, name)(theirs, *b, None, None, True, 0.3)
        assert_same(a, b)


LOGITS = real(5, 4, seed=9, low=-4, high=4)
LABELS = np.array([0, 3, 1, 2, 3])
SPATIAL = real(2, 4, 3, 3, seed=10)
SPATIAL_LABELS = np.random.default_rng(3).integers(0, 4, (2, 3, 3))
SOFT = np.random.default_rng(4).dirichlet(np.ones(4), 5).astype(np.float32)
WEIGHTS = real(4, low=0.5, high=2)

CLASSES: dict[str, dict[str, Any]] = {
    "mean": {}, "sum": {"reduction": "sum"}, "none": {"reduction": "none"},
    "ignore": {"ignore_index": 3}, "ignore_none": {"ignore_index": 3, "reduction": "none"},
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(name: str, smoothing: float, weighted: bool) -> None:
    """Classes, with weights, ignored labels and smoothing."""
    options = CLASSES[name]

    def loss(lib: Any, f: Any, x: Any, labels: Any, weight: Any) -> Any:
        return f.cross_entropy(
            x, labels, weight.detach() if weighted else None, label_smoothing=smoothing, **options
        )

    check(loss, LOGITS, LABELS, WEIGHTS)
    check(loss, SPATIAL, SPATIAL_LABELS, WEIGHTS)
    check(lambda lib, f, x, i, w: loss(lib, f, x[0], i[0], w), LOGITS, LABELS, WEIGHTS)


def test_cross_entropy_of_probabilities() -> None:
    """Targets that are distributions, and other label dtypes."""
    for reduction in ("mean", "sum", "none"):
        check(lambda lib, f, x, t, r=reduction: f.cross_entropy(x, t, reduction=r), LOGITS, SOFT)
    check(lambda lib, f, x, t: f.cross_entropy(x, t, label_smoothing=0.1), LOGITS, SOFT)
    check(lambda lib, f, x, t: f.nll_loss(lib.log_softmax(x, 1), t), LOGITS, LABELS)
    check(lambda lib, f, x, t: f.cross_entropy(x, t), LOGITS, LABELS.astype(np.uint8))


@pytest.mark.parametrize("bad", [4, -1, 1000])
def test_wrong_labels(bad: int) -> None:
    """A label outside of the classes is an IndexError that names it."""
    labels = jitnet.tensor([0, bad, 1, 2, 3])
    with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
        F.cross_entropy(jitnet.tensor(LOGITS), labels)


def test_wrong_targets() -> None:
    """Shapes and dtypes of targets."""
    logits = jitnet.tensor(LOGITS)
    with pytest.raises(jitnet.ShapeError, match=r"Expected target size \[5\], got \[4\]"):
        F.cross_entropy(logits, jitnet.zeros(4, dtype=jitnet.int64))
    with pytest.raises(jitnet.DTypeError, match="whole numbers"):
        F.cross_entropy(logits, jitnet.zeros(5))
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'"):
        F.cross_entropy(logits, jitnet.tensor(LABELS), reduction="average")


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    """Values and gradients of losses."""
    check(LOSSES[name], P, Q, SIGNS.astype(np.float32), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups(name: str) -> None:
    """Values and gradients of gather, scatter and their kin."""
    check(LOOKUPS[name], real(3, 4, seed=14), INDEX)


def test_dropout() -> None:
    """Elements are dropped with the right probability, scaled, and not at all in evaluation."""
    jitnet.manual_seed(0)
    x = jitnet.ones(100, 100, requires_grad=True)
    y = F.dropout(x, 0.3)
    kept = (y != 0).float().mean().item()
    assert abs(kept - 0.7) < 0.02 and abs(y.max().item() - 1 / 0.7) < 1e-6
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy() != 0, y.detach().numpy() != 0)
    assert F.dropout(x, 0.3, training=False) is x
    assert F.dropout(x, 1.0).sum().item() == 0
    channels = F.dropout2d(jitnet.ones(8, 16, 3, 3), 0.5).numpy()
    assert set(channels.reshape(128, 9).sum(1).tolist()) == {0.0, 18.0}
    z = F.alpha_dropout(jitnet.randn(200, 200), 0.2, training=True)
    assert abs(z.mean().item()) < 0.03 and abs(z.std().item() - 1) < 0.03
    with pytest.raises(ValueError, match="between 0 and 1"):
        F.dropout(x, 1.5)


@pytest.mark.parametrize("name", MORE)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_more_functions(name: str) -> None:
    """Values and gradients of attention, resizing, patches and others."""
    check(MORE[name], IMAGE, QUERY, **CLOSE)


def test_eager_only_functions() -> None:
    """Quantiles, searches and histograms."""
    x = real(40, seed=16)
    edges = np.array([-1.0, 0.0, 1.5], np.float32)
    check(lambda lib, f, a: (lib.quantile(a, 0.3), lib.histc(a, 7)), x, grad=False)
    check(lambda lib, f, a, e: lib.searchsorted(e, a), x, edges, grad=False)
    check(lambda lib, f, a, e: lib.bucketize(a, e, right=True), x, edges, grad=False)
    hard = F.gumbel_softmax(jitnet.zeros(50, 4, requires_grad=True), hard=True)
    assert hard.sum(1).tolist() == pytest.approx([1.0] * 50) and hard.requires_grad
