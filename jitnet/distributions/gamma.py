"""Gamma: the sum of `concentration` exponential waits, which need not be a whole number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from . import constraints
from .distribution import Distribution, tensors

# A try is refused with a probability below 0.05, so all of them are below 3e-11.
_TRIES = 8
_TERMS = 192


def standard_gamma(concentration: Tensor) -> Tensor:
    """Return one sample for each concentration, at rate 1; gradients reach the concentration.

    Samples: Marsaglia and Tsang, ACM TOMS 26 (2000). Gradients: implicit (Figurnov et al., 2018).
    """
    a = concentration.detach()
    with no_grad():
        drawn = _drawn(a)
        if not concentration.requires_grad:
            return drawn
        slope = _slope(drawn.double(), a.double()).to(a.dtype)
    return drawn + (concentration - a) * slope


def _drawn(a: Tensor) -> Tensor:
    small = a < 1
    d = F.where(small, a + 1, a) - 1 / 3
    c = 1 / F.sqrt(9 * d)
    cube = creation.ones_like(d)
    found = creation.zeros_like(d, dtype=None) > 0
    for _ in range(_TRIES):
        x = creation.randn_like(d)
        v = (1 + c * x) ** 3
        u = 1 - creation.rand_like(d)
        inside = F.log(u) < 0.5 * x * x + d * (1 - v + F.log(F.clamp(v, min=1e-30)))
        cube = F.where(~found & inside & (v > 0), v, cube)
        found = found | (inside & (v > 0))
    u = 1 - creation.rand_like(d)
    boost = F.where(small, u ** (1 / F.where(small, a, 1.0)), 1.0)
    return F.clamp(d * cube * boost, min=1.1754943508222875e-38)


def _slope(z: Tensor, a: Tensor) -> Tensor:
    """Return how a sample z moves with its concentration a: -(dP(a, z) / da) / density.

    By the series of P up to 64, by Wilson and Hilferty's cube above.
    """
    b = F.clamp(a, max=64.0).unsqueeze(-1)
    y = F.clamp(z, max=256.0).unsqueeze(-1)
    n = creation.arange(_TERMS, dtype=z.dtype, device=z.device)
    term = F.exp(n * F.log(y) - F.cumsum(F.log(b + n), -1))
    means = F.cumsum(1 / (b + n), -1)
    inner = (term * (F.log(y) - F.digamma(b) - means)).sum(-1)
    root = (z / a) ** (1 / 3)
    x = (root - 1 + 1 / (9 * a)) * 3 * F.sqrt(a)
    outer = root**3 + 3 * a * root * root * (1 / (9 * a * a) - x / (6 * a * F.sqrt(a)))
    return F.where(a <= 64, -z * inner, outer)  # type: ignore[no-any-return]


class Gamma(Distribution):
    """A shape `concentration` and a `rate`: the mean is concentration / rate."""

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    has_rsample = True
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = tensors(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """concentration / rate."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """(concentration - 1) / rate, at least 0."""
        return F.clamp((self.concentration - 1) / self.rate, min=0)

    @property
    def variance(self) -> Tensor:
        """concentration / rate^2."""
        return self.concentration / (self.rate * self.rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return samples; gradients reach both parameters."""
        shape = self._extended_shape(sample_shape)
        return standard_gamma(self.concentration.expand(shape)) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        return (
            F.xlogy(self.concentration, self.rate)
            + F.xlogy(self.concentration - 1, value)
            - self.rate * value
            - F.lgamma(self.concentration)
        )

    def entropy(self) -> Tensor:
        """Return the entropy."""
        a = self.concentration
        return a - F.log(self.rate) + F.lgamma(a) + (1 - a) * F.digamma(a)


class Chi2(Gamma):
    """The sum of the squares of df normal numbers."""

    arg_constraints: ClassVar = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (freedom,) = tensors(df)
        super().__init__(0.5 * freedom, creation.full_like(freedom, 0.5), validate_args=False)
        self.df = freedom
        Distribution.__init__(self, freedom.shape, validate_args=validate_args)


class InverseGamma(Distribution):
    """1 / x of a Gamma of concentration and rate."""

    arg_constraints: ClassVar = Gamma.arg_constraints
    has_rsample = True
    support = constraints.positive

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._gamma = Gamma(concentration, rate, validate_args=False)
        self.concentration, self.rate = self._gamma.concentration, self._gamma.rate
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """rate / (concentration - 1); infinity for concentrations <= 1."""
        return F.where(self.concentration > 1, self.rate / (self.concentration - 1), float("inf"))  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """rate / (concentration + 1)."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """Infinity for concentrations <= 2."""
        a = self.concentration
        finite = self.rate * self.rate / ((a - 1) ** 2 * (a - 2))
        return F.where(a > 2, finite, float("inf"))  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return inverses of gamma samples."""
        return 1 / self._gamma.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        return self._gamma.log_prob(1 / value) - 2 * F.log(value)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        a = self.concentration
        return a + F.log(self.rate) + F.lgamma(a) - (1 + a) * F.digamma(a)
