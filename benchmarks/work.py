"""The kinds of work that a workload can be, and what the hardware must at least do for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.networks import Gpt2, Network

CACHE = 1 << 24  # bytes; what is larger crosses to memory in every step


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent."""

    rate: float
    momentum: float = 0.0

    @property
    def states(self) -> int:
        """How many arrays of a parameter's shape it keeps."""
        return 1 if self.momentum else 0


@dataclass(frozen=True)
class Adam:
    """Adam with the usual betas."""

    rate: float
    states: ClassVar = 2


@dataclass(frozen=True)
class Training:
    """One step of training: forward, loss, backward, update."""

    network: Network
    batch: int
    optimizer: Sgd | Adam
    loss: str = "cross_entropy"  # or "mse_loss"


@dataclass(frozen=True)
class Inference:
    """One forward pass in evaluation mode."""

    network: Network
    batch: int = 1


@dataclass(frozen=True)
class Decoding:
    """One more token, with the keys and values of those before it; the last place is written."""

    network: Gpt2
    cache: int


@dataclass(frozen=True)
class Elementwise:
    """gelu(1.5 x + 0.5) sigmoid(x) + tanh(x) of a vector; or the gradient of its sum."""

    size: int
    backward: bool


@dataclass(frozen=True)
class SoftmaxLayerNorm:
    """layer_norm(softmax(x)) of each row; or the gradients of its weighted sum."""

    rows: int
    columns: int
    backward: bool


@dataclass(frozen=True)
class Matmul:
    """A product of two matrices, [m, k] @ [k, n]."""

    m: int
    k: int
    n: int
    dtype: str = "float32"


@dataclass(frozen=True)
class Call:
    """x + 1 on a few elements: what a call costs."""

    size: int


Work = Training | Inference | Decoding | Elementwise | SoftmaxLayerNorm | Matmul | Call


def flops(work: Work) -> float:
    """Return the floating-point operations of one step; multiply-adds count as two."""
    match work:
        case Training(network=network):
            forward = network.products()
            unneeded = 0.0 if network.vocabulary else forward[0]  # the gradient of the data
            return work.batch * (3 * sum(forward) - unneeded)
        case Inference(network=network):
            return work.batch * sum(network.products())
        case Decoding(network=network):
            return sum(network.token_products(1, work.cache))
        case Elementwise():  # erf, exp and tanh are polynomials
            return (100 if work.backward else 60) * work.size
        case SoftmaxLayerNorm():
            return (50 if work.backward else 25) * work.rows * work.columns
        case Matmul():
            return 2 * work.m * work.k * work.n
        case Call():
            return 0.0


def traffic(work: Work) -> float:
    """Return the bytes of one step that must cross to memory; 0 where all stays in cache."""
    match work:
        case Training(network=network, optimizer=optimizer):
            # read forward, then once more for the gradient and the update
            passes = 3 + 2 * optimizer.states
            return passes * _beyond_cache(_parameter_bytes(network))
        case Inference(network=network):
            return _beyond_cache(_parameter_bytes(network))
        case Decoding(network=network):
            cache = 2 * network.layers * work.cache * network.width * 4
            return _beyond_cache(_parameter_bytes(network) + cache)
        case Elementwise():  # read x, write the result
            return 2 * _beyond_cache(4 * work.size)
        case SoftmaxLayerNorm():  # read x (and u), write the result
            return (3 if work.backward else 2) * _beyond_cache(4 * work.rows * work.columns)
        case Matmul() | Call():
            return 0.0


def _parameter_bytes(network: Network) -> float:
    shapes = network.shapes()
    return 4 * sum(math.prod(shapes[name]) for name in shapes if name not in network.tables)


def _beyond_cache(count: float) -> float:
    return count if count > CACHE else 0.0
