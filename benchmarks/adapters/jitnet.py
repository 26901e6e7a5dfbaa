"""jitnet: the whole step is one compiled function, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, assert_never

import jitnet
import jitnet.nn.functional as F
from benchmarks import inputs
from benchmarks.adapters.pools import pools
from benchmarks.adapters.torch_names import build, chain, gpt2, normalized, optimizer_for
from benchmarks.case import Case, digest_of, magnitude
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

VERSION = jitnet.__version__


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    jitnet.set_num_threads(count)


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload.

    The options are "eager", which leaves it uncompiled, "beside", with the thread pools of NumPy
    and PyTorch in the process, "between", with calls of both between the steps, and "cuda".
    """
    if "cuda" in options:
        jitnet.set_default_device("cuda")
        found = _case(work, _compiler(options))
        return replace(found, wait=lambda _: jitnet.cuda.synchronize())
    found = _case(work, _compiler(options))
    if options & {"beside", "between"}:
        use = pools()
        use()
        return replace(found, between=use) if "between" in options else found
    return found


def _compiler(options: frozenset[str]) -> Callable[[Any], Any]:
    return (lambda function: function) if "eager" in options else jitnet.compile


def _case(work: Work, compiler: Callable[[Any], Any]) -> Case:
    match work:
        case Training():
            return _training(work, compiler)
        case Inference(network=network, batch=batch):
            model = build(jitnet, network).eval()
            return _forward(compiler(model), inputs.samples(network, batch))
        case Decoding():
            return _decoding(work, compiler)
        case Elementwise(backward=False):
            return _forward(compiler(lambda x: chain(jitnet, x)), inputs.normal(1, work.size))
        case Elementwise():
            x = jitnet.as_tensor(inputs.normal(1, work.size)).requires_grad_()
            return _gradient(compiler, lambda: chain(jitnet, x).sum(), x)
        case SoftmaxLayerNorm(backward=False):
            x, gain, bias, _ = inputs.rows(work.rows, work.columns)
            function = compiler(lambda x, gain, bias: normalized(jitnet, x, gain, bias))
            return _forward(function, x, gain, bias)
        case SoftmaxLayerNorm():
            x, gain, bias, u = map(jitnet.as_tensor, inputs.rows(work.rows, work.columns))
            leaves = [each.requires_grad_() for each in (x, gain, bias)]
            loss = lambda: (normalized(jitnet, x, gain, bias) * u).sum()  # noqa: E731
            return _gradient(compiler, loss, *leaves)
        case Matmul(m=m, k=k, n=n):
            function = compiler(lambda a, b: a @ b)
            dtype = getattr(jitnet, work.dtype)
            return _forward(function, inputs.normal(1, m, k), inputs.normal(2, k, n), dtype=dtype)
        case Call():
            return _forward(compiler(lambda x: x + 1.0), inputs.normal(1, work.size))
        case _:
            assert_never(work)


def _magnitude(result: Any) -> float:
    return magnitude(result.float().cpu().numpy())


def _reading(step: Callable[[], Any]) -> Case:
    """Return the case of a step whose result is all that it makes."""
    return Case(step, _magnitude, digest=lambda result: digest_of([result.float().cpu().numpy()]))


def _forward(function: Callable[..., Any], *arrays: Any, dtype: Any = None) -> Case:
    values = [jitnet.as_tensor(array, dtype) for array in arrays]

    @jitnet.no_grad()
    def step() -> Any:
        return function(*values)

    return _reading(step)


def _decoding(work: Decoding, compiler: Callable[[Any], Any]) -> Case:
    decode = compiler(gpt2.decoder(jitnet, build(jitnet, work.network)).eval())
    token, *caches = inputs.token_and_cache(work.network, work.cache)
    keys, values = ([jitnet.as_tensor(layer) for layer in cache] for cache in caches)
    token, place = jitnet.as_tensor(token), jitnet.tensor([work.cache - 1])

    @jitnet.no_grad()
    def step() -> Any:
        return decode(token, place, keys, values)

    return _reading(step)


def _gradient(compiler: Callable[[Any], Any], loss: Callable[[], Any], *leaves: Any) -> Case:
    @compiler
    def backward() -> None:
        for leaf in leaves:
            leaf.grad = None
        loss().backward()

    def step() -> Any:
        backward()
        return leaves[0].grad

    return Case(
        step, _magnitude, digest=lambda _: digest_of(leaf.grad.cpu().numpy() for leaf in leaves)
    )


def _training(work: Training, compiler: Callable[[Any], Any]) -> Case:
    model = build(jitnet, work.network)
    x, y = map(jitnet.as_tensor, inputs.batch(work))
    optimizer = optimizer_for(jitnet, model.parameters(), work.optimizer)
    loss_of = getattr(F, work.loss)

    @compiler
    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def digest(loss: Any) -> str:
        return digest_of(each.detach().cpu().numpy() for each in (loss, *model.parameters()))

    return Case(lambda: train(x, y), lambda loss: loss.item(), digest=digest)
