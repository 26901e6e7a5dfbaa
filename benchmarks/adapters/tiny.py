"""tinygrad: TinyJit around each step."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from tinygrad import Device, Tensor, TinyJit, nn
from tinygrad.helpers import Context

from benchmarks import inputs
from benchmarks.case import Case, magnitude
from benchmarks.workloads import Call, Elementwise, Matmul, SoftmaxLayerNorm, Training, Work

VERSION = version("tinygrad")


def use_threads(count: int) -> None:
    """Do nothing: tinygrad takes the threads that CPU_COUNT in the environment says."""


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options."""
    match work:
        case Training():
            return _training(work)
        case Elementwise(backward=False):
            return _jitted(_chain, inputs.normal(1, work.size))
        case Elementwise():
            gradient = lambda x: _chain(x).sum().gradient(x)[0]  # noqa: E731
            return _jitted(gradient, inputs.normal(1, work.size))
        case SoftmaxLayerNorm(backward=False):
            return _jitted(_normalized, *inputs.rows(work.rows, work.columns)[:3])
        case SoftmaxLayerNorm():
            return _jitted(_row_gradient, *inputs.rows(work.rows, work.columns))
        case Matmul(m=m, k=k, n=n):
            return _jitted(lambda a, b: a @ b, inputs.normal(1, m, k), inputs.normal(2, k, n))
        case Call():
            return _jitted(lambda x: x + 1.0, inputs.normal(1, work.size))


def _wait(result: Any) -> None:
    Device[Device.DEFAULT].synchronize()


def _jitted(function: Callable[..., Any], *arrays: np.ndarray) -> Case:
    compiled = TinyJit(lambda *values: function(*values).realize())
    values = [Tensor(array).realize() for array in arrays]
    return Case(lambda: compiled(*values), lambda result: magnitude(result.numpy()), _wait)


def _chain(x: Any) -> Any:
    return (x * 1.5 + 0.5).gelu("none") * x.sigmoid() + x.tanh()


def _normalized(x: Any, gain: Any, bias: Any) -> Any:
    return x.softmax(-1).layernorm() * gain + bias


def _row_gradient(x: Any, gain: Any, bias: Any, u: Any) -> Any:
    gradients = (_normalized(x, gain, bias) * u).sum().gradient(x, gain, bias)
    Tensor.realize(*gradients)
    return gradients[0]


class _Mlp:
    def __init__(self) -> None:
        self.first, self.last = nn.Linear(784, 128), nn.Linear(128, 10)
        self.names = {"first": "0", "last": "2"}

    def __call__(self, x: Any) -> Any:
        return self.last(self.first(x).relu())


class _LeNet:
    def __init__(self) -> None:
        self.c1, self.c2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.names = {name: name for name in ("c1", "c2", "f1", "f2", "f3")}

    def __call__(self, x: Any) -> Any:
        x = self.c1(x).relu().max_pool2d((2, 2))
        x = self.c2(x).relu().max_pool2d((2, 2))
        return self.f3(self.f2(self.f1(x.flatten(1)).relu()).relu())


def _training(work: Training) -> Case:
    model = _Mlp() if work.network == "mlp" else _LeNet()
    values = inputs.weights(work.network)
    for attribute, name in model.names.items():
        layer = getattr(model, attribute)
        layer.weight.assign(Tensor(values[f"{name}.weight"])).realize()
        layer.bias.assign(Tensor(values[f"{name}.bias"])).realize()
    rate, momentum = work.learning_rate, work.momentum
    optimizer = nn.optim.SGD(nn.state.get_parameters(model), lr=rate, momentum=momentum)
    x, y = inputs.batch(work.network, work.batch)
    images, labels = Tensor(x).realize(), Tensor(y.astype(np.int32)).realize()

    @TinyJit
    def train(x: Any, y: Any) -> Any:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = model(x).sparse_categorical_crossentropy(y)
            loss.backward()
            return loss.realize(*optimizer.schedule_step())

    return Case(lambda: train(images, labels), lambda loss: loss.item(), _wait)
