"""Distributions of counts: Poisson, Geometric, Binomial, NegativeBinomial and Multinomial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.runtime.dtype import int64
from jitnet.tensor import Tensor

from . import constraints
from .categorical import OfClasses
from .chances import kept_inside, one_given, to_logits, to_probs
from .constraints import Constraint
from .distribution import Distribution, tensors
from .gamma import standard_gamma

_FEW = 12.0  # rates below are drawn by adding up probabilities, those above by trying
_TERMS = 64
_TRIES = 12


def poisson_samples(rate: Tensor) -> Tensor:
    """Return a count for each rate: Hormann's PTRS (1993) for large ones, a table for others."""
    many = F.clamp(rate, min=_FEW)
    few = F.clamp(rate, max=_FEW)
    return F.where(rate < _FEW, _from_table(few), _by_trying(many))  # type: ignore[no-any-return]


def _from_table(rate: Tensor) -> Tensor:
    """Return how many sums of probabilities an even number in 0 .. 1 passes."""
    counts = creation.arange(_TERMS, dtype=rate.dtype, device=rate.device)
    log_rate = F.log(F.clamp(rate, min=1e-30)).unsqueeze(-1)
    chances = F.exp(counts * log_rate - rate.unsqueeze(-1) - F.lgamma(counts + 1))
    drawn = creation.rand_like(rate).unsqueeze(-1)
    return (drawn >= chances.cumsum(-1)).to(rate.dtype).sum(-1)  # type: ignore[no-any-return]


def _by_trying(rate: Tensor) -> Tensor:
    width = 0.931 + 2.53 * F.sqrt(rate)
    slope = -0.059 + 0.02483 * width
    height = 1.1239 + 1.1328 / (width - 3.4)
    found = F.floor(rate)
    done = rate < 0
    for _ in range(_TRIES):
        u, v = creation.rand_like(rate) - 0.5, 1 - creation.rand_like(rate)
        edge = 0.5 - F.abs(u)
        count = F.floor((2 * slope / F.clamp(edge, min=1e-9) + width) * u + rate + 0.43)
        density = count * F.log(rate) - rate - F.lgamma(F.clamp(count, min=0) + 1)
        tried = F.log(v * height / (slope / (edge * edge + 1e-18) + width))
        quick = (edge >= 0.07) & (v <= 0.9277 - 3.6224 / (width - 2))
        good = quick | ((count >= 0) & ((edge >= 0.013) | (v <= edge)) & (tried <= density))
        found = F.where(~done & good, count, found)
        done = done | good
    return found  # type: ignore[no-any-return]


