"""Uniform: every number between two bounds alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import capture, creation
from jitnet import functional as F
from jitnet.tensor import Tensor

from . import constraints
from .constraints import Constraint
from .distribution import Distribution, tensors


class Uniform(Distribution):
    """Numbers from `low` up to, but not including, `high`."""

    arg_constraints: ClassVar = {"low": constraints.real, "high": constraints.real}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = tensors(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        checked = self._validate_args and capture.current() is None
        if checked and not (self.low.detach() < self.high.detach()).all().item():
            raise ValueError("Uniform is not defined when low >= high")

    @property
    def support(self) -> Constraint:
        """low .. high."""
        return constraints.interval(self.low.detach(), self.high.detach())

    @property
    def mean(self) -> Tensor:
        """The middle."""
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        """A twelfth of the width's square."""
        width = self.high - self.low
        return width * width / 12

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return low + (high - low) * (even numbers in 0 .. 1)."""
        drawn = creation.rand(
            self._extended_shape(sample_shape), dtype=self.low.dtype, device=self.low.device
        )
        return self.low + drawn * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return -log(high - low) inside, minus infinity outside."""
        self._validate_sample(value)
        inside = (value >= self.low) & (value < self.high)
        return F.where(inside, -F.log(self.high - self.low), -float("inf"))  # type: ignore[no-any-return]

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        self._validate_sample(value)
        return F.clamp((value - self.low) / (self.high - self.low), 0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """Return log(high - low)."""
        return F.log(self.high - self.low)
