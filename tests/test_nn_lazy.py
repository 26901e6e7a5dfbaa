"""Lazy layers: their state, what they become, and when they refuse."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn

LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "LazyLinear": ((2, 3, 5), lambda nn: nn.LazyLinear(4)),
    "no bias": ((2, 5), lambda nn: nn.LazyLinear(4, bias=False)),
    "LazyConv1d": ((2, 4, 7), lambda nn: nn.LazyConv1d(6, 3, groups=2)),
    "LazyConv2d": ((2, 3, 7, 6), lambda nn: nn.LazyConv2d(4, (3, 2), stride=2, padding=1)),
    "unbatched": ((3, 7, 6), lambda nn: nn.LazyConv2d(4, 3)),
    "LazyConv3d": ((1, 2, 3, 3, 3), lambda nn: nn.LazyConv3d(4, 2, bias=False)),
    "LazyConvTranspose1d": ((2, 3, 5), lambda nn: nn.LazyConvTranspose1d(4, 3, 2)),
    "LazyConvTranspose2d": ((2, 4, 3, 3), lambda nn: nn.LazyConvTranspose2d(6, 3, groups=2)),
    "LazyConvTranspose3d": ((1, 2, 3, 3, 3), lambda nn: nn.LazyConvTranspose3d(2, 2)),
    "LazyBatchNorm1d": ((4, 3), lambda nn: nn.LazyBatchNorm1d()),
    "LazyBatchNorm2d": ((4, 3, 2, 2), lambda nn: nn.LazyBatchNorm2d(momentum=None)),
    "LazyBatchNorm3d": ((4, 3, 2, 2, 2), lambda nn: nn.LazyBatchNorm3d(affine=False)),
    "LazyInstanceNorm1d": ((4, 3, 5), lambda nn: nn.LazyInstanceNorm1d()),
    "LazyInstanceNorm2d": ((4, 3, 2, 2), lambda nn: nn.LazyInstanceNorm2d(affine=False)),
    "LazyInstanceNorm3d": ((4, 3, 2, 2, 2), lambda nn: nn.LazyInstanceNorm3d()),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_lazy_layer_becomes_its_kind(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    shape, make = LAYERS[name]
    ours, theirs = make(nn), make(torch.nn)
    assert type(ours).__name__ == type(theirs).__name__
    assert list(ours.state_dict()) == list(theirs.state_dict())
    held = list(ours.parameters())
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ours(jitnet.tensor(values))
    theirs(torch.tensor(values))
    assert repr(ours) == repr(theirs)
    assert type(ours) is getattr(nn, type(theirs).__name__)
    assert all(a is b for a, b in zip(held, ours.parameters(), strict=True))
    assert all(type(param) is nn.Parameter for param in held)
    state = {name: jitnet.tensor(value.numpy()) for name, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    mine, other = ours.eval()(jitnet.tensor(values)), theirs.eval()(torch.tensor(values))
    np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_a_state_gives_the_sizes_too() -> None:
    source, lazy = nn.Linear(5, 4), nn.LazyLinear(4)
    twin = copy.deepcopy(lazy)
    lazy.load_state_dict(source.state_dict())
    x = jitnet.randn(2, 5)
    assert jitnet.equal(lazy(x), source(x))
    assert lazy.in_features == 5
    assert twin.has_uninitialized_params()


def test_an_optimizer_made_before_the_first_call_learns() -> None:
    layer = nn.LazyLinear(1)
    layer(jitnet.ones(1, 3))
    optimizer = jitnet.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.weight.detach().clone()
    layer(jitnet.ones(1, 3)).sum().backward()
    optimizer.step()
    np.testing.assert_allclose((before - layer.weight.detach()).numpy(), 0.1, rtol=1e-4)


def test_the_first_call_is_eager() -> None:
    layer = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    compiled = jitnet.compile(layer)
    x = jitnet.randn(2, 5)
    with pytest.raises(jitnet.CompileError, match="call the model once, eagerly"):
        compiled(x)
    wanted = layer(x)
    np.testing.assert_allclose(compiled(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-5)
