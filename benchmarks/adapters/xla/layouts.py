"""Parameters and data in XLA's best layouts: NHWC images, HWIO filters, [in, out] matrices."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from benchmarks import inputs
from benchmarks.networks import LeNet, Network

EMBEDDINGS = ("emb.weight", "wte.weight", "wpe.weight")


def parameters(network: Network) -> dict[str, np.ndarray]:
    """Return the first values of all parameters by their names in PyTorch."""
    values = {name: _laid(name, value) for name, value in inputs.weights(network).items()}
    if isinstance(network, LeNet):  # its first matrix reads flattened images
        first = values["f1.weight"].reshape(16, 5, 5, 120).transpose(1, 2, 0, 3)
        values["f1.weight"] = first.reshape(400, 120)
    return values


def _laid(name: str, value: np.ndarray) -> np.ndarray:
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T if value.ndim == 2 and name not in EMBEDDINGS else value


def samples(values: np.ndarray) -> jnp.ndarray:
    """Return images channels-last, integers as int32."""
    if values.ndim == 4:
        values = values.transpose(0, 2, 3, 1)
    return jnp.asarray(values if values.dtype == np.float32 else values.astype(np.int32))
