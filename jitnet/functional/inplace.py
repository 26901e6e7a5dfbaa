"""Activations under the names that overwrite their input: elu_, leaky_relu_ and kin."""

from __future__ import annotations

from ..tensor import Tensor
from . import activation


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Do elu in place."""
    return activation.elu(input, alpha, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Do celu in place."""
    return activation.celu(input, alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """Do selu in place."""
    return activation.selu(input, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Do hardtanh in place."""
    return activation.hardtanh(input, min_val, max_val, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Do leaky_relu in place."""
    return activation.leaky_relu(input, negative_slope, inplace=True)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """Do rrelu in place."""
    return activation.rrelu(input, lower, upper, training, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """Do threshold in place."""
    return activation.threshold(input, threshold, value, inplace=True)
