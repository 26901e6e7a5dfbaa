"""Ratios and what lies beyond a threshold: FisherSnedecor, GeneralizedPareto."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .constraints import Constraint
from .distribution import Distribution, tensors
from .gamma import Gamma
from .heavy_tails import _open_uniform


class FisherSnedecor(Distribution):
    """The ratio of two Chi2 numbers, each over its degrees of freedom: F's distribution."""

    arg_constraints: ClassVar = {"df1": constraints.positive, "df2": constraints.positive}
    has_rsample = True
    support = constraints.positive

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = tensors(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """df2 / (df2 - 2); NaN for df2 <= 2."""
        return F.where(self.df2 <= 2, math.nan, self.df2 / (self.df2 - 2))  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """The most probable value; NaN for df1 <= 2."""
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return F.where(self.df1 <= 2, math.nan, found)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The variance; NaN for df2 <= 4."""
        a, b = self.df1, self.df2
        found = 2 * b**2 * (a + b - 2) / (a * (b - 2) ** 2 * (b - 4))
        return F.where(b <= 4, math.nan, found)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return ratios of gamma samples; gradients reach both parameters."""
        above = Gamma(self.df1 / 2, self.df1 / 2, False).rsample(sample_shape)
        below = Gamma(self.df2 / 2, self.df2 / 2, False).rsample(sample_shape)
        return above / F.clamp(below, min=1.1754943508222875e-38)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        a, b, ratio = self.df1 / 2, self.df2 / 2, self.df1 / self.df2
        constant = F.lgamma(a + b) - F.lgamma(a) - F.lgamma(b)
        powers = a * F.log(ratio) + (a - 1) * F.log(value)
        return constant + powers - (a + b) * F.log1p(ratio * value)


class GeneralizedPareto(Distribution):
    """What lies above `loc`: a scale, and a `concentration`: the higher, the longer the tail."""

    arg_constraints: ClassVar = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(
        self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale, self.concentration = tensors(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:  # type: ignore[override]
        """From loc on; up to loc - scale / concentration where that is negative."""
        c = self.concentration
        end = self.loc - self.scale / F.where(c < 0, c, -1.0)
        return constraints.interval(self.loc, F.where(c < 0, end, math.inf))

    def _bent(self) -> tuple[Tensor, Tensor]:
        """Return where the concentration is about 0, and the others' concentrations."""
        straight = F.isclose(self.concentration, self.concentration * 0)
        return straight, F.where(straight, 1.0, self.concentration)

    @property
    def mean(self) -> Tensor:
        """loc + scale / (1 - concentration); infinity for concentrations >= 1."""
        c = self.concentration
        found = self.loc + self.scale / F.where(c < 1, 1 - c, 1.0)
        return F.where(c < 1, found, math.inf)  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance; infinity for concentrations >= 1 / 2."""
        c = F.where(self.concentration < 0.5, self.concentration, 0.0)
        found = self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c))
        return F.where(self.concentration < 0.5, found, math.inf)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return icdf of even numbers; gradients reach the parameters."""
        return self.icdf(_open_uniform(self.loc, self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        straight, c = self._bent()
        away = (value - self.loc) / self.scale
        bent = -(1 / c + 1) * F.log1p(c * away)
        return F.where(straight, -away, bent) - F.log(self.scale)  # type: ignore[no-any-return]

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        straight, c = self._bent()
        away = (value - self.loc) / self.scale
        return -F.expm1(F.where(straight, -away, -F.log1p(c * away) / c))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        straight, c = self._bent()
        rest = F.log1p(-value)
        return self.loc + self.scale * F.where(straight, -rest, F.expm1(-c * rest) / c)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return log(scale) + concentration + 1."""
        return F.log(self.scale) + self.concentration + 1
