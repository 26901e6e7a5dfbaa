"""jitnet: the whole step is one compiled function, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jitnet
import jitnet.nn.functional as F
from benchmarks import inputs
from benchmarks.adapters.networks import build, chain, normalized
from benchmarks.case import Case, magnitude
from benchmarks.workloads import Call, Elementwise, Matmul, SoftmaxLayerNorm, Training, Work

VERSION = jitnet.__version__


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    jitnet.set_num_threads(count)


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; the option "eager" leaves it uncompiled."""
    compiler = (lambda function: function) if "eager" in options else jitnet.compile
    match work:
        case Training():
            return _training(work, compiler)
        case Elementwise(backward=False):
            function = compiler(lambda x: chain(jitnet, F, x))
            return _forward(function, inputs.normal(1, work.size))
        case Elementwise():
            x = jitnet.from_numpy(inputs.normal(1, work.size)).requires_grad_()
            return _gradient(compiler, lambda: chain(jitnet, F, x).sum(), x)
        case SoftmaxLayerNorm(backward=False):
            x, gain, bias, _ = inputs.rows(work.rows, work.columns)
            function = compiler(lambda x, gain, bias: normalized(F, x, gain, bias))
            return _forward(function, x, gain, bias)
        case SoftmaxLayerNorm():
            x, gain, bias, u = map(jitnet.from_numpy, inputs.rows(work.rows, work.columns))
            leaves = [each.requires_grad_() for each in (x, gain, bias)]
            return _gradient(compiler, lambda: (normalized(F, x, gain, bias) * u).sum(), *leaves)
        case Matmul(m=m, k=k, n=n):
            function = compiler(lambda a, b: a @ b)
            return _forward(function, inputs.normal(1, m, k), inputs.normal(2, k, n))
        case Call():
            return _forward(compiler(lambda x: x + 1.0), inputs.normal(1, work.size))


def _forward(function: Callable[..., Any], *arrays: Any) -> Case:
    values = [jitnet.from_numpy(array) for array in arrays]

    @jitnet.no_grad()
    def step() -> Any:
        return function(*values)

    return Case(step, lambda result: magnitude(result.numpy()))


def _gradient(compiler: Callable[[Any], Any], loss: Callable[[], Any], *leaves: Any) -> Case:
    @compiler
    def backward() -> None:
        for leaf in leaves:
            leaf.grad = None
        loss().backward()

    def step() -> Any:
        backward()
        return leaves[0].grad

    return Case(step, lambda result: magnitude(result.numpy()))


def _training(work: Training, compiler: Callable[[Any], Any]) -> Case:
    model = build(jitnet, F, work.network)
    x, y = map(jitnet.from_numpy, inputs.batch(work.network, work.batch))
    rate, momentum = work.learning_rate, work.momentum
    optimizer = jitnet.optim.SGD(model.parameters(), lr=rate, momentum=momentum)

    @compiler
    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return Case(lambda: train(x, y), lambda loss: loss.item())
