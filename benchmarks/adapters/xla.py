"""JAX: one jitted function a step, parameters and optimizer state donated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import inputs
from benchmarks.case import Case, magnitude
from benchmarks.workloads import Call, Elementwise, Matmul, SoftmaxLayerNorm, Training, Work

VERSION = jax.__version__


def use_threads(count: int) -> None:
    """Do nothing: XLA takes as many threads as the process has processors."""


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options."""
    match work:
        case Training():
            return _training(work)
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
            return _jitted(jnp.matmul, inputs.normal(1, m, k), inputs.normal(2, k, n))
        case Call():
            return _jitted(lambda x: x + 1.0, inputs.normal(1, work.size))


def _jitted(function: Any, *arrays: np.ndarray, first: bool = False) -> Case:
    compiled, values = jax.jit(function), [jnp.asarray(array) for array in arrays]

    def value(result: Any) -> float:
        return magnitude(np.asarray(result[0] if first else result))

    return Case(lambda: compiled(*values), value, jax.block_until_ready)


def _chain(x: Any) -> Any:
    gelu = jax.nn.gelu(x * 1.5 + 0.5, approximate=False)
    return gelu * jax.nn.sigmoid(x) + jnp.tanh(x)


def _normalized(x: Any, gain: Any, bias: Any) -> Any:
    x = jax.nn.softmax(x, -1)
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * gain + bias


def _training(work: Training) -> Case:
    x, y = inputs.batch(work.network, work.batch)
    values = inputs.weights(work.network)
    if work.network == "lenet":
        x, values, logits = x.transpose(0, 2, 3, 1), _channels_last(values), _lenet
    else:
        values, logits = {n: v.T if v.ndim == 2 else v for n, v in values.items()}, _mlp

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits(parameters, x)), y[:, None], 1)
        return -chosen.mean()

    def train(parameters: Any, velocity: Any, x: Any, y: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters, x, y)
        if work.momentum:
            keep = work.momentum
            velocity = jax.tree.map(lambda v, g: keep * v + g, velocity, gradients)
            gradients = velocity
        rate = work.learning_rate
        return jax.tree.map(lambda p, g: p - rate * g, parameters, gradients), velocity, value

    compiled = jax.jit(train, donate_argnums=(0, 1))
    parameters = {name: jnp.asarray(value) for name, value in values.items()}
    velocity = jax.tree.map(jnp.zeros_like, parameters) if work.momentum else ()
    state = [parameters, velocity]
    images, labels = jnp.asarray(x), jnp.asarray(y.astype(np.int32))

    def step() -> Any:
        state[0], state[1], value = compiled(state[0], state[1], images, labels)
        return value

    return Case(step, float, jax.block_until_ready)


def _mlp(p: Any, x: Any) -> Any:
    return jax.nn.relu(x @ p["0.weight"] + p["0.bias"]) @ p["2.weight"] + p["2.bias"]


def _channels_last(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return LeNet's parameters in XLA's best layouts: NHWC images, HWIO filters, [in, out]."""
    laid = {}
    for name, value in values.items():
        match value.ndim:
            case 4:
                laid[name] = value.transpose(2, 3, 1, 0)
            case 2:
                laid[name] = value.T
            case _:
                laid[name] = value
    first = values["f1.weight"].reshape(120, 16, 5, 5).transpose(2, 3, 1, 0)
    laid["f1.weight"] = first.reshape(400, 120)
    return laid


def _lenet(p: Any, x: Any) -> Any:
    x = _pool(jax.nn.relu(_conv(x, p["c1.weight"]) + p["c1.bias"]))
    x = _pool(jax.nn.relu(_conv(x, p["c2.weight"]) + p["c2.bias"]))
    x = x.reshape(x.shape[0], -1)
    x = jax.nn.relu(x @ p["f1.weight"] + p["f1.bias"])
    x = jax.nn.relu(x @ p["f2.weight"] + p["f2.bias"])
    return x @ p["f3.weight"] + p["f3.bias"]


def _conv(x: Any, w: Any) -> Any:
    layouts = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layouts)


def _pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