class Poisson(Distribution):
    """How often something happens, `rate` times on average."""

    arg_constraints: ClassVar = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = tensors(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """rate."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """rate, rounded down."""
        return F.floor(self.rate)

    @property
    def variance(self) -> Tensor:
        """rate."""
        return self.rate

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return counts, without gradients."""
        with no_grad():
            return poisson_samples(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability."""
        self._validate_sample(value)
        return F.xlogy(value, self.rate) - self.rate - F.lgamma(value + 1)


class _Chances(Distribution):
    """What is made of probabilities of 1, `probs`, or of their logits."""

    def _take(self, probs: Any, logits: Any, *others: Any) -> tuple[Tensor, ...]:
        """Keep the one that is given; return the others, all of one shape."""
        one_given(probs, logits)
        given, *rest = tensors(probs if logits is None else logits, *others)
        self.__dict__["probs" if logits is None else "logits"] = given
        return (given, *rest)

    def __getattr__(self, name: str) -> Any:
        if name == "probs" and "logits" in self.__dict__:
            return to_probs(self.logits, binary=True)
        if name == "logits" and "probs" in self.__dict__:
            return to_logits(self.probs, binary=True)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class Geometric(_Chances):
    """How often one fails before one succeeds, each time with probability `probs`."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        (given,) = self._take(probs, logits)
        super().__init__(given.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """1 / probs - 1."""
        return 1 / self.probs - 1  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """0."""
        return creation.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        """(1 / probs - 1) / probs."""
        return (1 / self.probs - 1) / self.probs  # type: ignore[no-any-return]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return counts, without gradients."""
        with no_grad():
            drawn = 1 - creation.rand(
                self._extended_shape(sample_shape), dtype=self.probs.dtype, device=self.probs.device
            )
            return F.floor(F.log(drawn) / F.log1p(-kept_inside(self.probs)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability."""
        self._validate_sample(value)
        inside = F.where((self.probs == 1) & (value == 0), 0.0, self.probs)
        return value * F.log1p(-inside) + F.log(self.probs)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        found = F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return found / self.probs


class Binomial(_Chances):
    """How many of `total_count` tries succeed, each with probability `probs`."""

    arg_constraints: ClassVar = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }

    def __init__(
        self,
        total_count: Any = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        self._most = total_count
        given, self.total_count = self._take(probs, logits, total_count)
        super().__init__(given.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:  # type: ignore[override]
        """0 .. total_count."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        """total_count * probs."""
        return self.total_count * self.probs  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """The likeliest count."""
        found = F.floor((self.total_count + 1) * self.probs)
        return F.minimum(found, self.total_count)

    @property
    def variance(self) -> Tensor:
        """total_count * probs * (1 - probs)."""
        return self.total_count * self.probs * (1 - self.probs)  # type: ignore[no-any-return]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return how many of as many even numbers are below probs, without gradients."""
        most = self._most
        with no_grad():
            tries = int(most.max().item()) if isinstance(most, Tensor) else int(most)
            shape = self._extended_shape(sample_shape)
            drawn = creation.rand((*shape, tries), dtype=self.probs.dtype, device=self.probs.device)
            counted = creation.arange(tries, device=self.probs.device) < self.total_count.unsqueeze(
                -1
            )
            good = (drawn < self.probs.unsqueeze(-1)) & counted
            return good.to(self.probs.dtype).sum(-1)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability."""
        self._validate_sample(value)
        count, logits = self.total_count, self.logits
        ways = F.lgamma(count + 1) - F.lgamma(value + 1) - F.lgamma(count - value + 1)
        return value * logits - count * F.softplus(logits) + ways  # type: ignore[no-any-return]

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all counts, for each distribution if expand; they must have one total_count."""
        if isinstance(self._most, Tensor):
            raise NotImplementedError("counts of different totals are not listed: give an int")
        count, rank = int(self._most) + 1, len(self._batch_shape)
        values = creation.arange(count, dtype=self.probs.dtype, device=self.probs.device).reshape(
            count, *(1,) * rank
        )
        return values.expand(count, *self._batch_shape) if expand else values  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        logs = self.log_prob(self.enumerate_support(False))
        return -(F.exp(logs) * logs).sum(0)  # type: ignore[no-any-return]


class NegativeBinomial(_Chances):
    """How often one succeeds, with probability `probs`, before total_count failures."""

    arg_constraints: ClassVar = {
        "total_count": constraints.nonnegative,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self,
        total_count: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        given, self.total_count = self._take(probs, logits, total_count)
        super().__init__(given.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """total_count * exp(logits)."""
        return self.total_count * F.exp(self.logits)

    @property
    def mode(self) -> Tensor:
        """The likeliest count."""
        return F.clamp(F.floor((self.total_count - 1) * F.exp(self.logits)), min=0.0)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """mean / (1 - probs)."""
        return self.mean / F.sigmoid(-self.logits)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return Poisson counts of gamma rates, without gradients."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            rate = standard_gamma(self.total_count.expand(shape)) * F.exp(self.logits)
            return poisson_samples(rate)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability."""
        self._validate_sample(value)
        count = self.total_count
        chances = count * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        ways = F.lgamma(count + value) - F.lgamma(1.0 + value) - F.lgamma(count)
        return chances + F.where(count + value == 0.0, 0.0, ways)  # type: ignore[no-any-return]


class Multinomial(OfClasses):
    """How often each class comes up in total_count tries; probs of any sum, or logits."""

    total_count: int

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported: give an int")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    @property
    def support(self) -> Constraint:  # type: ignore[override]
        """Counts of total_count in all."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        """probs * total_count."""
        return self.probs * self.total_count  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """total_count * probs * (1 - probs)."""
        return self.total_count * self.probs * (1 - self.probs)  # type: ignore[no-any-return]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return counts of classes, without gradients."""
        classes = self._categorical.sample((self.total_count, *sample_shape))
        found = F.one_hot(classes.to(int64), self._categorical._num_events).sum(0)
        return found.to(self.probs.dtype)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability."""
        self._validate_sample(value)
        logits, value = F.broadcast_tensors(self.logits, value)
        logits = F.where((value == 0) & (logits == -float("inf")), 0.0, logits)
        ways = F.lgamma(value.sum(-1) + 1) - F.lgamma(value + 1).sum(-1)
        return ways + (logits * value).sum(-1)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        each = Binomial(self.total_count, self.probs, validate_args=False)
        counts = each.enumerate_support(False)
        ways = (F.exp(each.log_prob(counts)) * F.lgamma(counts + 1)).sum((0, -1))
        whole = self.total_count * self._categorical.entropy()
        return whole - math.lgamma(self.total_count + 1) + ways  # type: ignore[no-any-return]
