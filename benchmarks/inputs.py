"""The numbers that every peer starts from: weights by name, data by seed."""

from __future__ import annotations

import math
import zlib

import numpy as np

MLP = {
    "0.weight": (128, 784),
    "0.bias": (128,),
    "2.weight": (10, 128),
    "2.bias": (10,),
}
LENET = {
    "c1.weight": (6, 3, 5, 5),
    "c1.bias": (6,),
    "c2.weight": (16, 6, 5, 5),
    "c2.bias": (16,),
    "f1.weight": (120, 400),
    "f1.bias": (120,),
    "f2.weight": (84, 120),
    "f2.bias": (84,),
    "f3.weight": (10, 84),
    "f3.bias": (10,),
}
SHAPES = {"mlp": MLP, "lenet": LENET}
IMAGES = {"mlp": (784,), "lenet": (3, 32, 32)}


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a parameter's first value, the same wherever it is asked for."""
    if name.endswith("bias"):
        return np.zeros(shape, np.float32)
    fan_in = math.prod(shape[1:])
    scale = math.sqrt(2 / fan_in) if len(shape) == 4 else 1 / math.sqrt(fan_in)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def weights(network: str) -> dict[str, np.ndarray]:
    """Return all parameters of "mlp" or "lenet", in PyTorch's layouts."""
    return {name: weight(name, shape) for name, shape in SHAPES[network].items()}


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return float32 numbers of the standard normal distribution."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def batch(network: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and int64 labels for a network."""
    labels = np.random.default_rng(2).integers(0, 10, (size,)).astype(np.int64)
    return normal(1, size, *IMAGES[network]), labels


def rows(count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x, the layer norm's weight and bias, and the weights of the sum that is derived."""
    gain, bias = 1 + 0.1 * normal(2, width), 0.1 * normal(3, width)
    return normal(1, count, width), gain, bias, normal(4, count, width)
