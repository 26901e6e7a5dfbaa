"""Samples of choices through which gradients pass: relaxed, or straight through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .categorical import OfClasses, OneHotCategorical
from .chances import kept_inside
from .counts import _Chances


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose samples hand gradients on to probs as they are."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return vectors with one 1; their gradient is that of probs."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())  # type: ignore[no-any-return]


class RelaxedBernoulli(_Chances):
    """Numbers in (0, 1), the nearer to its ends the smaller `temperature` is (arXiv:1611.00712)."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    has_rsample = True
    support = constraints.unit_interval

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        (given,) = self._take(probs, logits)
        super().__init__(given.shape, validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return samples; gradients reach the parameters."""
        shape = self._extended_shape(sample_shape)
        drawn = kept_inside(
            creation.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        )
        noise = F.log(drawn) - F.log1p(-drawn)
        return F.sigmoid((noise + self.logits) / self.temperature)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        y = F.log(value) - F.log1p(-value)
        away = self.logits - y * self.temperature
        spread = creation.as_tensor(self.temperature, dtype=value.dtype, device=value.device)
        density = away + F.log(spread) - 2 * F.softplus(away)
        return density + F.softplus(-y) + F.softplus(y)  # type: ignore[no-any-return]


class RelaxedOneHotCategorical(OfClasses):
    """Shares of classes, the nearer to one class the smaller `temperature` is."""

    has_rsample = True
    support = constraints.simplex

    def __init__(
        self,
        temperature: Any,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return samples; gradients reach the parameters."""
        shape = self._extended_shape(sample_shape)
        drawn = kept_inside(
            creation.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        )
        noise = -F.log(-F.log(drawn))
        return F.softmax((self.logits + noise) / self.temperature, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        count = self._event_shape[-1]
        spread = creation.as_tensor(self.temperature, dtype=value.dtype, device=value.device)
        logits, logs = F.broadcast_tensors(self.logits, F.log(value))
        score = logits - logs * spread
        score = (score - F.logsumexp(score, -1, keepdim=True)).sum(-1) - logs.sum(-1)
        scale = F.lgamma(creation.full((), float(count), dtype=value.dtype, device=value.device))
        return score + scale + (count - 1) * F.log(spread)  # type: ignore[no-any-return]
