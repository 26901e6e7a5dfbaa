"""Distributions with heavy tails, and of extremes: Cauchy, StudentT, Gumbel, Pareto, Weibull."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .constraints import Constraint
from .distribution import Distribution, LocScale, tensors
from .gamma import standard_gamma

_EULER = 0.57721566490153286


def _open_uniform(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Return numbers in (0, 1), none of which is 0."""
    eps = 2.0**-25 if like.dtype.size <= 4 else 2.0**-54
    return creation.rand(shape, dtype=like.dtype, device=like.device) + eps


class Cauchy(LocScale):
    """A middle `loc` and half the width at half the height, `scale`; it has no mean."""

    @property
    def mean(self) -> Tensor:
        """NaN: there is none."""
        return creation.full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Infinity."""
        return creation.full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return loc + scale * tan of even angles."""
        return self.icdf(_open_uniform(self.loc, self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        away = (value - self.loc) / self.scale
        return -math.log(math.pi) - F.log(self.scale) - F.log1p(away * away)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return F.atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return F.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        """Return log(4 pi scale)."""
        return math.log(4 * math.pi) + F.log(self.scale)


class HalfCauchy(Distribution):
    """|x| of a Cauchy around 0."""

    arg_constraints: ClassVar = {"scale": constraints.positive}
    has_rsample = True
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._cauchy = Cauchy(0.0, scale, validate_args=False)
        self.scale = self._cauchy.scale
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """Infinity."""
        return creation.full_like(self.scale, math.inf)

    @property
    def mode(self) -> Tensor:
        """0."""
        return self.scale * 0

    @property
    def variance(self) -> Tensor:
        """Infinity."""
        return self._cauchy.variance

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return sizes of Cauchy samples."""
        return F.abs(self._cauchy.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        found = self._cauchy.log_prob(value) + math.log(2)
        return F.where(value >= 0, found, -math.inf)  # type: ignore[no-any-return]

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return 2 * self._cauchy.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return self._cauchy.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return self._cauchy.entropy() - math.log(2)


class StudentT(Distribution):
    """df degrees of freedom, a middle `loc` and a width `scale`."""

    arg_constraints: ClassVar = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    has_rsample = True
    support = constraints.real

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        self.df, self.loc, self.scale = tensors(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """loc; NaN for df <= 1."""
        return F.where(self.df > 1, self.loc, math.nan)  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale^2 df / (df - 2); infinity for df <= 2, NaN for df <= 1."""
        finite = self.scale * self.scale * self.df / (F.where(self.df > 2, self.df, 3.0) - 2)
        large = F.where(self.df > 1, math.inf, math.nan)
        return F.where(self.df > 2, finite, large)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return normal numbers over roots of chi-squared ones."""
        shape = self._extended_shape(sample_shape)
        df = self.df.expand(shape)
        spread = 2 * standard_gamma(df / 2) / df
        return self.loc + self.scale * creation.randn(
            shape, dtype=self.df.dtype, device=self.df.device
        ) / F.sqrt(spread)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        away, half = (value - self.loc) / self.scale, 0.5 * self.df
        norm = F.log(self.scale) + 0.5 * F.log(self.df) + 0.5 * math.log(math.pi)
        norm = norm + F.lgamma(half) - F.lgamma(half + 0.5)
        return -(half + 0.5) * F.log1p(away * away / self.df) - norm

    def entropy(self) -> Tensor:
        """Return the entropy."""
        half = 0.5 * self.df
        beta = F.lgamma(half) + math.lgamma(0.5) - F.lgamma(half + 0.5)
        spread = (half + 0.5) * (F.digamma(half + 0.5) - F.digamma(half))
        return F.log(self.scale) + spread + 0.5 * F.log(self.df) + beta


class Gumbel(LocScale):
    """The largest of many: a middle `loc` and a width `scale`."""

    @property
    def mean(self) -> Tensor:
        """loc + scale * 0.577..."""
        return self.loc + self.scale * _EULER

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """(pi scale)^2 / 6."""
        return self.scale * self.scale * (math.pi**2 / 6)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return loc - scale * log(-log(u)), u even in (0, 1)."""
        return self.icdf(_open_uniform(self.loc, self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        away = (self.loc - value) / self.scale
        return away - F.exp(away) - F.log(self.scale)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return F.exp(-F.exp((self.loc - value) / self.scale))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return self.loc - self.scale * F.log(-F.log(value))

    def entropy(self) -> Tensor:
        """Return log(scale) + 1.577..."""
        return F.log(self.scale) + (1 + _EULER)


class Pareto(Distribution):
    """At least `scale`, more by a power `alpha`."""

    arg_constraints: ClassVar = {"alpha": constraints.positive, "scale": constraints.positive}
    has_rsample = True

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = tensors(scale, alpha)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:  # type: ignore[override]
        """At least scale."""
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        """alpha scale / (alpha - 1); infinity for alpha <= 1."""
        a = F.clamp(self.alpha, min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """Infinity for alpha <= 2."""
        a = F.clamp(self.alpha, min=2)
        return self.scale * self.scale * a / ((a - 1) ** 2 * (a - 2))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return scale * u^(-1 / alpha), u even in (0, 1)."""
        drawn = _open_uniform(self.scale, self._extended_shape(sample_shape))
        return self.scale * F.exp(-F.log(drawn) / self.alpha)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        ratio = F.log(self.scale) - F.log(value)
        return F.log(self.alpha) + self.alpha * ratio - F.log(value)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return 1 - F.pow(self.scale / value, self.alpha)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return self.scale * F.exp(-F.log1p(-value) / self.alpha)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return F.log(self.scale / self.alpha) + (1 + 1 / self.alpha)


class Weibull(Distribution):
    """Waiting where the rate changes by a power: `scale` and `concentration`."""

    arg_constraints: ClassVar = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    has_rsample = True
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = tensors(scale, concentration)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def _moment(self, power: int) -> Tensor:
        return self.scale**power * F.exp(F.lgamma(1 + power / self.concentration))  # type: ignore[no-any-return]

    @property
    def mean(self) -> Tensor:
        """scale * gamma(1 + 1 / concentration)."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """scale * ((k - 1) / k)^(1 / k), k the concentration."""
        k = self.concentration
        return self.scale * ((k - 1) / k) ** (1 / k)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self._moment(2) - self._moment(1) ** 2  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return scale * (-log u)^(1 / concentration), u even in (0, 1)."""
        drawn = _open_uniform(self.scale, self._extended_shape(sample_shape))
        return self.scale * F.pow(-F.log(drawn), 1 / self.concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        ratio, k = value / self.scale, self.concentration
        return F.log(k / self.scale) + (k - 1) * F.log(ratio) - F.pow(ratio, k)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return -F.expm1(-F.pow(value / self.scale, self.concentration))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return self.scale * F.pow(-F.log1p(-value), 1 / self.concentration)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        inverse = 1 / self.concentration
        return _EULER * (1 - inverse) + F.log(self.scale * inverse) + 1
