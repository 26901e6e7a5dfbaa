"""Transforms from real numbers to what a constraint allows: biject_to and transform_to.

`biject_to(constraint)` is a bijection, for Hamiltonian samplers; `transform_to(constraint)` may be
cheaper, for optimizers. Both know their own constraints, and those that users register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import constraints
from .basic_transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    SigmoidTransform,
    SoftmaxTransform,
    StickBreakingTransform,
    Transform,
    identity_transform,
)
from .constraints import Constraint
from .matrix_transforms import (
    CatTransform,
    CorrCholeskyTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    StackTransform,
)

Factory = Callable[[Any], Transform]
_MATRICES: dict[Constraint, Callable[[], Transform]] = {
    constraints.lower_cholesky: LowerCholeskyTransform,
    constraints.positive_definite: PositiveDefiniteTransform,
    constraints.positive_semidefinite: PositiveDefiniteTransform,
    constraints.corr_cholesky: CorrCholeskyTransform,
}


class ConstraintRegistry:
    """Which transform leads to each constraint; simplex says which one to shares."""

    def __init__(self, simplex: Callable[[], Transform]) -> None:
        self._simplex = simplex
        self._registered: dict[type, Factory] = {}

    def register(self, constraint: Constraint | type, factory: Factory | None = None) -> Any:
        """Make a factory, called with a constraint, that of a class of constraints."""
        if factory is None:
            return lambda later: self.register(constraint, later)
        kind = constraint if isinstance(constraint, type) else type(constraint)
        if not issubclass(kind, Constraint):
            raise TypeError(f"register wants a constraint or its class, got {constraint!r}")
        self._registered[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        """Return the transform that leads to a constraint."""
        if type(constraint) in self._registered:
            return self._registered[type(constraint)](constraint)
        if constraint is constraints.real or constraint is constraints.real_vector:
            return identity_transform
        if constraint is constraints.simplex:
            return self._simplex()
        if constraint in _MATRICES:
            return _MATRICES[constraint]()
        if isinstance(constraint, constraints.independent):
            base = self(constraint.base_constraint)
            return IndependentTransform(base, constraint.reinterpreted_batch_ndims)
        if isinstance(constraint, constraints.cat):
            parts = [self(part) for part in constraint.cseq]
            return CatTransform(parts, constraint.dim, constraint.lengths)
        if isinstance(constraint, constraints.stack):
            return StackTransform([self(part) for part in constraint.cseq], constraint.dim)
        return _to_interval(constraint)


def _to_interval(constraint: Constraint) -> Transform:
    low = getattr(constraint, "lower_bound", None)
    high = getattr(constraint, "upper_bound", None)
    if low is None or high is None or constraint.is_discrete:
        raise NotImplementedError(f"there is no transform from real numbers to {constraint!r}")
    if isinstance(high, float) and high == float("inf"):
        above = [] if isinstance(low, float) and low == 0 else [AffineTransform(low, 1)]
        return ComposeTransform([ExpTransform(), *above]) if above else ExpTransform()
    if isinstance(low, float) and low == -float("inf"):
        return ComposeTransform([ExpTransform(), AffineTransform(high, -1)])
    if isinstance(low, float) and low == 0 and isinstance(high, float) and high == 1:
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


biject_to = ConstraintRegistry(StickBreakingTransform)
transform_to = ConstraintRegistry(SoftmaxTransform)
