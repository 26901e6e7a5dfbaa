"""Kinds of work, by which peers and their settings are chosen."""

from __future__ import annotations

from benchmarks.networks import LeNet, ResNet18
from benchmarks.work import (
    Call,
    Decoding,
    Elementwise,
    Inference,
    Matmul,
    SoftmaxLayerNorm,
    Training,
    Work,
    flops,
    traffic,
)


def anything(work: Work) -> bool:
    """Every kind of work."""
    return True


def trains(work: Work) -> bool:
    """Whether a step includes an optimizer's update."""
    return isinstance(work, Training)


def infers(work: Work) -> bool:
    """Whether a step is a forward pass of a network."""
    return isinstance(work, (Inference, Decoding))


def trains_images(work: Work) -> bool:
    """Whether a step trains a network of convolutions."""
    return isinstance(work, Training) and isinstance(work.network, (LeNet, ResNet18))


def infers_images(work: Work) -> bool:
    """Whether a step is a forward pass of a network of convolutions."""
    return isinstance(work, Inference) and isinstance(work.network, (LeNet, ResNet18))


def is_forward(work: Work) -> bool:
    """Whether a step derives nothing."""
    derives = isinstance(work, (Elementwise, SoftmaxLayerNorm)) and work.backward
    return not trains(work) and not derives


def is_elementwise(work: Work) -> bool:
    """Whether a step computes each element by itself, and derives nothing."""
    return isinstance(work, (Call, Elementwise)) and is_forward(work)


def is_matmul(work: Work) -> bool:
    """Whether a step is a product of two matrices."""
    return isinstance(work, Matmul)


def is_large(work: Work) -> bool:
    """Whether a step computes enough for several threads, and more than it moves."""
    return flops(work) > 1e7 and flops(work) > 4 * traffic(work)
