"""The networks as functions (parameters, statistics, x, training) -> (result, new statistics).

Only batch norms have statistics: a running mean and variance each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, assert_never

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.adapters.xla import gpt2
from benchmarks.adapters.xla.layers import (
    batch_norm,
    convolution,
    heads,
    layer_norm,
    linear,
    max_pool,
)
from benchmarks.networks import Gpt2, LeNet, Lstm, Mlp, Network, ResNet18, Transformer

Forward = Callable[..., tuple[Any, Any]]


def function(network: Network) -> Forward:
    """Return a network's function."""
    match network:
        case ResNet18():
            return partial(_resnet18, network)
        case Mlp():
            return _stateless(partial(_mlp, network))
        case LeNet():
            return _stateless(_lenet)
        case Transformer():
            return _stateless(partial(_transformer, network))
        case Lstm():
            return _stateless(_lstm)
        case Gpt2():
            return _stateless(partial(gpt2.prefill, network))
        case _:
            assert_never(network)


def statistics(network: Network) -> dict[str, Any]:
    """Return the first running mean and variance of each batch norm."""
    if not isinstance(network, ResNet18):
        return {}
    shapes = network.shapes()
    widths = {
        name.removesuffix(".bias"): shapes[name]
        for name in shapes
        if name.endswith(".bias") and name != "fc.bias"
    }
    zeros, ones = partial(np.zeros, dtype=np.float32), partial(np.ones, dtype=np.float32)
    return {name: (zeros(width), ones(width)) for name, width in widths.items()}


def _stateless(forward: Callable[[Any, Any], Any]) -> Forward:
    return lambda p, statistics, x, training: (forward(p, x), statistics)


def _mlp(network: Mlp, p: Any, x: Any) -> Any:
    exact = partial(jax.nn.gelu, approximate=False)
    activation = exact if network.activation == "gelu" else jax.nn.relu
    last = 2 * (len(network.widths) - 2)
    for layer in range(0, last, 2):
        x = activation(linear(p, str(layer), x))
    return linear(p, str(last), x)


def _lenet(p: Any, x: Any) -> Any:
    for name in ("c1", "c2"):
        x = max_pool(jax.nn.relu(convolution(p, name, x) + p[f"{name}.bias"]), 2, 2)
    x = x.reshape(x.shape[0], -1)
    for name in ("f1", "f2"):
        x = jax.nn.relu(linear(p, name, x))
    return linear(p, "f3", x)


def _resnet18(network: ResNet18, p: Any, statistics: Any, x: Any, training: bool) -> Any:
    kept = {}

    def normed(name: str, x: Any) -> Any:
        y, kept[name] = batch_norm(p, statistics, name, x, training)
        return y

    _, stride, padding = network.stem
    x = jax.nn.relu(normed("bn1", convolution(p, "conv1", x, stride, padding)))
    if not network.small:
        x = max_pool(x, 3, 2, 1)
    for number, (_, _, stride) in enumerate(network.blocks):
        block = f"layers.{number}"
        y = convolution(p, f"{block}.conv1", x, stride, 1)
        y = convolution(p, f"{block}.conv2", jax.nn.relu(normed(f"{block}.bn1", y)), 1, 1)
        if stride > 1:
            x = normed(f"{block}.down.1", convolution(p, f"{block}.down.0", x, stride))
        x = jax.nn.relu(normed(f"{block}.bn2", y) + x)
    return linear(p, "fc", x.mean((1, 2))), kept


def _transformer(network: Transformer, p: Any, tokens: Any) -> Any:
    x = p["emb.weight"][tokens]
    for number in range(network.layers):
        layer = f"layers.{number}"
        joined = x @ p[f"{layer}.self_attn.in_proj_weight"] + p[f"{layer}.self_attn.in_proj_bias"]
        seen = jax.nn.dot_product_attention(*heads(joined, network.heads)).reshape(x.shape)
        x = layer_norm(p, f"{layer}.norm1", x + linear(p, f"{layer}.self_attn.out_proj", seen))
        hidden = jax.nn.relu(linear(p, f"{layer}.linear1", x))
        x = layer_norm(p, f"{layer}.norm2", x + linear(p, f"{layer}.linear2", hidden))
    return linear(p, "head", x).reshape(-1, network.vocabulary)


def _lstm(p: Any, x: Any) -> Any:
    biases = p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]
    joined = (x @ p["lstm.weight_ih_l0"] + biases).swapaxes(0, 1)
    weight = p["lstm.weight_hh_l0"]
    zeros = jnp.zeros((x.shape[0], weight.shape[0]))

    def move(state: Any, inputs: Any) -> Any:
        hidden, cell = state
        taken, forget, new, out = jnp.split(inputs + hidden @ weight, 4, -1)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(taken) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(out) * jnp.tanh(cell)
        return (hidden, cell), hidden

    _, states = lax.scan(move, (zeros, zeros), joined)
    return states.swapaxes(0, 1)
