"""Dirichlet: shares that add up to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .distribution import Distribution
from .gamma import standard_gamma


class Dirichlet(Distribution):
    """A concentration for each share, in the last dim."""

    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    has_rsample = True
    support = constraints.simplex

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """The shares of the concentrations."""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def variance(self) -> Tensor:
        """The variance of each share."""
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total * total * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return the shares that gamma samples have of their sum."""
        drawn = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        return drawn / drawn.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        a = self.concentration
        norm = F.lgamma(a.sum(-1)) - F.lgamma(a).sum(-1)
        return F.xlogy(a - 1, value).sum(-1) + norm  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        a = self.concentration
        total = a.sum(-1)
        spread = ((a - 1) * F.digamma(a)).sum(-1)
        norm = F.lgamma(a).sum(-1) - F.lgamma(total)
        return norm - (a.shape[-1] - total) * F.digamma(total) - spread  # type: ignore[no-any-return]
