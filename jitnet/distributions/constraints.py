"""What values parameters and samples may have: real, positive, a simplex, a whole number ..."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jitnet import functional as F
from jitnet.functional.factors import eigvalsh
from jitnet.tensor import Tensor


class Constraint:
    """A region; `check` returns where values lie inside, after event_dim trailing dims."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Return a bool for each event of value."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}()"


class _Real(Constraint):
    def check(self, value: Tensor) -> Tensor:
        return value == value


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value == 0) | (value == 1)


class _Interval(Constraint):
    """Between two bounds, which belong to it unless `open`; whole numbers only if `whole`."""

    def __init__(
        self, low: float | Tensor, high: float | Tensor, open: bool = False, whole: bool = False
    ) -> None:
        self.lower_bound = low
        self.upper_bound = high
        self.open = open
        self.is_discrete = whole

    def check(self, value: Tensor) -> Tensor:
        if self.open:
            return (value > self.lower_bound) & (value < self.upper_bound)
        inside = (value >= self.lower_bound) & (value <= self.upper_bound)
        return inside & (value % 1 == 0) if self.is_discrete else inside

    def __repr__(self) -> str:
        kind = "IntegerInterval" if self.is_discrete else "Interval"
        return f"{kind}(lower_bound={self.lower_bound}, upper_bound={self.upper_bound})"


class _HalfOpen(_Interval):
    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class _Simplex(Constraint):
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _LowerCholesky(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        lower = (value.tril() == value).all(-1).all(-1)
        return lower & (F.diagonal(value, 0, -2, -1) > 0).all(-1)


class _PositiveDefinite(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        """Return whether it is symmetric; the factorisation finds the rest."""
        return F.isclose(value, value.mT, atol=1e-6).all(-1).all(-1)


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        found = value.new_full(value.shape[:-2], value.shape[-2] == value.shape[-1])
        return found.bool()  # type: ignore[no-any-return]


class _Symmetric(_Square):
    def check(self, value: Tensor) -> Tensor:
        if value.shape[-2] != value.shape[-1]:
            return super().check(value)
        return F.isclose(value, value.mT, atol=1e-6).all(-1).all(-1)


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        if value.shape[-2] != value.shape[-1]:
            return super().check(value)
        return super().check(value) & (eigvalsh(value) >= -1e-6).all(-1)


class _LowerTriangular(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        return (value.tril() == value).all(-1).all(-1)


class _CorrelationCholesky(_LowerCholesky):
    """Lower factors of correlation matrices: rows of length 1."""

    def check(self, value: Tensor) -> Tensor:
        eps = 2.0**-52 if value.dtype.size == 8 else 2.0**-23
        lengths = F.sqrt((value * value).sum(-1))
        return ((lengths - 1).abs() <= eps * value.shape[-1] * 10).all(-1) & super().check(value)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _Dependent(Constraint):
    """A region that other parameters decide, or a property that returns one."""

    def __init__(self, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        self.is_discrete = is_discrete
        self.event_dim = event_dim

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> _Dependent:
        """Return one that says more of itself."""
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Tensor) -> Tensor:
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Any) -> bool:
    """Return whether other parameters decide what a constraint allows."""
    return isinstance(constraint, _Dependent | dependent_property)


class dependent_property(property):  # noqa: N801
    """A property whose value is the constraint; what is known of it beforehand may be said."""

    def __init__(
        self,
        fget: Callable[[Any], Any] | None = None,
        *,
        is_discrete: bool = False,
        event_dim: int = 0,
    ) -> None:
        super().__init__(fget)
        self.is_discrete = is_discrete
        self.event_dim = event_dim

    def __call__(self, fget: Callable[[Any], Any]) -> dependent_property:
        """Decorate a method."""
        return dependent_property(fget, is_discrete=self.is_discrete, event_dim=self.event_dim)


class independent(Constraint):  # noqa: N801
    """A constraint on each of the trailing `count` dims, which together are one event."""

    def __init__(self, base: Constraint, count: int) -> None:
        self.base_constraint = base
        self.reinterpreted_batch_ndims = count
        self.is_discrete = base.is_discrete
        self.event_dim = base.event_dim + count

    def check(self, value: Tensor) -> Tensor:
        """Return whether all of each event's elements lie inside."""
        found = self.base_constraint.check(value)
        for _ in range(self.reinterpreted_batch_ndims):
            found = found.all(-1)
        return found


class cat(Constraint):  # noqa: N801
    """Constraints on parts of lengths, one after another along dim."""

    def __init__(
        self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None
    ) -> None:
        self.cseq = list(cseq)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        self.dim = dim
        self.is_discrete = any(part.is_discrete for part in self.cseq)
        self.event_dim = max(part.event_dim for part in self.cseq)

    def check(self, value: Tensor) -> Tensor:
        """Return where each part lies inside its own constraint."""
        parts = value.split(self.lengths, self.dim)
        found = [one.check(part) for one, part in zip(self.cseq, parts, strict=True)]
        return F.cat(found, self.dim)


class stack(Constraint):  # noqa: N801
    """A constraint for each place along dim."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        self.cseq = list(cseq)
        self.dim = dim
        self.is_discrete = any(part.is_discrete for part in self.cseq)
        self.event_dim = max(part.event_dim for part in self.cseq) + (dim < 0)

    def check(self, value: Tensor) -> Tensor:
        """Return where each part lies inside its own constraint."""
        parts = value.unbind(self.dim)
        found = [one.check(part) for one, part in zip(self.cseq, parts, strict=True)]
        return F.stack(found, self.dim)


dependent = _Dependent()
real = _Real()
boolean = _Boolean()
positive = _Interval(0.0, math.inf, open=True)
nonnegative = _Interval(0.0, math.inf)
unit_interval = _Interval(0.0, 1.0)
positive_integer = _Interval(1, math.inf, whole=True)
nonnegative_integer = _Interval(0, math.inf, whole=True)
simplex = _Simplex()
real_vector = independent(real, 1)
lower_cholesky = _LowerCholesky()
positive_definite = _PositiveDefinite()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
lower_triangular = _LowerTriangular()
corr_cholesky = _CorrelationCholesky()
one_hot = _OneHot()


def interval(low: float | Tensor, high: float | Tensor) -> Constraint:
    """Return the region between two bounds."""
    return _Interval(low, high)


def half_open_interval(low: float | Tensor, high: float | Tensor) -> Constraint:
    """Return the region between two bounds, of which the upper one is outside."""
    return _HalfOpen(low, high)


def integer_interval(low: int, high: int | Tensor) -> Constraint:
    """Return the whole numbers from low to high."""
    return _Interval(low, high, whole=True)


def greater_than(low: float | Tensor) -> Constraint:
    """Return the numbers above a bound."""
    return _Interval(low, math.inf, open=True)


def greater_than_eq(low: float | Tensor) -> Constraint:
    """Return the numbers from a bound on."""
    return _Interval(low, math.inf)


def less_than(high: float | Tensor) -> Constraint:
    """Return the numbers below a bound."""
    return _Interval(-math.inf, high, open=True)


class multinomial(Constraint):  # noqa: N801
    """Whole numbers from 0 on, of upper_bound in all."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: int) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Tensor) -> Tensor:
        """Return whether counts are whole, and how many there are."""
        whole = (value >= 0) & (value % 1 == 0)
        return whole.all(-1) & (value.sum(-1) <= self.upper_bound)
