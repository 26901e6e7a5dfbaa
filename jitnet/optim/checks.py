"""Checks of optimizer options, with PyTorch's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jitnet.tensor import Tensor


def at_least_zero(group: Mapping[str, Any], *names: str) -> None:
    """Raise ValueError unless each of these options is a number >= 0; tensors pass."""
    for name in names:
        value = group[name]
        if isinstance(value, Tensor):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, got {type(value).__name__}")
        if not value >= 0.0:
            raise ValueError(f"Invalid {name} value: {value}; it must not be negative")


def check_betas(group: Mapping[str, Any]) -> None:
    """Raise ValueError unless betas are two numbers in [0, 1)."""
    betas = group["betas"]
    if len(betas) != 2:
        raise ValueError(f"betas must be two numbers, got {betas}")
    for index, beta in enumerate(betas):
        if not isinstance(beta, Tensor) and not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}; want [0, 1)")


def check_learning_rate(group: Mapping[str, Any]) -> None:
    """Raise ValueError unless lr is a number >= 0 or a tensor of one element."""
    rate = group["lr"]
    if isinstance(rate, Tensor):
        if rate.numel() != 1:
            raise ValueError(f"a Tensor lr must have one element, got shape {tuple(rate.shape)}")
        return
    if isinstance(rate, bool) or not isinstance(rate, (int, float)):
        raise TypeError(f"lr must be a number or a Tensor, got {type(rate).__name__}")
    if not rate >= 0.0:
        raise ValueError(f"Invalid learning rate: {rate}; it must not be negative")
