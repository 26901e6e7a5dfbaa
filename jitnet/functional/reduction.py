"""Functions that combine the elements along dims: sum, mean, max, norm and their kin."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dtype import DType, bool_, int64, uint8

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .arithmetic import div, eq, maximum, minimum, mul, sub, truth
from .choice import where
from .out import with_exact_out, with_out
from .precision import autocast_widens, rounded_once
from .promote import as_tensor_like, need_inexact, normal_dim, normal_dims, to_dtype, to_float
from .unary import abs as absolute
from .unary import clone, exp, log, sqrt

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "logsumexp",
    "max", "mean", "min", "nansum", "norm", "prod", "std", "std_mean", "sum", "var", "var_mean",
]  # fmt: skip

Dims = int | Sequence[int] | None

max_result = namedtuple("max_result", ["values", "indices"])
min_result = namedtuple("min_result", ["values", "indices"])


def kept(result: Tensor, shape: Sequence[int], axes: Sequence[int], keepdim: bool) -> Tensor:
    """Return a reduced result, with size-1 dims where they are to be kept."""
    if not keepdim or not axes:
        return result
    sizes = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return ops.reshape(result, shape=sizes)


def _reduce(op: Op, x: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    shape = x._type.shape
    axes = normal_dims(dim, len(shape))
    if not axes:
        return clone(x)
    return kept(op(x, axes=axes), shape, axes, keepdim)


def _every_dim(dim: Dims) -> Dims:
    """Return None (all dims) for an empty list of dims, as PyTorch reads it."""
    return None if isinstance(dim, tuple | list) and not dim else dim


@with_out
def sum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return the sum along dims; whole numbers and bools add up as int64."""
    if dtype is None and not input._type.dtype.is_inexact:
        dtype = int64
    x = input if dtype is None else to_dtype(input, dtype)
    return _reduce(ops.any if dtype is bool_ else ops.sum, x, _every_dim(dim), keepdim)


@with_out
@rounded_once
def nansum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return the sum of the elements that are not NaN."""
    x = input if input._type.dtype.kind != "float" else where(ops.isnan(input), 0, input)
    return sum(x, dim, keepdim, dtype=dtype)


def _count(x: Tensor, dim: Dims) -> int:
    """Return how many elements one result combines."""
    shape = x._type.shape
    return numel(shape[axis] for axis in normal_dims(dim, len(shape)))


@with_out
@rounded_once
def mean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return the mean along dims."""
    x = input if dtype is None else to_dtype(input, dtype)
    need_inexact("mean", x)
    dim = _every_dim(dim)
    count = _count(x, dim)
    total = _reduce(ops.sum, x, dim, keepdim)
    return div(total, count) if count else mul(total, math.nan)


