"""Exponential: waiting for what happens at a steady rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .distribution import Distribution, tensors


class Exponential(Distribution):
    """A rate: 1 / mean."""

    arg_constraints: ClassVar = {"rate": constraints.positive}
    has_rsample = True
    support = constraints.nonnegative

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = tensors(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """1 / rate."""
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        """0."""
        return creation.zeros_like(self.rate)

    @property
    def variance(self) -> Tensor:
        """1 / rate^2."""
        return 1 / (self.rate * self.rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return -log(1 - u) / rate, u even in [0, 1)."""
        drawn = creation.rand(
            self._extended_shape(sample_shape), dtype=self.rate.dtype, device=self.rate.device
        )
        return -F.log1p(-drawn) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        return F.log(self.rate) - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return 1 - F.exp(-self.rate * value)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return -F.log1p(-value) / self.rate

    def entropy(self) -> Tensor:
        """Return 1 - log(rate)."""
        return 1 - F.log(self.rate)
