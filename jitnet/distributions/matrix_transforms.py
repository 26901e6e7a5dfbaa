"""Transforms of several numbers at once: shapes, parts, factors of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet import creation
from jitnet import functional as F
from jitnet.compiler.ir.dims import numel
from jitnet.tensor import Tensor

from . import constraints
from .basic_transforms import Transform
from .constraints import Constraint
from .distribution import Distribution
from .independent import summed


class IndependentTransform(Transform):
    """A transform of which trailing dims more belong to one event."""

    def __init__(
        self,
        base_transform: Transform,
        reinterpreted_batch_ndims: int,
        cache_size: int = 0,
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform
        self.reinterpreted_batch_ndims = count = reinterpreted_batch_ndims
        self.event_dim = base_transform.event_dim + count
        self.bijective, self.sign = base_transform.bijective, base_transform.sign
        self.domain = constraints.independent(base_transform.domain, count)
        self.codomain = constraints.independent(base_transform.codomain, count)

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform._inverse(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        found = self.base_transform.log_abs_det_jacobian(x, y)
        return summed(found, self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self.base_transform.forward_shape(shape)


class ReshapeTransform(Transform):
    """Events of another shape, of as many elements."""

    def __init__(
        self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        if numel(self.in_shape) != numel(self.out_shape):
            raise ValueError(
                f"{self.in_shape} and {self.out_shape} have different numbers of elements"
            )
        self.event_dim = max(len(self.in_shape), len(self.out_shape))
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Tensor) -> Tensor:
        batch = x.shape[: x.dim() - len(self.in_shape)]
        return x.reshape(*batch, *self.out_shape)  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor) -> Tensor:
        batch = y.shape[: y.dim() - len(self.out_shape)]
        return y.reshape(*batch, *self.in_shape)  # type: ignore[no-any-return]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])  # type: ignore[no-any-return]

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[: len(shape) - len(self.in_shape)], *self.out_shape)


class _Parts(Transform):
    """A transform for each part of a tensor."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.bijective = all(part.bijective for part in self.transforms)
        self.event_dim = max(part.event_dim for part in self.transforms)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError

    def _call(self, x: Tensor) -> Tensor:
        pairs = zip(self.transforms, self._split(x), strict=True)
        return self._join([transform(part) for transform, part in pairs])

    def _inverse(self, y: Tensor) -> Tensor:
        pairs = zip(self.transforms, self._split(y), strict=True)
        return self._join([transform._inverse(part) for transform, part in pairs])

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        found = []
        parts = zip(self.transforms, self._split(x), self._split(y), strict=True)
        for transform, before, after in parts:
            one = transform.log_abs_det_jacobian(before, after)
            found.append(summed(one, self.event_dim - transform.event_dim))
        return self._join(found)


class CatTransform(_Parts):
    """Transforms of parts of lengths, one after another along dim."""

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        self.domain: Constraint = constraints.cat([t.domain for t in tseq], dim, self.lengths)
        self.codomain: Constraint = constraints.cat([t.codomain for t in tseq], dim, self.lengths)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        return x.split(self.lengths, self.dim)

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        return F.cat(list(parts), self.dim)


class StackTransform(_Parts):
    """A transform for each place along dim."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        self.domain: Constraint = constraints.stack([t.domain for t in tseq], dim)
        self.codomain: Constraint = constraints.stack([t.codomain for t in tseq], dim)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        return x.unbind(self.dim)

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        return F.stack(list(parts), self.dim)


class CumulativeDistributionTransform(Transform):
    """The cdf of a distribution: its samples become even numbers of 0 .. 1."""

    codomain = constraints.unit_interval
    sign = 1

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """What the distribution gives."""
        return self.distribution.support

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)


# -- factors of matrices ------------------------------------------------------------------------


class LowerCholeskyTransform(Transform):
    """Any matrix to a lower triangular one with a positive diagonal."""

    event_dim = 2
    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + F.diag_embed(F.exp(F.diagonal(x, 0, -2, -1)))  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + F.diag_embed(F.log(F.diagonal(y, 0, -2, -1)))  # type: ignore[no-any-return]


class PositiveDefiniteTransform(Transform):
    """Any matrix to a positive definite one: the product of LowerCholeskyTransform's factor."""

    event_dim = 2
    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform()._inverse(F.cholesky(y))


class CorrCholeskyTransform(Transform):
    """D (D - 1) / 2 numbers to the lower factor [D, D] of a correlation matrix.

    Row by row below the diagonal, tanh of each number is a share of what is left of length 1.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    event_dim = 1

    def _call(self, x: Tensor) -> Tensor:
        eps = 2.0**-52 if x.dtype.size == 8 else 2.0**-23
        share = _from_rows(F.clamp(F.tanh(x), -1 + eps, 1 - eps))
        left = F.cumprod(F.sqrt(1 - share * share), -1)
        whole = share + creation.eye(share.shape[-1], dtype=x.dtype, device=x.device)
        return whole * F.pad(left[..., :-1], (1, 0), value=1.0)

    def _inverse(self, y: Tensor) -> Tensor:
        left = 1 - F.cumsum(y * y, -1)
        before = F.pad(left[..., :-1], (1, 0), value=1.0)
        share = _to_rows(y, -1) / F.sqrt(_to_rows(before, -1))
        return (F.log1p(share) - F.log1p(-share)) / 2

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        left = _to_rows(1 - F.cumsum(y * y, -1), -2)
        stretched = 0.5 * F.log(left).sum(-1)
        return stretched - 2 * (x + F.softplus(-2 * x) - math.log(2.0)).sum(-1)  # type: ignore[no-any-return]

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        count = shape[-1]
        size = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != count:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return (*shape[:-1], size, size)


def _below(size: int, shift: int) -> Any:
    """Return the places of a flattened matrix on and below a diagonal, row by row."""
    rows, columns = np.tril_indices(size, shift)
    return rows * size + columns


def _to_rows(matrix: Tensor, shift: int) -> Tensor:
    """Return the elements on and below a diagonal in one vector."""
    size = matrix.shape[-1]
    flat = matrix.reshape(*matrix.shape[:-2], size * size)
    return flat[..., creation.literal(_below(size, shift))]  # type: ignore[no-any-return]


def _from_rows(x: Tensor) -> Tensor:
    """Return the matrix of which a vector's elements are those below the diagonal."""
    size = CorrCholeskyTransform().forward_shape(x.shape)[-1]
    places = np.full(size * size, x.shape[-1], np.int64)
    places[_below(size, -1)] = np.arange(x.shape[-1])
    known = F.pad(x, (0, 1))[..., creation.literal(places)]
    return known.reshape(*x.shape[:-1], size, size)
