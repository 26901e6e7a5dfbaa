"""JAX: one jitted function a step, parameters and optimizer state donated."""

from __future__ import annotations

from typing import Any, assert_never

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import inputs
from benchmarks.adapters.xla import gpt2, layouts, networks
from benchmarks.adapters.xla.layers import standardize
from benchmarks.adapters.xla.training import trainer
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

VERSION = jax.__version__


def use_threads(count: int) -> None:
    """Do nothing: XLA takes as many threads as the process has processors."""


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options: JAX_PLATFORMS names the device."""
    match work:
        case Training():
            return Case(trainer(work), float, jax.block_until_ready)
        case Inference():
            return _inference(work)
        case Decoding():
            return _decoding(work)
        case Elementwise(backward=False):
            return _jitted(_chain, inputs.normal(1, work.size))
        case Elementwise():
            return _jitted(jax.grad(lambda x: _chain(x).sum()), inputs.normal(1, work.size))
        case SoftmaxLayerNorm(backward=False):
            x, gain, bias, _ = inputs.rows(work.rows, work.columns)
            return _jitted(_normalized, x, gain, bias)
        case SoftmaxLayerNorm():
            gradients = jax.grad(
                lambda x, gain, bias, u: (_normalized(x, gain, bias) * u).sum(), argnums=(0, 1, 2)
            )
            return _jitted(gradients, *inputs.rows(work.rows, work.columns), first=True)
        case Matmul(m=m, k=k, n=n):
            operands = inputs.normal(1, m, k), inputs.normal(2, k, n)
            return _jitted(jnp.matmul, *(jnp.asarray(each, work.dtype) for each in operands))
        case Call():
            return _jitted(lambda x: x + 1.0, inputs.normal(1, work.size))
        case _:
            assert_never(work)


def _magnitude(result: Any) -> float:
    return magnitude(np.asarray(result, np.float32))


def _jitted(function: Any, *arrays: Any, first: bool = False) -> Case:
    """Return a case of a function of arrays or trees; of several results the first is read."""
    compiled, values = jax.jit(function), jax.tree.map(jnp.asarray, arrays)
    value = (lambda result: _magnitude(result[0])) if first else _magnitude
    return Case(lambda: compiled(*values), value, jax.block_until_ready)


def _inference(work: Inference) -> Case:
    forward = networks.function(work.network)
    parameters, statistics = layouts.parameters(work.network), networks.statistics(work.network)
    x = layouts.samples(inputs.samples(work.network, work.batch))
    return _jitted(lambda p, s, x: forward(p, s, x, training=False)[0], parameters, statistics, x)


def _decoding(work: Decoding) -> Case:
    network = work.network
    parameters = jax.tree.map(jnp.asarray, layouts.parameters(network))
    token, keys, values = inputs.token_and_cache(network, work.cache)
    token, place = layouts.samples(token), jnp.int32(work.cache - 1)
    # [1, place, head, feature], as jax.nn.dot_product_attention takes them
    caches = [[jnp.asarray(each.transpose(0, 2, 1, 3)) for each in kind] for kind in (keys, values)]
    decode = jax.jit(gpt2.decoder(network), donate_argnums=1)

    def step() -> Any:
        nonlocal caches
        logits, caches = decode(parameters, caches, token, place)
        return logits

    return Case(step, _magnitude, jax.block_until_ready)


def _chain(x: Any) -> Any:
    gelu = jax.nn.gelu(x * 1.5 + 0.5, approximate=False)
    return gelu * jax.nn.sigmoid(x) + jnp.tanh(x)


def _normalized(x: Any, gain: Any, bias: Any) -> Any:
    return standardize(jax.nn.softmax(x, -1), -1) * gain + bias
