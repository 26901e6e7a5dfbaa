"""The numbers that every peer starts from: weights by name, data by seed."""

from __future__ import annotations

import math
import zlib

import numpy as np

from benchmarks.networks import Gpt2, Network
from benchmarks.work import Training

SCALES = {"wte": 0.02, "wpe": 0.02, "emb": 0.05}  # of embeddings


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a parameter's first value, the same wherever it is asked for."""
    if "bias" in name:
        return np.zeros(shape, np.float32)
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    fan_in = math.prod(shape[1:])
    usual = math.sqrt(2 / fan_in) if len(shape) == 4 else 1 / math.sqrt(fan_in)
    scale = SCALES.get(name.partition(".")[0], usual)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def weights(network: Network) -> dict[str, np.ndarray]:
    """Return all parameters, in PyTorch's layouts."""
    return {name: weight(name, shape) for name, shape in network.shapes().items()}


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return float32 numbers of the standard normal distribution."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def integers(seed: int, limit: int, *shape: int) -> np.ndarray:
    """Return int64 numbers from 0 to the limit."""
    return np.random.default_rng(seed).integers(0, limit, shape).astype(np.int64)


def samples(network: Network, count: int) -> np.ndarray:
    """Return inputs for a network: numbers, or tokens where it has a vocabulary."""
    if network.vocabulary:
        return integers(1, network.vocabulary, count, *network.inputs)
    return normal(1, count, *network.inputs)


def batch(work: Training) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, and what the loss compares the outputs with: labels in one row, or numbers."""
    network = work.network
    if work.loss == "mse_loss":
        targets = normal(2, work.batch, *network.outputs)
    else:
        *places, classes = network.outputs
        targets = integers(2, classes, work.batch, *places).reshape(-1)
    return samples(network, work.batch), targets


def token_and_cache(network: Gpt2, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a token, and each layer's keys and values [layer, 1, head, place, feature]."""
    shape = (network.layers, 1, network.heads, length, network.width // network.heads)
    return integers(1, network.vocabulary, 1, 1), normal(2, *shape), normal(3, *shape)


def rows(count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x, the layer norm's weight and bias, and the weights of the sum that is derived."""
    gain, bias = 1 + 0.1 * normal(2, width), 0.1 * normal(3, width)
    return normal(1, count, width), gain, bias, normal(4, count, width)
