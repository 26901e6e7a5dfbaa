"""PyTorch: eager, or torch.compile on the forward with the loss and on the optimizer's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks import inputs
from benchmarks.adapters.networks import build, chain, normalized
from benchmarks.case import Case, magnitude
from benchmarks.workloads import Call, Elementwise, Matmul, SoftmaxLayerNorm, Training, Work

VERSION = torch.__version__


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    torch.set_num_threads(count)


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; options are "compile", "max-autotune" and "fused" (the optimizer)."""
    match work:
        case Training():
            return _training(work, options)
        case Elementwise(backward=False):
            compiled = _compiler(options)(lambda x: chain(torch, F, x))
            return _forward(compiled, inputs.normal(1, work.size))
        case Elementwise():
            x = torch.from_numpy(inputs.normal(1, work.size)).requires_grad_()
            loss = _compiler(options)(lambda: chain(torch, F, x).sum())
            return _gradient(loss, x)
        case SoftmaxLayerNorm(backward=False):
            x, gain, bias, _ = inputs.rows(work.rows, work.columns)
            compiled = _compiler(options)(lambda x, gain, bias: normalized(F, x, gain, bias))
            return _forward(compiled, x, gain, bias)
        case SoftmaxLayerNorm():
            x, gain, bias, u = map(torch.from_numpy, inputs.rows(work.rows, work.columns))
            leaves = [each.requires_grad_() for each in (x, gain, bias)]
            loss = _compiler(options)(lambda: (normalized(F, x, gain, bias) * u).sum())
            return _gradient(loss, *leaves)
        case Matmul(m=m, k=k, n=n):
            compiled = _compiler(options)(lambda a, b: a @ b)
            return _forward(compiled, inputs.normal(1, m, k), inputs.normal(2, k, n))
        case Call():
            compiled = _compiler(options)(lambda x: x + 1.0)
            return _forward(compiled, inputs.normal(1, work.size))


def _compiler(options: frozenset[str]) -> Callable[[Any], Any]:
    if "compile" not in options:
        return lambda function: function
    mode = "max-autotune-no-cudagraphs" if "max-autotune" in options else None
    return lambda function: torch.compile(function, mode=mode, dynamic=False)


def _forward(function: Callable[..., Any], *arrays: Any) -> Case:
    values = [torch.from_numpy(array) for array in arrays]
    step = torch.inference_mode()(lambda: function(*values))
    return Case(step, lambda result: magnitude(result.numpy()))


def _gradient(loss: Callable[[], Any], *leaves: Any) -> Case:
    def step() -> Any:
        for leaf in leaves:
            leaf.grad = None
        loss().backward()
        return leaves[0].grad

    return Case(step, lambda result: magnitude(result.numpy()))


def _training(work: Training, options: frozenset[str]) -> Case:
    model = build(torch, F, work.network)
    x, y = map(torch.from_numpy, inputs.batch(work.network, work.batch))
    fused = True if "fused" in options else None
    rate, momentum = work.learning_rate, work.momentum
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, fused=fused)
    compiler = _compiler(options)
    forward = compiler(lambda x, y: F.cross_entropy(model(x), y))
    update = optimizer.step if fused else compiler(lambda: optimizer.step())

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        update()
        return loss

    return Case(step, lambda loss: loss.item())
