"""Laplace: two exponentials back to back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jitnet import creation
from jitnet import functional as F
from jitnet.tensor import Tensor

from .distribution import LocScale, Symmetric


class Laplace(LocScale, Symmetric):
    """A middle `loc` and a width `scale`."""

    @property
    def variance(self) -> Tensor:
        """Twice the square of scale."""
        return 2 * self.scale * self.scale

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return numbers from even ones in -1 .. 1, through the inverse of cdf."""
        shape = self._extended_shape(sample_shape)
        drawn = 2 * creation.rand(shape, dtype=self.loc.dtype, device=self.loc.device) - 1
        tail = F.log1p(-F.clamp(F.abs(drawn), max=1 - 2.0**-24))
        return self.loc - self.scale * F.sign(drawn) * tail

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        return -F.log(2 * self.scale) - F.abs(value - self.loc) / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        away = value - self.loc
        return 0.5 - 0.5 * F.sign(away) * F.expm1(-F.abs(away) / self.scale)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        term = value - 0.5
        return self.loc - self.scale * F.sign(term) * F.log1p(-2 * F.abs(term))

    def entropy(self) -> Tensor:
        """Return 1 + log(2 scale)."""
        return 1 + math.log(2) + F.log(self.scale)
