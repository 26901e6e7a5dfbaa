"""Beta: a share between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .distribution import Distribution, tensors
from .gamma import standard_gamma


class Beta(Distribution):
    """Two concentrations: the mean is concentration1 / (concentration1 + concentration0)."""

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    has_rsample = True
    support = constraints.unit_interval

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        self.concentration1, self.concentration0 = tensors(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    @property
    def _total(self) -> Tensor:
        return self.concentration1 + self.concentration0

    @property
    def mean(self) -> Tensor:
        """The share of concentration1."""
        return self.concentration1 / self._total

    @property
    def mode(self) -> Tensor:
        """(concentration1 - 1) / (their sum - 2)."""
        return (self.concentration1 - 1) / (self._total - 2)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        total = self._total
        return self.concentration1 * self.concentration0 / (total * total * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return the share that one gamma sample has of two."""
        shape = self._extended_shape(sample_shape)
        first = standard_gamma(self.concentration1.expand(shape))
        second = standard_gamma(self.concentration0.expand(shape))
        return first / (first + second)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        powers = F.xlogy(a - 1, value) + F.xlogy(b - 1, 1 - value)
        return powers + F.lgamma(a + b) - F.lgamma(a) - F.lgamma(b)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        a, b = self.concentration1, self.concentration0
        total = a + b
        norm = F.lgamma(a) + F.lgamma(b) - F.lgamma(total)
        spread = (a - 1) * F.digamma(a) + (b - 1) * F.digamma(b)
        return norm - spread + (total - 2) * F.digamma(total)
