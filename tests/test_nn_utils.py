"""Clipping gradients, parameters as a vector, padded sequences."""

from __future__ import annotations

import math

import pytest

import jitnet
from jitnet import nn
from jitnet.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)


def _with_gradients(*rows: list[float]) -> list[nn.Parameter]:
    params = []
    for row in rows:
        param = nn.Parameter(jitnet.zeros(len(row)))
        param.grad = jitnet.tensor(row)
        params.append(param)
    return params


def test_clip_grad_norm_scales_down_only() -> None:
    params = _with_gradients([3.0], [0.0, 4.0])
    grad = params[1].grad
    assert clip_grad_norm_(params, 1.0).item() == pytest.approx(5.0)
    assert params[1].grad is grad
    assert grad.tolist()[1] == pytest.approx(0.8, rel=1e-5)
    assert clip_grad_norm_(params, 10.0).item() == pytest.approx(1.0, rel=1e-5)
    assert grad.tolist()[1] == pytest.approx(0.8, rel=1e-5)


@pytest.mark.parametrize(("kind", "norm"), [(math.inf, 4.0), (1.0, 7.0), (3.0, 91 ** (1 / 3))])
def test_other_norms(kind: float, norm: float) -> None:
    params = _with_gradients([3.0], [0.0, -4.0])
    assert clip_grad_norm_(params, 1.0, norm_type=kind).item() == pytest.approx(norm, rel=1e-5)


def test_clip_grad_norm_without_gradients_and_with_nan() -> None:
    assert clip_grad_norm_([nn.Parameter(jitnet.ones(2))], 1.0).item() == 0.0
    params = _with_gradients([float("nan")])
    with pytest.raises(RuntimeError, match="not finite"):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert math.isnan(clip_grad_norm_(params, 1.0).item())
    with pytest.raises(ValueError, match="norm_type must be positive"):
        clip_grad_norm_(params, 1.0, norm_type=0)


def test_clip_grad_value_clamps() -> None:
    params = _with_gradients([3.0, -0.5], [-4.0])
    clip_grad_value_(params, 1.0)
    assert [param.grad.tolist() for param in params] == [[1.0, -0.5], [-1.0]]


def test_vector_round_trip() -> None:
    net = nn.Linear(3, 2)
    vector = parameters_to_vector(net.parameters())
    assert vector.shape == (8,)
    vector_to_parameters(jitnet.arange(8).float(), net.parameters())
    assert net.bias.tolist() == [6.0, 7.0]
    with pytest.raises(ValueError, match="vector of 8 elements"):
        vector_to_parameters(jitnet.zeros(7), net.parameters())


def test_pad_sequence() -> None:
    parts = [jitnet.ones(2), jitnet.ones(3) * 2]
    padded = nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=-1.0)
    assert padded.tolist() == [[1.0, 1.0, -1.0], [2.0, 2.0, 2.0]]
    left = nn.utils.rnn.pad_sequence(parts, padding_side="left")
    assert left.tolist() == [[0.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    with pytest.raises(ValueError, match="agree in all dims"):
        nn.utils.rnn.pad_sequence([jitnet.ones(2, 1), jitnet.ones(2, 2)])
