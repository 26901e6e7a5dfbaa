"""MixtureSameFamily: one of several components, chosen by a Categorical."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from .categorical import Categorical
from .constraints import Constraint
from .distribution import Distribution


class MixtureSameFamily(Distribution):
    """The components are the last batch dim of one distribution."""

    arg_constraints: ClassVar = {}

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError("The Mixture distribution needs to be an instance of Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be a Distribution")
        batch = tuple(component_distribution.batch_shape)
        count = mixture_distribution._num_events
        if not batch or batch[-1] != count:
            raise ValueError(
                f"the mixture has {count} components, the last batch dim of them is {batch[-1:]}"
            )
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    @property
    def support(self) -> Constraint:  # type: ignore[override]
        """The components'."""
        return self.component_distribution.support

    def _weights(self) -> Tensor:
        probs = self.mixture_distribution.probs
        return probs.reshape(*probs.shape, *(1,) * len(self._event_shape))

    def _over(self) -> int:
        """Return the dim of the components."""
        return -1 - len(self._event_shape)

    @property
    def mean(self) -> Tensor:
        """The components' mean."""
        return (self._weights() * self.component_distribution.mean).sum(self._over())  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The mean of the components' variances, and the variance of their means."""
        weights, parts, over = self._weights(), self.component_distribution, self._over()
        inner = (weights * parts.variance).sum(over)
        away = parts.mean - self.mean.unsqueeze(over)
        return inner + (weights * away * away).sum(over)  # type: ignore[no-any-return]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return samples of the components that are chosen, without gradients."""
        with no_grad():
            chosen = self.mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            events, over = len(self._event_shape), self._over()
            index = chosen.reshape(*chosen.shape, *(1,) * (events + 1))
            shape = (*chosen.shape, 1, *self._event_shape)
            return F.gather(drawn, over % drawn.dim(), index.expand(shape)).squeeze(over)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the weighted sum of the components' densities."""
        self._validate_sample(value)
        parts = self.component_distribution.log_prob(value.unsqueeze(self._over()))
        return F.logsumexp(parts + F.log_softmax(self.mixture_distribution.logits, -1), -1)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the components' cdf, weighted."""
        found = self.component_distribution.cdf(value.unsqueeze(self._over()))
        return (found * self.mixture_distribution.probs).sum(-1)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self.mixture_distribution!r},\n  "
            f"{self.component_distribution!r})"
        )
