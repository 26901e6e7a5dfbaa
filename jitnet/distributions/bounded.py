"""Distributions on the unit interval and the circle: Kumaraswamy, ContinuousBernoulli, VonMises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.functional.special import i0e, i1e
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from . import constraints
from .chances import kept_inside, one_given, to_logits, to_probs
from .distribution import Distribution, Symmetric, tensors
from .heavy_tails import _EULER, _open_uniform

_TRIES = 12  # a draw of VonMises is accepted with a chance of at least 0.66


class Kumaraswamy(Distribution):
    """On 0 .. 1, much as Beta: 1 - (1 - x^a)^b is the chance of at most x."""

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

    def _moment(self, n: int) -> Tensor:
        """Return the mean of x^n."""
        a, b = self.concentration1, self.concentration0
        return b * F.exp(F.lgamma(1 + n / a) + F.lgamma(b) - F.lgamma(1 + b + n / a))  # type: ignore[no-any-return]

    @property
    def mean(self) -> Tensor:
        """The first moment."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """The most probable value; NaN where a parameter is below 1."""
        a, b = self.concentration1, self.concentration0
        found = ((a - 1) / (a * b - 1)) ** (1 / a)
        return F.where((a < 1) | (b < 1), math.nan, found)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The second moment less the square of the first."""
        return self._moment(2) - self._moment(1) ** 2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return (1 - u^(1 / b))^(1 / a) of even numbers u."""
        return self.icdf(_open_uniform(self.concentration1, self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return F.log(a * b) + F.xlogy(a - 1, value) + (b - 1) * F.log1p(-(value**a))  # type: ignore[no-any-return]

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return -F.expm1(self.concentration0 * F.log1p(-(value**self.concentration1)))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        inner = -F.expm1(F.log1p(-value) / self.concentration0)
        return inner ** (1 / self.concentration1)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        a, b = self.concentration1, self.concentration0
        harmonic = F.digamma(b + 1) + _EULER
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - F.log(a) - F.log(b)  # type: ignore[no-any-return]


class ContinuousBernoulli(Distribution):
    """On 0 .. 1, with the density of Bernoulli's formula, normalized (Loaiza-Ganem, 2019).

    lims: between them, near 0.5, the normalization is a Taylor series.
    """

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    has_rsample = True
    support = constraints.unit_interval

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        one_given(probs, logits)
        name = "probs" if logits is None else "logits"
        (given,) = tensors(probs if logits is None else logits)
        self.__dict__[name] = given
        self._lims = lims
        super().__init__(given.shape, validate_args=validate_args)
        if logits is None:
            self.__dict__[name] = kept_inside(given)

    def __getattr__(self, name: str) -> Any:
        # The one of probs and logits that was not given.
        if name == "probs" and "logits" in self.__dict__:
            return kept_inside(to_probs(self.logits, binary=True))
        if name == "logits" and "probs" in self.__dict__:
            return to_logits(self.probs, binary=True)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Distribution:
        """Return this distribution with parameters expanded to a batch shape."""
        name = "probs" if "probs" in self.__dict__ else "logits"
        given = {name: self.__dict__[name].expand(*batch_shape)}
        return type(self)(**given, lims=self._lims, validate_args=False)

    def _split(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return where formulas hold, probs there (others where they do not), and probs - 0.5."""
        p = self.probs
        far = (p <= self._lims[0]) | (p > self._lims[1])
        return far, F.where(far, p, self._lims[0]), p - 0.5

    def _log_norm(self) -> Tensor:
        far, p, x = self._split()
        low, high = F.where(p <= 0.5, p, 0.0), F.where(p >= 0.5, p, 1.0)
        below = F.where(p <= 0.5, F.log1p(-2 * low), F.log(2 * high - 1))
        found = F.log((F.log1p(-p) - F.log(p)).abs()) - below
        near = math.log(2) + (4 / 3 + 104 / 45 * x * x) * x * x
        return F.where(far, found, near)  # type: ignore[no-any-return]

    @property
    def mean(self) -> Tensor:
        """The mean."""
        far, p, x = self._split()
        found = p / (2 * p - 1) + 1 / (F.log1p(-p) - F.log(p))
        return F.where(far, found, 0.5 + (1 / 3 + 16 / 45 * x * x) * x)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The variance."""
        far, p, x = self._split()
        found = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / (F.log1p(-p) - F.log(p)) ** 2
        return F.where(far, found, 1 / 12 - (1 / 15 - 128 / 945 * x * x) * x * x)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return icdf of even numbers; gradients reach probs."""
        drawn = creation.rand(
            self._extended_shape(sample_shape), dtype=self.probs.dtype, device=self.probs.device
        )
        return self.icdf(drawn)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        logits, value = F.broadcast_tensors(self.logits, value)
        loss = F.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return self._log_norm() - loss

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        far, p, _ = self._split()
        found = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        inside = F.where(far, found, value)
        return F.where(value <= 0, 0.0, F.where(value >= 1, 1.0, inside))  # type: ignore[no-any-return]

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        far, p, _ = self._split()
        rest = F.log1p(-p)
        found = (F.log1p(-p + value * (2 * p - 1)) - rest) / (F.log(p) - rest)
        return F.where(far, found, value)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        rest = F.log1p(-self.probs)
        return self.mean * (rest - F.log(self.probs)) - self._log_norm() - rest  # type: ignore[no-any-return]


class VonMises(Symmetric):
    """Angles around `loc`, as much as `concentration` says: the normal numbers of a circle."""

    arg_constraints: ClassVar = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = tensors(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def variance(self) -> Tensor:
        """The circular variance."""
        return 1 - i1e(self.concentration) / i0e(self.concentration)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return angles in -pi .. pi, without gradients (Best and Fisher, 1979)."""
        with no_grad():
            k = self.concentration.double().expand(self._extended_shape(sample_shape))
            tau = 1 + F.sqrt(1 + 4 * k * k)
            rho = (tau - F.sqrt(2 * tau)) / (2 * k)
            r = F.where(k < 1e-5, 1 / k + k, (1 + rho * rho) / (2 * rho))
            cosine = creation.ones_like(k)
            done = k < 0
            for _ in range(_TRIES):
                z = F.cos(math.pi * creation.rand_like(k))
                tried = (1 + r * z) / (r + z)
                c, u = k * (r - tried), 1 - creation.rand_like(k)
                good = (c * (2 - c) > u) | (F.log(c / u) + 1 - c >= 0)
                cosine = F.where(~done & good, tried, cosine)
                done = done | good
            side = F.where(creation.rand_like(k) < 0.5, -1.0, 1.0)
            angle = side * F.acos(F.clamp(cosine, -1, 1)) + math.pi + self.loc
            return (F.remainder(angle, 2 * math.pi) - math.pi).to(self.loc.dtype)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        k = self.concentration
        away = k * (F.cos(value - self.loc) - 1)
        return away - math.log(2 * math.pi) - F.log(i0e(k))
