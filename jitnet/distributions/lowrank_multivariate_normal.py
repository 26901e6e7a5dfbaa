"""LowRankMultivariateNormal: a covariance W @ W.mT + diag(D), of which only W and D are kept."""

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
from .multivariate_normal import distance, log_volume


class LowRankMultivariateNormal(Symmetric):
    """A mean `loc` [..., N], cov_factor W [..., N, R] and cov_diag D [..., N].

    Inverse and determinant are those of a matrix [R, R] (Woodbury's identity).
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    has_rsample = True
    support = constraints.real_vector

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1 or cov_factor.dim() < 2 or cov_diag.dim() < 1:
            raise ValueError(
                "LowRankMultivariateNormal wants loc [..., N], cov_factor [..., N, R] and "
                f"cov_diag [..., N], got {loc.shape}, {cov_factor.shape} and {cov_diag.shape}"
            )
        size, rank = cov_factor.shape[-2:]
        if loc.shape[-1] != size or cov_diag.shape[-1] != size:
            raise ValueError(f"loc and cov_diag must have {size} elements, as cov_factor has rows")
        batch = broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self.loc = loc.expand(*batch, size)
        self.cov_factor = cov_factor.expand(*batch, size, rank)
        self.cov_diag = cov_diag.expand(*batch, size)
        super().__init__(batch, (size,), validate_args)
        self._scaled = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)  # W^T / D
        inner = self._scaled @ self.cov_factor + creation.eye(
            rank, dtype=loc.dtype, device=loc.device
        )
        self._lower = F.cholesky(inner)

    @property
    def variance(self) -> Tensor:
        """The covariance's diagonal."""
        return (self.cov_factor * self.cov_factor).sum(-1) + self.cov_diag  # type: ignore[no-any-return]

    @property
    def covariance_matrix(self) -> Tensor:
        """W @ W.mT + diag(D)."""
        return self.cov_factor @ self.cov_factor.mT + F.diag_embed(self.cov_diag)  # type: ignore[no-any-return]

    @property
    def scale_tril(self) -> Tensor:
        """The covariance's lower triangular factor."""
        return F.cholesky(self.covariance_matrix)

    @property
    def precision_matrix(self) -> Tensor:
        """The covariance's inverse."""
        part = F.solve_triangular(self._lower, self._scaled, upper=False)
        return F.diag_embed(1 / self.cov_diag) - part.mT @ part

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return loc + W @ (normal numbers) + sqrt(D) * (others)."""
        shape = self._extended_shape(sample_shape)
        drawn = creation.randn(
            (*shape[:-1], self.cov_factor.shape[-1]), dtype=self.loc.dtype, device=self.loc.device
        )
        alone = creation.randn(shape, dtype=self.loc.dtype, device=self.loc.device) * F.sqrt(
            self.cov_diag
        )
        return self.loc + (self.cov_factor @ drawn.unsqueeze(-1)).squeeze(-1) + alone  # type: ignore[no-any-return]

    def _log_volume(self) -> Tensor:
        """Return half of the logarithm of the covariance's determinant."""
        return log_volume(self._lower) + 0.5 * F.log(self.cov_diag).sum(-1)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        away = value - self.loc
        seen = (self._scaled @ away.unsqueeze(-1)).squeeze(-1)
        length = (away * away / self.cov_diag).sum(-1) - distance(self._lower, seen)
        constant = self.loc.shape[-1] * math.log(2 * math.pi)
        return -0.5 * (constant + length) - self._log_volume()  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        return 0.5 * self.loc.shape[-1] * (1 + math.log(2 * math.pi)) + self._log_volume()