@with_out
@autocast_widens
def prod(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return the product; whole numbers and bools multiply as int64."""
    if dtype is None and not input._type.dtype.is_inexact:
        dtype = int64
    x = input if dtype is None else to_dtype(input, dtype)
    return _reduce(_on(x, ops.prod, ops.all), x, dim, keepdim)


def _squared_size(x: Tensor) -> Tensor:
    """Return |x|^2, which is real."""
    return ops.real(mul(x, ops.conj(x))) if x._type.dtype.is_complex else mul(x, x)


@with_out
@rounded_once
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Return the variance along dims, divided by (count - correction)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    need_inexact("var", input)
    dim = _every_dim(dim)
    if correction is None:
        correction = 1 if unbiased else 0
    away = sub(input, mean(input, dim, keepdim=True))
    total = _reduce(ops.sum, _squared_size(away), dim, keepdim)
    rest = _count(input, dim) - correction
    return div(total, rest) if rest > 0 else mul(total, math.nan)


@with_out
@rounded_once
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Return the square root of the variance."""
    return _safe_root(var(input, dim, unbiased, keepdim, correction=correction))


@rounded_once
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean."""
    variance = var(input, dim, unbiased, keepdim, correction=correction)
    return variance, mean(input, None if isinstance(dim, bool) else dim, keepdim)


@rounded_once
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the standard deviation and the mean."""
    variance, middle = var_mean(input, dim, unbiased, keepdim, correction=correction)
    return _safe_root(variance), middle


# -- extremes -----------------------------------------------------------------------------------


@with_out
def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Return the largest elements along dims; ties share the gradient."""
    return _reduce(_on(input, ops.max, ops.any), input, _every_dim(dim), keepdim)


@with_out
def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Return the smallest elements along dims; ties share the gradient."""
    return _reduce(_on(input, ops.min, ops.all), input, _every_dim(dim), keepdim)


def _on(x: Tensor, op: Op, on_bools: Op) -> Op:
    return on_bools if x._type.dtype is bool_ else op


@with_exact_out
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> tuple[Any, ...]:
    """Return the smallest and the largest elements."""
    return amin(input, dim, keepdim), amax(input, dim, keepdim)


def _with_index(
    x: Tensor,
    dim: int,
    keepdim: bool,
    arg: Callable[..., Tensor],
    extreme: Callable[..., Tensor],
    result: Any,
) -> Any:
    """Return (values, indices) of the extremes along dim; the chosen element gets the gradient."""
    indices = arg(x, dim, keepdim=True)
    if x.requires_grad:
        values = (
            x.unsqueeze(0).gather(dim, indices.unsqueeze(0))
            if x.ndim == 0
            else (x.gather(dim, indices))
        )
    else:
        values = extreme(x, dim, keepdim=True)
    if x.ndim == 0:
        return result(x.clone(), indices)
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return result(values, indices)


@with_out
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the largest element; with dim, (values, indices); with a tensor, elementwise."""
    if isinstance(dim, Tensor):
        return maximum(as_tensor_like(input, "max"), dim)
    x = as_tensor_like(input, "max")
    if dim is None or isinstance(dim, tuple):
        return amax(x, dim or (), keepdim)
    return _with_index(x, dim, keepdim, argmax, amax, max_result)


@with_out
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the smallest element; with dim, (values, indices); with a tensor, elementwise."""
    if isinstance(dim, Tensor):
        return minimum(as_tensor_like(input, "min"), dim)
    x = as_tensor_like(input, "min")
    if dim is None or isinstance(dim, tuple):
        return amin(x, dim or (), keepdim)
    return _with_index(x, dim, keepdim, argmin, amin, min_result)


def _arg(op: Op, x: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    shape = x._type.shape
    if not shape:
        return creation.zeros((), dtype=int64, device=x.device)
    if dim is None:
        index = op(ops.reshape(x, shape=(x._type.numel,)), axis=0)
        return kept(index, shape, range(len(shape)), keepdim)
    axis = normal_dim(dim, len(shape))
    return kept(op(x, axis=axis), shape, (axis,), keepdim)


@with_out
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return where the largest element is; the first of equal ones."""
    return _arg(ops.argmax, input, dim, keepdim)


@with_out
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return where the smallest element is; the first of equal ones."""
    return _arg(ops.argmin, input, dim, keepdim)


@with_out
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Return whether some element is not 0."""
    found = _reduce(ops.any, truth(input), _every_dim(dim), keepdim)  # type: ignore[arg-type]
    return to_dtype(found, uint8) if input._type.dtype is uint8 else found  # as PyTorch


@with_out
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Return whether no element is 0."""
    found = _reduce(ops.all, truth(input), _every_dim(dim), keepdim)  # type: ignore[arg-type]
    return to_dtype(found, uint8) if input._type.dtype is uint8 else found  # as PyTorch


def count_nonzero(input: Tensor, dim: Dims = None, *, keepdim: bool = False) -> Tensor:
    """Return the number of elements that are not 0."""
    return sum(truth(input), dim, keepdim)  # type: ignore[arg-type]


# -- exponential sums, norms --------------------------------------------------------------------


@with_out
@rounded_once
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """Return log(sum(exp(input))) along dims, without overflow."""
    x = to_float(input)
    axes = normal_dims(dim, x.ndim)
    if not x.ndim:
        if x._type.dtype.is_complex:  # whose imaginary part comes back between -pi and pi
            return logsumexp(x.reshape(1), 0).reshape(())  # type: ignore[no-any-return]
        return clone(x)
    if 0 in [x._type.shape[axis] for axis in axes] or not axes:
        return log(sum(exp(x), dim, keepdim))
    top = amax((ops.real(x) if x._type.dtype.is_complex else x).detach(), dim, keepdim=True)
    top = where(ops.isfinite(top), top, 0.0)
    total = log(sum(exp(sub(x, top)), dim, keepdim=True)) + top
    return total if keepdim else total.reshape(_dropped(x._type.shape, axes))  # type: ignore[no-any-return]


def _dropped(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


@with_out
@rounded_once
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return the p-norm of the elements along dims: "fro" or 2, 1, inf, -inf, 0 or any p.

    "nuc" is the sum of the singular values of matrices.
    """
    x = input if dtype is None else to_dtype(input, dtype)
    need_inexact("norm", x)
    if p == "nuc":
        from .spectral import matrix_norm

        return matrix_norm(x, "nuc", (-2, -1) if dim is None else dim, keepdim)  # type: ignore[no-any-return]
    dim = _every_dim(dim)
    if p in ("fro", None, 2):
        return _safe_root(sum(_squared_size(x), dim, keepdim))
    if p == math.inf:
        return amax(absolute(x), () if dim is None else dim, keepdim)
    if p == -math.inf:
        return amin(absolute(x), () if dim is None else dim, keepdim)
    if p == 0:
        sizes = absolute(x)
        return sum(where(eq(sizes, 0), sizes, 1.0), dim, keepdim)  # with a gradient, of zeros
    if p == 1:
        return sum(absolute(x), dim, keepdim)
    if isinstance(p, str):
        raise RuntimeError(at_line(f"norm knows 'fro', 'nuc' and numbers, got p={p!r}"))
    return _safe_root(_safe_power(absolute(x), p).sum(dim, keepdim), p)


def _safe_power(sizes: Tensor, degree: float) -> Tensor:
    """Return sizes ** degree, with gradient 0 at 0, where degrees below 1 have none."""
    if degree >= 1 or not sizes.requires_grad:
        return sizes**degree  # type: ignore[no-any-return]
    zero = eq(sizes, 0)
    return where(zero, 0.0 if degree > 0 else math.inf, where(zero, 1.0, sizes) ** degree)  # type: ignore[no-any-return]


def _safe_root(total: Tensor, degree: float = 2) -> Tensor:
    """Return total ** (1 / degree), with gradient 0 at 0 as PyTorch's norm and std have."""
    if not total.requires_grad:
        return _root(total, degree)
    zero = eq(total, 0)
    return where(zero, 0.0, _root(where(zero, 1.0, total), degree))  # type: ignore[no-any-return]


def _root(total: Tensor, degree: float) -> Tensor:
    return sqrt(total) if degree == 2 else total ** (1.0 / degree)  # type: ignore[no-any-return]


@with_out
@rounded_once
def vector_norm(
    x: Tensor, ord: Any = 2, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Return the norm of the elements as one vector: jitnet.linalg.vector_norm."""
    return norm(x, ord, dim, keepdim, dtype=dtype)
