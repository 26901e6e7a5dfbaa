"""MultivariateNormal: vectors of normal numbers that vary together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.functional.promote import broadcast_shapes
from jitnet.tensor import Tensor

from . import constraints
from .distribution import Symmetric


def distance(scale_tril: Tensor, away: Tensor) -> Tensor:
    """Return the squared length of away [..., N] measured by L [..., N, N]: |L^-1 away|^2."""
    shape = broadcast_shapes(scale_tril.shape[:-1], away.shape)
    size = shape[-1]
    lower = scale_tril.expand(*shape[:-1], size, size)
    solved = F.solve_triangular(lower, away.expand(shape).unsqueeze(-1), upper=False)
    return (solved * solved).sum((-2, -1))  # type: ignore[no-any-return]


def log_volume(scale_tril: Tensor) -> Tensor:
    """Return the sum of the logarithms of L's diagonal."""
    return F.log(F.diagonal(scale_tril, 0, -2, -1)).sum(-1)  # type: ignore[no-any-return]


class MultivariateNormal(Symmetric):
    """A mean vector `loc`, and one of: covariance_matrix, precision_matrix, scale_tril.

    scale_tril is the lower triangular L with L @ L.mT = covariance_matrix.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    has_rsample = True
    support = constraints.real_vector

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [(name, matrix) for name, matrix in matrices.items() if matrix is not None]
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        name, matrix = given[0]
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with shape [..., N, N]")
        size = loc.shape[-1]
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand(*batch, size)
        self.__dict__[name] = matrix.expand(*batch, size, size)
        super().__init__(batch, (size,), validate_args)
        self._lower = self._factor(name)

    def _factor(self, name: str) -> Tensor:
        """Return the L of L @ L.mT = the covariance."""
        matrix: Tensor = self.__dict__[name]
        if name == "scale_tril":
            return matrix
        if name == "covariance_matrix":
            return F.cholesky(matrix)
        # With J the exchange of rows: P = L L^T reversed gives the inverse's factor as U^-1.
        flipped = F.flip(F.cholesky(F.flip(matrix, (-2, -1))), (-2, -1)).mT
        identity = creation.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand(
            matrix.shape
        )
        return F.solve_triangular(flipped, identity, upper=False)

    def __getattr__(self, name: str) -> Tensor:
        # The matrices that were not given.
        lower = self.__dict__.get("_lower")
        if lower is None or name not in self.arg_constraints:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name == "scale_tril":
            return lower  # type: ignore[no-any-return]
        if name == "covariance_matrix":
            return lower @ lower.mT  # type: ignore[no-any-return]
        identity = creation.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device).expand(
            lower.shape
        )
        inverse = F.solve_triangular(lower, identity, upper=False)
        return inverse.mT @ inverse  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The covariance's diagonal."""
        return (self._lower * self._lower).sum(-1)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return loc + L @ (standard normal numbers)."""
        drawn = creation.randn(
            self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device
        )
        return self.loc + (self._lower @ drawn.unsqueeze(-1)).squeeze(-1)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        constant = self.loc.shape[-1] * math.log(2 * math.pi)
        away = distance(self._lower, value - self.loc)
        return -0.5 * (constant + away) - log_volume(self._lower)

    def entropy(self) -> Tensor:
        """Return the entropy."""
        size = self.loc.shape[-1]
        return 0.5 * size * (1 + math.log(2 * math.pi)) + log_volume(self._lower)
