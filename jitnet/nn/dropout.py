"""Dropout layers: random zeros in training, nothing in evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from jitnet import functional as F
from jitnet.tensor import Tensor

from .module import Module


class _Dropout(Module):
    """Zero with probability p in training, and scale what is left by 1 / (1 - p)."""

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"a dropout probability must be between 0 and 1, got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with random zeros (training), or as it is (evaluation)."""
        return type(self)._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zero single elements."""

    _function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """Zero whole channels of [N, C, L] or [C, L]."""

    _function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Zero whole channels of [N, C, H, W] or [N, C, L]."""

    _function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Zero whole channels of [N, C, D, H, W] or [C, D, H, W]."""

    _function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout for selu networks: mean and variance stay."""

    _function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of [N, C, ...]."""

    _function = staticmethod(F.feature_alpha_dropout)
