"""Reductions and scans of the elements where a mask holds: torch.masked.

Elements outside of the mask are replaced by what changes no result (0 of a sum, minus infinity of
a maximum). A result of no elements is that value too, or NaN where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitnet.runtime.dtype import DType, bool_, float32, int64

from . import functional as F
from .absent import absent
from .errors import at_line
from .functional.promote import to_dtype, to_float
from .functional.reduction import Dims
from .limits import iinfo
from .missing import missing
from .tensor import Tensor

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp",
    "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin", "std", "sum",
    "var",
]  # fmt: skip


def _filled(x: Tensor, mask: Tensor | None, value: Any) -> Tensor:
    """Return x with value where mask does not hold."""
    if mask is None:
        return x
    if mask._type.dtype is not bool_:
        raise TypeError(at_line(f"a mask wants bools, got {mask._type}"))
    return F.where(mask, x, value)  # type: ignore[no-any-return]


def _lowest(dtype: DType) -> Any:
    if dtype.is_inexact:
        return -math.inf
    return False if dtype is bool_ else iinfo(dtype).min


def _highest(dtype: DType) -> Any:
    if dtype.kind == "float":
        return math.inf
    return True if dtype is bool_ else iinfo(dtype).max


def _total(function: Callable[..., Tensor], start: int, name: str) -> Callable[..., Tensor]:
    def apply(
        input: Tensor,
        dim: Dims = None,
        *,
        keepdim: bool = False,
        dtype: DType | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        if dtype is None and not input._type.dtype.is_inexact:
            dtype = int64
        x = input if dtype is None else to_dtype(input, dtype)
        return function(_filled(x, mask, start), dim, keepdim)

    return _named(apply, name, "combines the elements where mask holds, along dims")


def _along(function: Callable[..., Tensor], fill: float, name: str) -> Callable[..., Tensor]:
    def apply(
        input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
    ) -> Tensor:
        x = to_dtype(input, dtype or input._type.dtype)
        return function(_filled(x, mask, fill), dim, dtype=x._type.dtype)

    return _named(apply, name, "gives along dim of the elements where mask holds")


def _extreme(
    function: Callable[..., Tensor], worst: Callable[[DType], Any], name: str
) -> Callable[..., Tensor]:
    def apply(
        input: Tensor,
        dim: Any = None,
        *,
        keepdim: bool = False,
        dtype: DType | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        x = input if dtype is None else to_dtype(input, dtype)
        found = function(_filled(x, mask, worst(x._type.dtype)), dim, keepdim)
        return to_dtype(found, x._type.dtype)  # places too, as in PyTorch

    return _named(apply, name, "finds the extreme along dim where mask holds")


def _named(function: Callable[..., Tensor], name: str, says: str) -> Callable[..., Tensor]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return what {name} {says}."
    return function


prod = _total(F.prod, 1, "prod")
sum = _total(F.sum, 0, "sum")
cumsum = _along(F.cumsum, 0, "cumsum")
cumprod = _along(F.cumprod, 1, "cumprod")
amax = _extreme(F.amax, _lowest, "amax")
amin = _extreme(F.amin, _highest, "amin")
argmax = _extreme(F.argmax, _lowest, "argmax")
argmin = _extreme(F.argmin, _highest, "argmin")
softmax = _along(F.softmax, -math.inf, "softmax")
log_softmax = _along(F.log_softmax, -math.inf, "log_softmax")
softmin = _along(F.softmin, math.inf, "softmin")


def logsumexp(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return log(sum(exp)) along dims of the elements where mask holds."""
    x = input if dtype is None else to_dtype(input, dtype)
    found = F.logsumexp(to_float(_filled(x, mask, _lowest(x._type.dtype))), dim, keepdim)
    return to_dtype(found, x._type.dtype)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DType | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """Return log(exp(input) + exp(other)), where each counts where its mask holds."""
    a, b = _filled(input, input_mask, -math.inf), _filled(other, other_mask, -math.inf)
    found = F.logaddexp(a, b)
    return found if dtype is None else to_dtype(found, dtype)


# -- means --------------------------------------------------------------------------------------


def _count(x: Tensor, mask: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    return F.sum(F.broadcast_to(mask, x._type.shape), dim, keepdim)


def mean(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the mean along dims of the elements where mask holds; NaN where there are none."""
    dtype = dtype or input._type.dtype
    if not dtype.is_inexact:
        raise ValueError(at_line(f"mean wants floating point, got {dtype.name}"))
    if mask is None:
        return F.mean(to_dtype(input, dtype), dim, keepdim)
    total = sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / _count(input, mask, dim, keepdim)


def median(
    input: Tensor,
    dim: int = -1,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the median along dim of the elements where mask holds; NaN where there are none."""
    x = input if input._type.dtype.is_floating_point else to_dtype(input, float32)
    found: Tensor = F.nanmedian(_filled(x, mask, math.nan), dim, keepdim).values
    return found if x is input else to_dtype(found, dtype or input._type.dtype)


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the norm along dims of the elements where mask holds."""
    start = math.inf if ord == -math.inf else 0.0
    return F.norm(_filled(input, mask, start), ord, dim, keepdim, dtype=dtype)


def normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the elements where mask holds, and 0 elsewhere, over their norm along dim."""
    x = _filled(input if dtype is None else to_dtype(input, dtype), mask, 0)
    return x / F.clamp(norm(x, ord, dim, keepdim=True), min=eps)


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the variance along dims of the elements where mask holds."""
    if correction is None:
        correction = 0 if unbiased is False else 1
    dtype = dtype or (input._type.dtype if input._type.dtype.is_inexact else float32)
    x = to_dtype(input, dtype)
    if mask is None:
        return to_dtype(F.var(x, dim, keepdim=keepdim, correction=correction), dtype)
    away = x - mean(x, dim, keepdim=True, mask=mask)
    total = sum(away * F.conj(away), dim, keepdim=keepdim, mask=mask)
    return to_dtype(total / F.clamp(_count(x, mask, dim, keepdim) - correction, min=0), dtype)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the standard deviation along dims of the elements where mask holds."""
    return F.sqrt(
        var(input, dim, unbiased, correction=correction, keepdim=keepdim, dtype=dtype, mask=mask)
    )


_TENSORS = "a mask is an argument here: masked.sum(x, 1, mask=mask)"
MaskedTensor = absent("masked.MaskedTensor", _TENSORS)
as_masked_tensor = absent("masked.as_masked_tensor", _TENSORS)
masked_tensor = absent("masked.masked_tensor", _TENSORS)

__getattr__ = missing(__name__, globals())
