"""tinygrad: TinyJit around each step."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any, assert_never

import numpy as np
from tinygrad import Device, Tensor, TinyJit, nn
from tinygrad.helpers import Context

from benchmarks import inputs
from benchmarks.adapters.tiny.networks import build
from benchmarks.case import Case, magnitude
from benchmarks.work import (
    Adam,
    Call,
    Decoding,
    Elementwise,
    Inference,
    Matmul,
    Sgd,
    SoftmaxLayerNorm,
    Training,
    Work,
)

VERSION = version("tinygrad")


def use_threads(count: int) -> None:
    """Do nothing: tinygrad takes the threads that CPU_COUNT in the environment says."""


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options."""
    match work:
        case Training():
            return _training(work)
        case Inference(network=network, batch=batch):
            return _jitted(build(network), inputs.samples(network, batch))
        case Decoding():
            return _decoding(work)
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
        case _:
            assert_never(work)


def _wait(result: Any) -> None:
    Device[Device.DEFAULT].synchronize()


def _tensor(array: np.ndarray) -> Any:
    return Tensor(array.astype(np.int32) if array.dtype == np.int64 else array).realize()


def _jitted(function: Callable[..., Any], *arrays: np.ndarray) -> Case:
    compiled = TinyJit(lambda *values: function(*values).realize())
    values = [_tensor(array) for array in arrays]
    return Case(lambda: compiled(*values), lambda result: magnitude(result.numpy()), _wait)


def _decoding(work: Decoding) -> Case:
    model = build(work.network)
    token, *caches = inputs.token_and_cache(work.network, work.cache)
    keys, values = ([_tensor(layer) for layer in cache] for cache in caches)
    return _jitted(lambda token: model.decode(token, work.cache - 1, keys, values), token)


def _chain(x: Any) -> Any:
    return (x * 1.5 + 0.5).gelu("none") * x.sigmoid() + x.tanh()


def _normalized(x: Any, gain: Any, bias: Any) -> Any:
    return x.softmax(-1).layernorm() * gain + bias


def _row_gradient(x: Any, gain: Any, bias: Any, u: Any) -> Any:
    gradients = (_normalized(x, gain, bias) * u).sum().gradient(x, gain, bias)
    Tensor.realize(*gradients)
    return gradients[0]


def _optimizer(optimizer: Sgd | Adam, parameters: Any) -> Any:
    match optimizer:
        case Sgd(rate=rate, momentum=momentum):
            return nn.optim.SGD(parameters, lr=rate, momentum=momentum)
        case Adam(rate=rate):
            return nn.optim.Adam(parameters, lr=rate)


def _training(work: Training) -> Case:
    model = build(work.network)
    optimizer = _optimizer(work.optimizer, nn.state.get_parameters(model))
    x, y = map(_tensor, inputs.batch(work))

    def loss_of(output: Any, y: Any) -> Any:
        if work.loss == "mse_loss":
            return ((output - y) ** 2).mean()
        return output.sparse_categorical_crossentropy(y)

    @TinyJit
    def train(x: Any, y: Any) -> Any:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            return loss.realize(*optimizer.schedule_step())

    return Case(lambda: train(x, y), lambda loss: loss.item(), _wait)
