"""Initialisers: their distributions, bounds and errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.nn import init


def _values(fill: Any, *shape: int, **options: Any) -> np.ndarray:
    jitnet.manual_seed(3)
    tensor = nn.Parameter(jitnet.empty(*shape))
    assert fill(tensor, **options) is tensor
    assert tensor.grad_fn is None
    assert tensor.requires_grad
    return np.asarray(tensor.detach().numpy())


@pytest.mark.parametrize(
    ("fill", "options", "low", "high"),
    [
        (init.uniform_, {"a": -2.0, "b": 3.0}, -2.0, 3.0),
        (init.xavier_uniform_, {"gain": 2.0}, -2 * math.sqrt(6 / 300), 2 * math.sqrt(6 / 300)),
        (init.kaiming_uniform_, {}, -math.sqrt(6 / 200), math.sqrt(6 / 200)),
        (
            init.kaiming_uniform_,
            {"mode": "fan_out", "nonlinearity": "relu"},
            -math.sqrt(6 / 100),
            math.sqrt(6 / 100),
        ),
    ],
)
def test_uniform_initialisers(fill: Any, options: dict[str, Any], low: float, high: float) -> None:
    values = _values(fill, 100, 200, **options)
    assert values.min() >= low
    assert values.max() <= high
    assert values.mean() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    assert values.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.02)


@pytest.mark.parametrize(
    ("fill", "options", "mean", "std"),
    [
        (init.normal_, {"mean": 1.0, "std": 2.0}, 1.0, 2.0),
        (init.xavier_normal_, {}, 0.0, math.sqrt(2 / 300)),
        (init.kaiming_normal_, {"nonlinearity": "relu"}, 0.0, math.sqrt(2 / 200)),
        (init.kaiming_normal_, {"a": 1.0}, 0.0, math.sqrt(1 / 200)),
    ],
)
def test_normal_initialisers(fill: Any, options: dict[str, Any], mean: float, std: float) -> None:
    values = _values(fill, 100, 200, **options)
    assert values.mean() == pytest.approx(mean, abs=0.03 * std)
    assert values.std() == pytest.approx(std, rel=0.02)


def test_trunc_normal_stays_inside() -> None:
    values = _values(init.trunc_normal_, 100, 200, std=0.5, a=-0.5, b=0.5)
    assert values.min() >= -0.5
    assert values.max() <= 0.5
    assert values.std() == pytest.approx(0.5 * 0.5396, rel=0.02)


def test_constants() -> None:
    assert set(_values(init.constant_, 2, 3, val=0.5).ravel()) == {0.5}
    assert set(_values(init.ones_, 2, 3).ravel()) == {1.0}
    assert set(_values(init.zeros_, 2, 3).ravel()) == {0.0}
    np.testing.assert_array_equal(_values(init.eye_, 2, 3), np.eye(2, 3))


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (4, 2, 3)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    matrix = _values(init.orthogonal_, *shape, gain=2.0).reshape(shape[0], -1) / 2
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(short @ short.T, np.eye(len(short)), atol=1e-5)


def test_dirac_passes_channels_through() -> None:
    layer = nn.Conv2d(2, 2, 3, padding=1, bias=False)
    init.dirac_(layer.weight)
    x = jitnet.randn(1, 2, 4, 4)
    np.testing.assert_allclose(layer(x).detach().numpy(), x.numpy())


def test_sparse_columns() -> None:
    values = _values(init.sparse_, 10, 4, sparsity=0.25)
    assert ((values == 0).sum(axis=0) == 3).all()


def test_gains_are_pytorchs() -> None:
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("leaky_relu", 1.0) == 1.0
    with pytest.raises(ValueError, match="unknown nonlinearity"):
        init.calculate_gain("nothing")


def test_seeds_repeat() -> None:
    first, second = (_values(init.normal_, 5, 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 dims"):
        init.xavier_uniform_(jitnet.empty(3))
    with pytest.raises(ValueError, match="2D"):
        init.eye_(jitnet.empty(3))
    with pytest.raises(ValueError, match="mode must be one of"):
        init.kaiming_uniform_(jitnet.empty(3, 3), mode="fan_none")
