"""Running values along a dim: sums, products, extremes, logarithms of sums."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType, bool_, int64

from .. import creation
from ..limits import iinfo
from ..tensor import Tensor
from .arithmetic import ge, le, logical_and, logical_or
from .choice import logaddexp, where
from .indexing import gather
from .joining import span
from .out import with_out
from .precision import rounded_once
from .promote import need_inexact, normal_dim, to_dtype
from .unary import clone, isnan, logical_not

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp"]

cummax_result = namedtuple("cummax_result", ["values", "indices"])
cummin_result = namedtuple("cummin_result", ["values", "indices"])
Parts = tuple[Tensor, ...]


def _scan(
    parts: Parts, dim: int, combine: Callable[[Parts, Parts], Parts], starts: Sequence[Any]
) -> Parts:
    """Return running values along dim, in log2(n) steps of shifting and combining.

    combine: from the values of one stretch, and of the one before it, to those of both.
    starts: what stands before the first element of each part.
    """
    rank = parts[0].ndim
    axis = normal_dim(dim, rank)
    count, step, total = parts[0]._type.shape[axis] if rank else 1, 1, parts
    while step < count:
        low = tuple(step * (i == axis) for i in range(rank))
        before = [
            ops.pad(span(part, axis, 0, count - step), low=low, high=(0,) * rank, value=start)
            for part, start in zip(total, starts, strict=True)
        ]
        total = combine(total, tuple(before))
        step *= 2
    return tuple(map(clone, total)) if total is parts else total


# -- sums and products --------------------------------------------------------------------------


def _summable(x: Tensor, dtype: DType | None) -> Tensor:
    if dtype is None and not x._type.dtype.is_inexact:
        dtype = int64
    return x if dtype is None else to_dtype(x, dtype)


@with_out
@rounded_once
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Return running sums along dim."""
    x = _summable(input, dtype)
    return _scan((x,), dim, lambda a, b: (ops.add(a[0], b[0]),), (0,))[0]


@with_out
@rounded_once
def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Return running products along dim."""
    x = _summable(input, dtype)
    return _scan((x,), dim, lambda a, b: (ops.mul(a[0], b[0]),), (1,))[0]


@with_out
@rounded_once
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Return log(cumsum(exp(input))) along dim, without overflow."""
    need_inexact("logcumsumexp", input)
    return _scan((input,), dim, lambda a, b: (logaddexp(a[0], b[0]),), (-float("inf"),))[0]


# -- extremes -----------------------------------------------------------------------------------


def _extreme(x: Tensor, dim: int, wins: Callable[[Any, Any], Tensor], lowest: Any) -> Parts:
    """Return running extremes and where they stand: the last of equal ones, the first NaN."""
    axis = normal_dim(dim, x.ndim)
    places = (
        creation.counting(x._type.shape, axis)
        if x.ndim
        else creation.zeros((), dtype=int64, device=x.device)
    )

    def choose(now: Parts, before: Parts) -> Parts:
        later = logical_or(wins(now[0], before[0]), isnan(now[0]))
        taken = logical_and(later, logical_not(isnan(before[0])))
        return tuple(where(taken, a, b) for a, b in zip(now, before, strict=True))

    values, indices = _scan((x.detach(), places), dim, choose, (lowest, 0))
    if x.requires_grad and x.ndim:
        values = gather(x, axis, indices)  # the chosen elements get the gradient
    return (values if x.ndim else clone(x)), indices


def _limits(dtype: DType) -> tuple[Any, Any]:
    if dtype.kind == "float":
        return -float("inf"), float("inf")
    return (False, True) if dtype is bool_ else (iinfo(dtype).min, iinfo(dtype).max)


@with_out
def cummax(input: Tensor, dim: int) -> Any:
    """Return (values, indices) of the largest elements so far along dim."""
    return cummax_result(*_extreme(input, dim, ge, _limits(input._type.dtype)[0]))


@with_out
def cummin(input: Tensor, dim: int) -> Any:
    """Return (values, indices) of the smallest elements so far along dim."""
    return cummin_result(*_extreme(input, dim, le, _limits(input._type.dtype)[1]))
