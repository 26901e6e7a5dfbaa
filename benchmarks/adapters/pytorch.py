"""PyTorch: eager, or torch.compile on the forward with the loss and on the optimizer's step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, assert_never

import torch
import torch.nn.functional as F

from benchmarks import inputs
from benchmarks.adapters.torch_names import build, chain, gpt2, normalized, optimizer_for
from benchmarks.case import Case, magnitude
from benchmarks.work import (
    Call,
    Decoding,
    Elementwise,
    Inference,
    Matmul,
    SoftmaxLayerNorm,
    Training,
    Work,
)

VERSION = torch.__version__
Options = frozenset[str]


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    torch.set_num_threads(count)


def case(work: Work, options: Options) -> Case:
    """Return the workload.

    The options are "compile", "max-autotune", "freeze" (the weights, for inference), "fused" (the
    optimizer), "channels-last" (images), "graphs" (CUDA's, where it compiles) and "cuda".
    """
    if "cuda" not in options:
        return _case(work, options)
    torch.set_default_device("cuda")
    return replace(_case(work, options), wait=lambda _: torch.cuda.synchronize())


def _case(work: Work, options: Options) -> Case:
    compiler = _compiler(options)
    match work:
        case Training():
            return _training(work, options)
        case Inference(network=network, batch=batch):
            x = _images(torch.as_tensor(inputs.samples(network, batch)), options)
            model = _images(build(torch, network), options).eval()
            return _forward(compiler(model), x, freeze="freeze" in options)
        case Decoding():
            return _decoding(work, options)
        case Elementwise(backward=False):
            x = torch.as_tensor(inputs.normal(1, work.size))
            return _forward(compiler(lambda x: chain(torch, x)), x)
        case Elementwise():
            x = torch.as_tensor(inputs.normal(1, work.size)).requires_grad_()
            return _gradient(compiler(lambda: chain(torch, x).sum()), x)
        case SoftmaxLayerNorm(backward=False):
            x, gain, bias, _ = map(torch.as_tensor, inputs.rows(work.rows, work.columns))
            function = compiler(lambda x, gain, bias: normalized(torch, x, gain, bias))
            return _forward(function, x, gain, bias)
        case SoftmaxLayerNorm():
            x, gain, bias, u = map(torch.as_tensor, inputs.rows(work.rows, work.columns))
            leaves = [each.requires_grad_() for each in (x, gain, bias)]
            loss = compiler(lambda: (normalized(torch, x, gain, bias) * u).sum())
            return _gradient(loss, *leaves)
        case Matmul(m=m, k=k, n=n):
            a, b = inputs.normal(1, m, k), inputs.normal(2, k, n)
            product = compiler(lambda a, b: a @ b)
            dtype = getattr(torch, work.dtype)
            return _forward(
                product, torch.as_tensor(a, dtype=dtype), torch.as_tensor(b, dtype=dtype)
            )
        case Call():
            x = torch.as_tensor(inputs.normal(1, work.size))
            return _forward(compiler(lambda x: x + 1.0), x)
        case _:
            assert_never(work)


def _compiler(options: Options) -> Callable[[Any], Any]:
    if "compile" not in options:
        return lambda function: function
    mode = "max-autotune-no-cudagraphs" if "max-autotune" in options else None
    mode = "reduce-overhead" if "graphs" in options else mode
    return lambda function: torch.compile(function, mode=mode, dynamic=False)


def _images(value: Any, options: Options) -> Any:
    """Return images, or a model, in the layout that the options ask for."""
    return value.to(memory_format=torch.channels_last) if "channels-last" in options else value


def _forward(function: Callable[..., Any], *values: Any, freeze: bool = False) -> Case:
    if freeze:  # refuses to work in inference mode
        torch._inductor.config.freezing = True
    mode = torch.no_grad() if freeze else torch.inference_mode()
    return Case(
        mode(lambda: function(*values)), lambda result: magnitude(result.float().cpu().numpy())
    )


def _decoding(work: Decoding, options: Options) -> Case:
    decode = _compiler(options)(gpt2.decoder(torch, build(torch, work.network)).eval())
    token, *caches = inputs.token_and_cache(work.network, work.cache)
    keys, values = ([torch.as_tensor(layer) for layer in cache] for cache in caches)
    place = torch.tensor([work.cache - 1])
    return _forward(decode, torch.as_tensor(token), place, keys, values, freeze="freeze" in options)


def _gradient(loss: Callable[[], Any], *leaves: Any) -> Case:
    def step() -> Any:
        for leaf in leaves:
            leaf.grad = None
        loss().backward()
        return leaves[0].grad

    return Case(step, lambda result: magnitude(result.float().cpu().numpy()))


def _training(work: Training, options: Options) -> Case:
    model = _images(build(torch, work.network), options)
    x, y = map(torch.as_tensor, inputs.batch(work))
    x = _images(x, options)
    fused = True if "fused" in options else None
    optimizer = optimizer_for(torch, model.parameters(), work.optimizer, fused=fused)
    compiler, loss_of = _compiler(options), getattr(F, work.loss)
    forward = compiler(lambda x, y: loss_of(model(x), y))
    update = optimizer.step if fused else compiler(lambda: optimizer.step())

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        update()
        return loss

    return Case(step, lambda loss: loss.item())
