"""Probabilities and their logits: what Bernoulli and Categorical can be made of."""

from __future__ import annotations

from typing import Any

from jitnet import functional as F
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor


def one_given(probs: Any, logits: Any) -> None:
    """Raise ValueError unless exactly one of them is there."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def kept_inside(probs: Tensor) -> Tensor:
    """Return probabilities kept off 0 and 1 by a rounding error, so that logarithms exist."""
    eps = 2.0**-52 if probs.dtype is float64 else 2.0**-23
    return F.clamp(probs, eps, 1 - eps)


def to_logits(probs: Tensor, binary: bool = False) -> Tensor:
    """Return log(p), or log(p / (1 - p)) of binary ones."""
    inside = kept_inside(probs)
    return F.log(inside) - F.log1p(-inside) if binary else F.log(inside)


def to_probs(logits: Tensor, binary: bool = False) -> Tensor:
    """Return softmax(logits), or sigmoid of binary ones."""
    return F.sigmoid(logits) if binary else F.softmax(logits, -1)
