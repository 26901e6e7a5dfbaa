"""Normal: the bell curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jitnet import creation
from jitnet import functional as F
from jitnet.tensor import Tensor

from .distribution import LocScale, Symmetric


class Normal(LocScale, Symmetric):
    """A mean `loc` and a standard deviation `scale`."""

    @property
    def stddev(self) -> Tensor:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """scale squared."""
        return self.scale * self.scale

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return loc + scale * (standard normal numbers)."""
        drawn = creation.randn(
            self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device
        )
        return self.loc + drawn * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        away = (value - self.loc) / self.scale
        return -0.5 * away * away - F.log(self.scale) - 0.5 * math.log(2 * math.pi)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return 0.5 * (1 + F.erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return self.loc + self.scale * F.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        """Return 1/2 log(2 pi e scale^2)."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + F.log(self.scale)
