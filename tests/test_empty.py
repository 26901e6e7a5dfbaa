"""Tensors without elements: an empty batch runs, eagerly and compiled, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from jitnet.tensor import Tensor

MODELS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 4), nn.Tanh(), nn.LayerNorm(4)),
    "convolution": lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
    "transposed": lambda: nn.ConvTranspose2d(2, 4, 3, stride=2),
    "max_pool": lambda: nn.MaxPool2d(2),
    "avg_pool": lambda: nn.AvgPool2d(2),
    "batch_norm": lambda: nn.BatchNorm2d(2).eval(),
    "dropout": nn.Dropout,
}

FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": lambda x, y: x.sum(0),
    "product": lambda x, y: x.prod(0),
    "all": lambda x, y: (x > 0).all(0),
    "matmul": lambda x, y: x.t() @ x,
    "std": lambda x, y: (x - x.mean()) / (x.std() + 1),
    "softmax": lambda x, y: x.softmax(1),
    "cross_entropy": lambda x, y: F.cross_entropy(x, y, reduction="sum"),
    "concat": lambda x, y: jitnet.cat([x, jitnet.ones(2, 3), x]),
    "pad": lambda x, y: F.pad(x, (0, 0, 1, 2), value=4.0),
    "embedding": lambda x, y: F.embedding(y, jitnet.ones(4, 3)),
    "index_add": lambda x, y: jitnet.ones(2, 3).index_add(0, y, x),
    "cumsum": lambda x, y: x.cumsum(1),
    "stack": lambda x, y: jitnet.stack([x, x + 1]).sum(1),
    "glu": lambda x, y: F.glu(x, 0),
    "trapezoid": lambda x, y: jitnet.trapezoid(y),
    "median": lambda x, y: x.median(),
    "soft_targets": lambda x, y: F.cross_entropy(x, x),
    "pool_places": lambda x, y: F.adaptive_max_pool1d(x.view(0, 3, 1).repeat(1, 1, 5), 3, True)[1],
    "unpool": lambda x, y: F.max_unpool1d(x.view(0, 1, 3), x.view(0, 1, 3).long(), 2),
}


@pytest.mark.parametrize("name", MODELS)
def test_empty_batch(name: str) -> None:
    """Results have the shape of a batch of 0, gradients of parameters are 0."""
    model = MODELS[name]()
    for forward in (model, jitnet.compile(lambda x: model(x))):
        x = jitnet.zeros(0, 2, 6, 6, requires_grad=True)
        y = forward(x)
        y.sum().backward()
        assert y.shape == (0, *model(jitnet.zeros(2, 2, 6, 6)).shape[1:])
        assert x.grad.shape == x.shape
        for parameter in model.parameters():
            np.testing.assert_array_equal(parameter.grad.numpy(), 0)
            parameter.grad = None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_empty_argument(name: str) -> None:
    """The same result compiled as eagerly."""
    x, y = jitnet.zeros(0, 3), jitnet.zeros(0, dtype=jitnet.int64)
    wanted = FUNCTIONS[name](x, y)
    got = jitnet.compile(FUNCTIONS[name])(x, y)
    assert got.dtype is wanted.dtype and got.shape == wanted.shape
    np.testing.assert_array_equal(got.numpy(), wanted.numpy())
