"""Layers as functions of a flat dictionary of parameters and a name in it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

EPSILON = 1e-5
MOMENTUM = 0.1  # of running statistics


def linear(p: Any, name: str, x: Any) -> Any:
    """Return x @ weight + bias."""
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def convolution(p: Any, name: str, x: Any, stride: int = 1, padding: int = 0) -> Any:
    """Return the convolution of NHWC images, without a bias."""
    return lax.conv_general_dilated(
        x,
        p[f"{name}.weight"],
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def max_pool(x: Any, size: int, stride: int, padding: int = 0) -> Any:
    """Return the largest of each window of NHWC images."""
    edges = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    window, steps = (1, size, size, 1), (1, stride, stride, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, steps, edges)


def standardize(x: Any, axes: Any) -> Any:
    """Return x with mean 0 and variance 1 over the axes."""
    mean = x.mean(axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + EPSILON)


def layer_norm(p: Any, name: str, x: Any) -> Any:
    """Return the layer norm over the last axis."""
    return standardize(x, -1) * p[f"{name}.weight"] + p[f"{name}.bias"]


def batch_norm(p: Any, statistics: Any, name: str, x: Any, training: bool) -> tuple[Any, Any]:
    """Return the batch norm of NHWC images, and the new (mean, variance) of this layer."""
    mean, variance = statistics[name]
    if training:
        count = x.size // x.shape[-1]
        here = x.mean((0, 1, 2))
        spread = ((x - here) ** 2).mean((0, 1, 2))
        kept = (
            (1 - MOMENTUM) * mean + MOMENTUM * here,
            (1 - MOMENTUM) * variance + MOMENTUM * spread * count / (count - 1),
        )
        mean, variance = here, spread
    else:
        kept = (mean, variance)
    scale = lax.rsqrt(variance + EPSILON) * p[f"{name}.weight"]
    return (x - mean) * scale + p[f"{name}.bias"], kept


def heads(x: Any, count: int) -> list[Any]:
    """Return queries, keys and values [batch, place, head, feature] of their joined rows."""
    batch, length, width = x.shape
    parts = jnp.split(x, 3, -1)
    return [each.reshape(batch, length, count, width // 3 // count) for each in parts]


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Return the mean of minus the log-probabilities of the labels."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


def mse_loss(x: Any, y: Any) -> Any:
    """Return the mean of the squared differences."""
    return ((x - y) ** 2).mean()
