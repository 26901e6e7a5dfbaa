"""Distributions of transformed samples: any base and transforms, and LogNormal and kin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from . import constraints
from .basic_transforms import (
    ComposeTransform,
    ExpTransform,
    StickBreakingTransform,
    Transform,
)
from .constraints import Constraint
from .distribution import Distribution
from .independent import Independent, summed
from .normal import Normal


class TransformedDistribution(Distribution):
    """Samples of a base distribution after one transform or several."""

    arg_constraints: ClassVar = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        whole = ComposeTransform(self.transforms)
        base = base_distribution
        missing = whole.event_dim - len(base.event_shape)
        if missing > 0:
            base = Independent(base, missing)
        shape = whole.forward_shape((*base.batch_shape, *base.event_shape))
        events = max(whole.event_dim, len(base.event_shape))
        batch, event = shape[: len(shape) - events], shape[len(shape) - events :]
        self.base_dist = base.expand(batch) if tuple(base.batch_shape) != batch else base
        self._whole = whole
        super().__init__(batch, event, validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base has one."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:  # type: ignore[override]
        """What the last transform gives, or the base's."""
        last = self.transforms[-1].codomain if self.transforms else self.base_dist.support
        missing = len(self._event_shape) - last.event_dim
        return constraints.independent(last, missing) if missing > 0 else last

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return transformed samples, without gradients."""
        with no_grad():
            return self._whole(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return transformed samples; gradients reach the base's parameters."""
        return self._whole(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the base's density where the value came from, less what was stretched."""
        self._validate_sample(value)
        events, y, stretched = len(self._event_shape), value, 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            found = transform.log_abs_det_jacobian(x, y)
            events += transform.domain.event_dim - transform.codomain.event_dim
            stretched = stretched + summed(found, events - transform.domain.event_dim)
            y = x
        base = self.base_dist
        return summed(base.log_prob(y), events - len(base.event_shape)) - stretched

    def cdf(self, value: Tensor) -> Tensor:
        """Return the base's cdf where the value came from."""
        self._validate_sample(value)
        found = self.base_dist.cdf(self._whole.inv(value))
        return F.where(self._sign() < 0, 1 - found, found)  # type: ignore[no-any-return]

    def icdf(self, value: Tensor) -> Tensor:
        """Return the transform of the base's icdf."""
        return self._whole(self.base_dist.icdf(F.where(self._sign() < 0, 1 - value, value)))

    def _sign(self) -> Tensor:
        from jitnet import creation

        return creation.as_tensor(self._whole.sign)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist!r}, {self.transforms})"


class LogNormal(TransformedDistribution):
    """exp of a Normal of loc and scale."""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args)
        self.loc, self.scale = base.loc, base.scale
        super().__init__(base, ExpTransform(), validate_args)

    @property
    def mean(self) -> Tensor:
        """exp(loc + scale^2 / 2)."""
        return F.exp(self.loc + self.scale * self.scale / 2)

    @property
    def mode(self) -> Tensor:
        """exp(loc - scale^2)."""
        return F.exp(self.loc - self.scale * self.scale)

    @property
    def variance(self) -> Tensor:
        """(exp(scale^2) - 1) exp(2 loc + scale^2)."""
        square = self.scale * self.scale
        return F.expm1(square) * F.exp(2 * self.loc + square)

    def entropy(self) -> Tensor:
        """Return the Normal's entropy plus loc."""
        return self.base_dist.entropy() + self.loc

    __repr__ = Distribution.__repr__


class LogisticNormal(TransformedDistribution):
    """Shares: a Normal of K numbers, stick by stick broken into K + 1."""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args)
        if not base.batch_shape:
            base = Normal(base.loc.reshape(1), base.scale.reshape(1), validate_args)
        self.loc, self.scale = base.loc, base.scale
        super().__init__(base, StickBreakingTransform(), validate_args)

    __repr__ = Distribution.__repr__


class HalfNormal(Distribution):
    """|x| of a Normal around 0."""

    arg_constraints: ClassVar = {"scale": constraints.positive}
    has_rsample = True
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._normal = Normal(0.0, scale, validate_args=False)
        self.scale = self._normal.scale
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """scale sqrt(2 / pi)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        """0."""
        return self.scale * 0

    @property
    def variance(self) -> Tensor:
        """scale^2 (1 - 2 / pi)."""
        return self.scale * self.scale * (1 - 2 / math.pi)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return sizes of normal samples."""
        return F.abs(self._normal.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        found = self._normal.log_prob(value) + math.log(2)
        return F.where(value >= 0, found, -math.inf)  # type: ignore[no-any-return]

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return 2 * self._normal.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return self._normal.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return self._normal.entropy() - math.log(2)
