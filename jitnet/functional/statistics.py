"""Statistics of rows and columns: covariances, distances, norms kept small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jitnet.runtime.dtype import DType

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .arithmetic import div, mul, sub
from .choice import clamp, where
from .complex_numbers import complex, conj, real
from .out import with_out
from .precision import rounded_once
from .promote import normal_dim, to_float
from .reduction import Dims, _every_dim, nansum, norm
from .reduction import sum as total
from .unary import isnan, logical_not, sqrt

__all__ = ["corrcoef", "cov", "dist", "nanmean", "renorm", "sum_to_size"]


@with_out
@rounded_once
def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Return the mean of the elements that are not NaN."""
    if (dtype or input._type.dtype).kind != "float":
        raise RuntimeError(at_line(f"nanmean wants floating point, got {input._type}"))
    count = total(logical_not(isnan(input)), _every_dim(dim), keepdim)
    return div(nansum(input, _every_dim(dim), keepdim, dtype=dtype), count)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Return sums over the dims that broadcasting from this size to input's would repeat."""
    wanted = tuple(size[0]) if len(size) == 1 and isinstance(size[0], Sequence) else size
    own = input._type.shape
    extra = len(own) - len(wanted)
    fits = extra >= 0 and all(
        want in (1, have) for want, have in zip(wanted, own[extra:], strict=True)
    )
    if not fits:
        raise ShapeError(at_line(f"size {list(wanted)} does not broadcast to {input._type}"))
    axes = [axis for axis, have in enumerate(own) if axis < extra or wanted[axis - extra] != have]
    if not wanted:
        return total(input)  # of a scalar, too: whole numbers become int64
    return total(input, axes).reshape(wanted) if axes else input  # type: ignore[no-any-return]


# -- covariances --------------------------------------------------------------------------------


def _weights(weights: Tensor | None, count: int, kinds: tuple[str, ...], name: str) -> None:
    if weights is None:
        return
    if weights.ndim > 1 or weights._type.numel != count or weights._type.dtype.kind not in kinds:
        listed = "whole numbers" if "int" in kinds else "floats"
        raise RuntimeError(at_line(f"cov wants {count} {listed} as {name}, got {weights._type}"))
    if not creation.unread(weights) and bool((weights < 0).any()):
        raise RuntimeError(at_line(f"cov wants {name} >= 0"))


@rounded_once
def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Return the covariances of variables, one a row; weights: how often a column counts."""
    if input.ndim > 2:
        raise ShapeError(at_line(f"cov wants at most 2 dims, got {input._type}"))
    rows = to_float(input).reshape((1, -1) if input.ndim < 2 else input._type.shape)
    count = rows._type.shape[1]
    _weights(fweights, count, ("int", "uint"), "fweights")
    _weights(aweights, count, ("float",), "aweights")
    weights = None
    for part in (fweights, aweights):
        if part is not None:
            weights = part if weights is None else mul(weights, part)
    whole: Any = count if weights is None else total(weights)
    sums = total(rows if weights is None else mul(rows, weights), 1, True)
    away = sub(rows, div(sums, whole))
    spread = whole - correction
    if weights is not None and aweights is not None and correction:
        spread = whole - correction * div(total(mul(weights, aweights)), whole)
    heavy = away if weights is None else mul(away, weights)
    spread = clamp(spread, min=0) if isinstance(spread, Tensor) else max(spread, 0)
    found = div(heavy.matmul(conj(away.t())), spread)
    return found.reshape(()) if found._type.numel == 1 else found


@rounded_once
def corrcoef(input: Tensor) -> Tensor:
    """Return the correlations of variables, one a row."""
    found = cov(input)
    if not found.ndim:
        return div(found, found)
    sizes = sqrt(real(found.diagonal()))
    scaled = div(div(found, sizes.unsqueeze(1)), sizes.unsqueeze(0))
    if not scaled.is_complex():
        return clamp(scaled, -1, 1)
    return complex(clamp(scaled.real, -1, 1), clamp(scaled.imag, -1, 1))  # type: ignore[no-any-return]


# -- norms --------------------------------------------------------------------------------------


@with_out
@rounded_once
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the p-norm of input - other."""
    return norm(sub(input, other), p)


@with_out
@rounded_once
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Return input with each part along dim scaled down to a p-norm of at most maxnorm."""
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(at_line(f"renorm wants p > 0 and maxnorm >= 0, got {p} and {maxnorm}"))
    if input.ndim < 2:
        raise RuntimeError(at_line(f"renorm wants at least 2 dims, got {input._type}"))
    axis = normal_dim(dim, input.ndim)
    others = [other for other in range(input.ndim) if other != axis]
    sizes = norm(input, p, others, True)
    small = sizes <= maxnorm
    scale = where(small, 1.0, div(maxnorm, where(small, math.inf, sizes) + 1e-7))
    return mul(input, where(small, 1.0, scale))
