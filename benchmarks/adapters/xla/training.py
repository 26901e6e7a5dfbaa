"""A step of training: loss, gradients and update in one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import inputs
from benchmarks.adapters.xla import layers, layouts, networks
from benchmarks.work import Adam, Sgd, Training

Update = Callable[[Any, Any, Any], tuple[Any, Any]]  # parameters, gradients, state


def trainer(work: Training) -> Callable[[], Any]:
    """Return a function that takes one step and returns the loss."""
    forward = networks.function(work.network)
    loss_of = getattr(layers, work.loss)
    parameters = jax.tree.map(jnp.asarray, layouts.parameters(work.network))
    statistics = jax.tree.map(jnp.asarray, networks.statistics(work.network))
    state, update = _optimizer(work.optimizer, parameters)

    def loss(parameters: Any, statistics: Any, x: Any, y: Any) -> Any:
        output, statistics = forward(parameters, statistics, x, training=True)
        return loss_of(output, y), statistics

    def train(held: Any, x: Any, y: Any) -> Any:
        parameters, statistics, state = held
        slope = jax.value_and_grad(loss, has_aux=True)
        (value, statistics), gradients = slope(parameters, statistics, x, y)
        parameters, state = update(parameters, gradients, state)
        return value, (parameters, statistics, state)

    compiled = jax.jit(train, donate_argnums=0)
    x, y = map(layouts.samples, inputs.batch(work))
    held = (parameters, statistics, state)

    def step() -> Any:
        nonlocal held
        value, held = compiled(held, x, y)
        return value

    return step


def _optimizer(optimizer: Sgd | Adam, parameters: Any) -> tuple[Any, Update]:
    """Return an optimizer's first state and its update."""
    match optimizer:
        case Sgd(rate=rate, momentum=0.0):
            return (), lambda p, g, state: (jax.tree.map(lambda p, g: p - rate * g, p, g), state)
        case Sgd(rate=rate, momentum=momentum):
            return jax.tree.map(jnp.zeros_like, parameters), _momentum(rate, momentum)
        case Adam(rate=rate):
            first = jax.tree.map(jnp.zeros_like, parameters)
            second = jax.tree.map(jnp.zeros_like, parameters)
            return (first, second, jnp.zeros((), jnp.int32)), _adam(rate)


def _momentum(rate: float, momentum: float) -> Update:
    def update(parameters: Any, gradients: Any, velocity: Any) -> Any:
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradients)
        return jax.tree.map(lambda p, v: p - rate * v, parameters, velocity), velocity

    return update


def _adam(rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Update:
    def update(parameters: Any, gradients: Any, state: Any) -> Any:
        first, second, steps = state
        steps = steps + 1
        first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, first, gradients)
        second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, gradients)
        time = steps.astype(jnp.float32)
        bias1, bias2 = 1 - beta1**time, 1 - beta2**time

        def moved(p: Any, m: Any, v: Any) -> Any:
            return p - rate * (m / bias1) / (jnp.sqrt(v / bias2) + epsilon)

        return jax.tree.map(moved, parameters, first, second), (first, second, steps)

    return update
