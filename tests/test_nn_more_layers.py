"""Activations, dropouts and pools that few networks use, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from tests.three_ways import check


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


def real(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "Softmax2d": ((2, 3, 4, 5), lambda nn: nn.Softmax2d()),
    "RReLU": ((3, 4), lambda nn: nn.RReLU().eval()),
    "AlphaDropout": ((3, 4), lambda nn: nn.AlphaDropout(0.3).eval()),
    "FeatureAlphaDropout": ((3, 4), lambda nn: nn.FeatureAlphaDropout().eval()),
    "LocalResponseNorm": ((2, 6, 4, 3), lambda nn: nn.LocalResponseNorm(3, k=2.0)),
    "LPPool1d": ((2, 3, 8), lambda nn: nn.LPPool1d(2, 3, stride=2)),
    "LPPool2d": ((2, 3, 8, 7), lambda nn: nn.LPPool2d(3, (2, 3), ceil_mode=True)),
    "LPPool3d": ((1, 3, 4, 4, 4), lambda nn: nn.LPPool3d(2, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, torch: Any) -> None:
    shape, make = LAYERS[name]
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    x = np.abs(real(*shape)) + 0.1 if name.startswith("LP") else real(*shape)
    check(lambda lib, f, x: (ours if lib is jitnet else theirs)(x), x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["elu_", "celu_", "selu_", "hardtanh_", "leaky_relu_", "rrelu_"])
def test_activations_in_place(name: str, torch: Any) -> None:
    def work(lib: Any, f: Any, x: Any) -> Any:
        y = x * 1.5
        result = getattr(f, name)(y)
        assert result is y
        return y

    check(work, real(3, 5))


def test_threshold_in_place(torch: Any) -> None:
    check(lambda lib, f, x: f.threshold_(x * 2, 0.1, -1.0), real(3, 5))


def test_random_slopes_are_between_their_bounds() -> None:
    layer = nn.RReLU(0.2, 0.4)
    y = layer(jitnet.full((1000,), -1.0))
    assert -0.4 <= y.min().item() < -0.35
    assert -0.25 < y.max().item() <= -0.2
    with pytest.raises(ValueError, match="lower <= upper"):
        F.rrelu(y, 0.5, 0.1)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = jitnet.randn(200, 300)
    y = nn.AlphaDropout(0.4)(x)
    assert abs(y.mean().item()) < 0.02
    assert abs(y.std().item() - 1) < 0.02
    channels = nn.FeatureAlphaDropout(0.5)(jitnet.zeros(8, 8, 5))
    assert channels.std(2).max().item() < 1e-6
    assert len(set(channels.flatten().tolist())) == 2


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling(rank: int, torch: Any) -> None:
    shape = (2, 3, 6, 7, 4)[: 2 + rank]

    def around(lib: Any, f: Any, x: Any) -> Any:
        y, places = getattr(f, f"max_pool{rank}d")(x, 2, return_indices=True)
        unpool = getattr(lib.nn, f"MaxUnpool{rank}d")(2)
        return unpool(y, places, output_size=x.shape)

    check(around, real(*shape))


def test_adaptive_maxima_of_uneven_windows_say_where(torch: Any) -> None:
    check(lambda lib, f, x: f.adaptive_max_pool2d(x, (3, 4), return_indices=True), real(2, 3, 7, 6))
    check(lambda lib, f, x: f.adaptive_max_pool1d(x, 4, return_indices=True), real(2, 3, 7))


@pytest.mark.parametrize("rank", [2, 3])
def test_fractional_pools(rank: int, torch: Any) -> None:
    samples = np.random.default_rng(1).uniform(size=(2, 3, rank)).astype(np.float32)

    def pool(lib: Any, f: Any, x: Any, samples: Any) -> Any:
        function = getattr(f, f"fractional_max_pool{rank}d")
        return function(x, 2, 3, return_indices=True, _random_samples=samples.detach())

    check(pool, real(2, 3, *(9, 8, 7)[:rank]), samples)
    name = f"FractionalMaxPool{rank}d"
    layer = getattr(nn, name)(2, output_ratio=0.5)
    x = jitnet.randn(2, 3, *(8,) * rank)
    assert layer(x).shape == (2, 3, *(4,) * rank)
    assert jitnet.isin(layer(x), x).all()


def test_fractional_pools_refuse() -> None:
    x = jitnet.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="either output_size or output_ratio"):
        F.fractional_max_pool2d(x, 2)
    with pytest.raises(jitnet.ShapeError, match=r"\(2, 2\) give no \(4, 4\) results"):
        F.fractional_max_pool2d(x, 2, 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.FractionalMaxPool2d(2, output_ratio=1.5)


def _with_state(theirs: Any, mine: Any) -> None:
    mine.load_state_dict(
        {name: jitnet.tensor(v.numpy()) for name, v in theirs.state_dict().items()}
    )


@pytest.mark.parametrize("targets", [[0, 4, 5, 11, 19], [3, 1, 2, 0, 4], 7])
def test_an_adaptive_softmax(targets: Any, torch: Any) -> None:
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10], head_bias=True)
    mine = nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10], head_bias=True)
    _with_state(theirs, mine)
    assert repr(mine) == repr(theirs)
    x = real(5, 16) if isinstance(targets, list) else real(16)

    def work(lib: Any, f: Any, x: Any) -> Any:
        found = (mine if lib is jitnet else theirs)(x, lib.tensor(targets))
        return found.output, found.loss

    check(work, x)
    rows = np.atleast_2d(x)
    for name in ("log_prob", "predict"):
        want = getattr(theirs, name)(torch.tensor(rows)).detach().numpy()
        found = getattr(mine, name)(jitnet.tensor(rows)).detach().numpy()
        np.testing.assert_allclose(found, want, 1e-5, 1e-6)


def test_an_adaptive_softmax_refuses() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10])
    with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 19\].*\[-1, 20\]"):
        layer(jitnet.zeros(2, 16), jitnet.tensor([-1, 20]))
    with pytest.raises(RuntimeError, match="same size in the batch"):
        layer(jitnet.zeros(2, 16), jitnet.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="sorted in an increasing order"):
        nn.AdaptiveLogSoftmaxWithLoss(16, 20, [10, 5])


def test_batch_norms_become_synchronized_ones(torch: Any) -> None:
    theirs = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4, eps=1e-3))
    plain = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4, eps=1e-3))
    weight = plain[1].weight
    mine = nn.SyncBatchNorm.convert_sync_batchnorm(plain)
    assert isinstance(mine[1], nn.SyncBatchNorm) and mine[1].weight is weight
    assert repr(mine) == repr(torch.nn.SyncBatchNorm.convert_sync_batchnorm(theirs))
    _with_state(theirs, mine)
    theirs[1] = torch.nn.BatchNorm2d(4, eps=1e-3)  # PyTorch's own wants GPUs to train
    check(lambda lib, f, x: (mine if lib is jitnet else theirs)(x), real(2, 3, 5, 5), rtol=1e-4)


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, float("inf")])
def test_pdist(p: float, torch: Any) -> None:
    check(lambda lib, f, x: f.pdist(x, p), real(5, 3))
