"""Distributions of matrices: Wishart's of covariances, LKJCholesky's of factors of correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from jitnet import capture, creation
from jitnet import functional as F
from jitnet.functional.promote import broadcast_shapes
from jitnet.functional.solving import slogdet
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from . import constraints
from .beta import Beta
from .distribution import Distribution, tensors
from .gamma import Chi2
from .multivariate_normal import MultivariateNormal, log_volume


class Wishart(Distribution):
    """The sum of df outer products of normal vectors of one covariance, for df > N - 1.

    covariance_matrix, precision_matrix or scale_tril: as of MultivariateNormal.
    """

    arg_constraints: ClassVar = {
        "df": constraints.greater_than(0),
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    has_rsample = True
    support = constraints.positive_definite

    def __init__(
        self,
        df: Tensor | float,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1 or given[0].dim() < 2:
            raise ValueError(
                "Wishart wants exactly one of covariance_matrix, precision_matrix and scale_tril, "
                "of shape [..., N, N]"
            )
        size = given[0].shape[-1]
        freedom = creation.as_tensor(df, dtype=given[0].dtype, device=given[0].device)
        batch = broadcast_shapes(tuple(given[0].shape[:-2]), tuple(freedom.shape))
        middle = given[0].new_zeros((*batch, size))
        self._normal = MultivariateNormal(
            middle, covariance_matrix, precision_matrix, scale_tril, validate_args
        )
        self._lower = self._normal._lower
        self.df = freedom.expand(*batch)
        super().__init__(batch, (size, size), validate_args)
        if not self._validate_args or capture.current() is not None:
            return
        if (self.df.detach() <= size - 1).any().item():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {size - 1}.")

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the normal vectors."""
        return self._normal.covariance_matrix

    @property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        return self._normal.precision_matrix

    @property
    def scale_tril(self) -> Tensor:
        """Its lower triangular factor."""
        return self._lower

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Distribution:
        """Return this distribution with parameters expanded to a batch shape."""
        lower = self._lower.expand(*batch_shape, *self._event_shape)
        return Wishart(self.df.expand(*batch_shape), scale_tril=lower, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """df * covariance."""
        return self._each(self.df) * self.covariance_matrix  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        """(df - N - 1) * covariance; NaN where that is not positive."""
        factor = self.df - self._event_shape[0] - 1
        return self._each(F.where(factor <= 0, math.nan, factor)) * self.covariance_matrix  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """The variance of each element."""
        cov = self.covariance_matrix
        sizes = F.diagonal(cov, 0, -2, -1)
        both = sizes.unsqueeze(-1) * sizes.unsqueeze(-2)
        return self._each(self.df) * (cov * cov + both)  # type: ignore[no-any-return]

    @staticmethod
    def _each(value: Tensor) -> Tensor:
        return value.unsqueeze(-1).unsqueeze(-1)  # type: ignore[no-any-return]

    def _freedoms(self) -> Tensor:
        """Return df, df - 1, ... for the rows."""
        return self.df.unsqueeze(-1) - creation.arange(
            self._event_shape[0], dtype=self.df.dtype, device=self.df.device
        )

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return products of Bartlett's triangular factors."""
        rows = F.sqrt(Chi2(self._freedoms(), validate_args=False).rsample(sample_shape))
        drawn = creation.randn(
            self._extended_shape(sample_shape), dtype=self.df.dtype, device=self.df.device
        )
        factor = self._lower @ (F.diag_embed(rows) + drawn.tril(-1))
        return factor @ factor.mT  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        size = self._event_shape[0]
        volume = size * math.log(2) / 2 + log_volume(self._lower)
        lower = self._lower.expand(broadcast_shapes(value.shape, self._lower.shape))
        half = F.solve_triangular(lower, value.expand(lower.shape), upper=False)
        trace = F.diagonal(F.solve_triangular(lower.mT, half, upper=True), 0, -2, -1).sum(-1)
        sizes = (self.df - size - 1) / 2 * slogdet(value).logabsdet
        return sizes - trace / 2 - self.df * volume - F.mvlgamma(self.df / 2, size)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return the entropy."""
        size = self._event_shape[0]
        volume = size * math.log(2) / 2 + log_volume(self._lower)
        slopes = F.digamma(self._freedoms() / 2).sum(-1)
        return (  # type: ignore[no-any-return]
            (size + 1) * volume
            + F.mvlgamma(self.df / 2, size)
            - (self.df - size - 1) / 2 * slopes
            + self.df * size / 2
        )


class LKJCholesky(Distribution):
    """Lower factors of correlation matrices [dim, dim] (Lewandowski, Kurowicka and Joe, 2009).

    concentration 1: all correlations are as likely; above it, those near the identity are likelier.
    """

    arg_constraints: ClassVar = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(
        self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = tensors(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Distribution:
        """Return this distribution with its concentration expanded to a batch shape."""
        return LKJCholesky(self.dim, self.concentration.expand(*batch_shape), validate_args=False)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return factors, without gradients: each row a point on a sphere of a drawn radius."""
        with no_grad():
            made = {"dtype": self.concentration.dtype, "device": self.concentration.device}
            shape = self._extended_shape(sample_shape)
            places = F.clamp(creation.arange(self.dim, **made) - 1, min=0)
            above = (self.concentration + 0.5 * (self.dim - 2)).unsqueeze(-1) - 0.5 * places
            radius = Beta(places + 0.5, above, validate_args=False).sample(sample_shape)
            drawn = creation.randn(shape, **made).tril(-1)
            length = F.sqrt((drawn * drawn).sum(-1, keepdim=True))
            rows = F.sqrt(radius).unsqueeze(-1) * drawn / F.where(length == 0, 1.0, length)
            rest = F.clamp(1 - (rows * rows).sum(-1), min=1.1754943508222875e-38)
            return rows + F.diag_embed(F.sqrt(rest))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density."""
        self._validate_sample(value)
        a, rest = self.concentration, self.dim - 1
        order = creation.arange(2, 1 + self.dim, dtype=a.dtype, device=a.device)
        powers = 2 * (a - 1).unsqueeze(-1) + self.dim - order
        found = (powers * F.log(F.diagonal(value, 0, -2, -1)[..., 1:])).sum(-1)
        alpha = a + 0.5 * rest
        volume = 0.5 * rest * math.log(math.pi) + F.mvlgamma(alpha - 0.5, rest)
        return found - volume + F.lgamma(alpha) * rest  # type: ignore[no-any-return]
