"""Bernoulli: 1 with a probability, else 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from . import constraints
from .chances import one_given, to_logits, to_probs
from .distribution import Distribution, tensors


class Bernoulli(Distribution):
    """The probability of 1, `probs`, or its logits."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    has_enumerate_support = True
    support = constraints.boolean

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        one_given(probs, logits)
        name = "probs" if logits is None else "logits"
        (given,) = tensors(probs if logits is None else logits)
        self.__dict__[name] = given
        super().__init__(given.shape, validate_args=validate_args)

    def __getattr__(self, name: str) -> Any:
        # The one of probs and logits that was not given.
        if name == "probs" and "logits" in self.__dict__:
            return to_probs(self.logits, binary=True)
        if name == "logits" and "probs" in self.__dict__:
            return to_logits(self.probs, binary=True)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def mean(self) -> Tensor:
        """probs."""
        return self.probs  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """The likelier value; NaN where both are."""
        likely = (self.probs >= 0.5).to(self.probs.dtype)
        return F.where(self.probs == 0.5, float("nan"), likely)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """probs (1 - probs)."""
        return self.probs * (1 - self.probs)  # type: ignore[no-any-return]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return ones and zeros, without gradients."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            drawn = creation.rand(shape, dtype=self.probs.dtype, device=self.probs.device)
            return (drawn < self.probs).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability."""
        self._validate_sample(value)
        logits, value = F.broadcast_tensors(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return 0 and 1, for each distribution if expand."""
        values = creation.arange(2, dtype=self.probs.dtype, device=self.probs.device)
        values = values.reshape(2, *(1,) * len(self._batch_shape))
        return values.expand(2, *self._batch_shape) if expand else values  # type: ignore[no-any-return]
