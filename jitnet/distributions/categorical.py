"""Categorical: one of several classes, by their probabilities; OneHotCategorical: as a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.runtime.dtype import int64
from jitnet.tensor import Tensor

from . import constraints
from .chances import one_given, to_logits, to_probs
from .constraints import Constraint
from .distribution import Distribution


class Categorical(Distribution):
    """Probabilities (of any sum) or logits of the classes, in the last dim."""

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_given(probs, logits)
        given = probs if logits is None else logits
        assert given is not None
        if given.dim() < 1:
            name = "probs" if logits is None else "logits"
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if logits is None:
            self.__dict__["probs"] = given / given.sum(-1, keepdim=True)
        else:
            self.__dict__["logits"] = given - F.logsumexp(given, -1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    def __getattr__(self, name: str) -> Any:
        # The one of probs and logits that was not given.
        if name == "probs" and "logits" in self.__dict__:
            return to_probs(self.logits)
        if name == "logits" and "probs" in self.__dict__:
            return to_logits(self.probs)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def support(self) -> Constraint:
        """0 .. classes - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of probs."""
        return (*self._batch_shape, self._num_events)

    @property
    def mean(self) -> Tensor:
        """NaN: classes have no mean."""
        return creation.full(
            self._batch_shape, float("nan"), dtype=self.probs.dtype, device=self.probs.device
        )

    @property
    def variance(self) -> Tensor:
        """NaN: classes have no variance."""
        return self.mean

    @property
    def mode(self) -> Tensor:
        """The likeliest class."""
        return F.argmax(self.probs, -1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return classes: where the sums of probabilities pass even numbers in 0 .. 1."""
        with no_grad():
            shape = (*sample_shape, *self._batch_shape)
            drawn = creation.rand((*shape, 1), dtype=self.probs.dtype, device=self.probs.device)
            edges = self.probs.cumsum(-1)
            passed = drawn * edges[..., -1:] >= edges
            return F.clamp(passed.to(int64).sum(-1), max=self._num_events - 1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of classes."""
        self._validate_sample(value)
        index = value.to(int64).unsqueeze(-1)
        index, logits = F.broadcast_tensors(index, self.logits)
        return F.gather(logits, -1, index[..., :1]).squeeze(-1)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy; classes of probability 0 add nothing."""
        logits = F.clamp(self.logits, min=-3.4028234663852886e38)
        return -(logits * self.probs).sum(-1)  # type: ignore[no-any-return]

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all classes, for each distribution if expand."""
        count = self._num_events
        values = creation.arange(count, device=self.probs.device).reshape(
            count, *(1,) * len(self._batch_shape)
        )
        return values.expand(count, *self._batch_shape) if expand else values  # type: ignore[no-any-return]


class OfClasses(Distribution):
    """A family over vectors with an element for each class of a Categorical."""

    arg_constraints: ClassVar = Categorical.arg_constraints

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        size = self._categorical._num_events
        super().__init__(self._categorical.batch_shape, (size,), validate_args)

    def __getattr__(self, name: str) -> Any:
        if name in ("probs", "logits"):
            return getattr(self.__dict__["_categorical"], name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class OneHotCategorical(OfClasses):
    """Categorical whose samples are vectors with a 1 at the class."""

    support = constraints.simplex

    @property
    def mean(self) -> Tensor:
        """probs."""
        return self.probs  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """probs (1 - probs)."""
        return self.probs * (1 - self.probs)  # type: ignore[no-any-return]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return vectors with one 1, without gradients."""
        classes = self._categorical.sample(sample_shape)
        return F.one_hot(classes, self._categorical._num_events).to(self.probs.dtype)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of a vector."""
        self._validate_sample(value)
        return self._categorical.log_prob(F.argmax(value, -1))

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return self._categorical.entropy()
