"""Distribution: shapes, checks and the interface of all families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import capture, creation
from jitnet import functional as F
from jitnet.functional.promote import broadcast_shapes
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor
from jitnet.tensors.size import Size

from . import constraints
from .constraints import Constraint, is_dependent


def tensors(*values: Any) -> tuple[Tensor, ...]:
    """Return parameters as tensors of one shape; numbers take the tensors' dtype."""
    given = [value for value in values if isinstance(value, Tensor)]
    dtype = given[0].dtype if given else creation.get_default_dtype()
    device = given[0].device if given else None
    made = [
        value
        if isinstance(value, Tensor)
        else creation.full((), float(value), dtype=dtype, device=device)
        for value in values
    ]
    shape = broadcast_shapes(*(tuple(value.shape) for value in made))
    return tuple(value if tuple(value.shape) == shape else value.expand(shape) for value in made)


class Distribution:
    """A family with parameters: batch_shape of independent ones, each over event_shape.

    validate_args: check parameters and values (not while a function is compiled, where they have
    no values).
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    has_rsample: ClassVar[bool] = False
    has_enumerate_support: ClassVar[bool] = False
    _validate_args: bool = __debug__

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args and capture.current() is None:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Choose whether parameters and values are checked where nothing else is said."""
        Distribution._validate_args = bool(value)

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            value = self.__dict__.get(name)
            if is_dependent(constraint):
                continue
            if value is not None and not constraint.check(value.detach()).all().item():
                raise ValueError(
                    f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of "
                    f"distribution {self!r} to satisfy the constraint {constraint!r}, but found "
                    f"invalid values:\n{value}"
                )

    # Shapes

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters: independent distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample of one distribution."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> tuple[int, ...]:
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Distribution:
        """Return this distribution with parameters expanded to a batch shape."""
        named = {
            name: self.__dict__[name].expand(
                *batch_shape, *self.__dict__[name].shape[len(self._batch_shape) :]
            )
            for name in self.arg_constraints
            if self.__dict__.get(name) is not None
        }
        return type(self)(**named, validate_args=False)

    # What families define

    @property
    def support(self) -> Constraint:
        """What values samples have."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return F.sqrt(self.variance)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return sample_shape samples of each distribution, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return samples through which gradients reach the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample; use sample")

    def sample_n(self, n: int) -> Tensor:
        """Return n samples of each distribution: an older name of sample((n,))."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability (density) of values."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of at most a value."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """Return the value of which cdf is the given probability."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf")

    def entropy(self) -> Tensor:
        """Return the entropy."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy")

    def perplexity(self) -> Tensor:
        """Return exp(entropy)."""
        return F.exp(self.entropy())

    def _validate_sample(self, value: Any) -> None:
        """Raise ValueError unless value is a Tensor of fitting shape, inside the support."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        events = len(self._event_shape)
        own = tuple(value.shape)
        if own[len(own) - events :] != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {own} vs "
                f"{tuple(self._event_shape)}."
            )
        broadcast_shapes(own, self._extended_shape())
        if capture.current() is not None or is_dependent(self.support):
            return
        if not self.support.check(value.detach()).all().item():
            raise ValueError(
                f"Expected value argument (Tensor of shape {own}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n"
                f"{value}"
            )

    def __repr__(self) -> str:
        parts = []
        for name in self.arg_constraints:
            value = self.__dict__.get(name)
            if value is None:
                continue
            known = value.numel() == 1 and capture.current() is None
            parts.append(f"{name}: {value.item() if known else tuple(value.shape)}")
        return f"{type(self).__name__}({', '.join(parts)})"


class Symmetric(Distribution):
    """A family with its mean and its mode at `loc`."""

    loc: Tensor

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc


class LocScale(Distribution):
    """A family over all numbers: a middle `loc` and a width `scale`."""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    has_rsample = True
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = tensors(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)
