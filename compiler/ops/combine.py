"""Values combined with what stands at looked-up places: products and extremes, by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import check
from .elementwise import ORDERED, cast, div, eq, ge, logical_and, mul, where
from .index import check_index, put, put_type, take
from .leaves import full_like

_COMBINE: dict[str, np.ufunc] = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def _type(x: TensorType, i: TensorType, v: TensorType, *, axis: int, reduce: str) -> TensorType:
    assert reduce in _COMBINE
    check.kind(f"put's {reduce}", ORDERED, x)
    return put_type(x, i, v, axis=axis, accumulate=True)


def _eval(x: np.ndarray, i: np.ndarray, v: np.ndarray, *, axis: int, reduce: str) -> np.ndarray:
    check_index(i, x.shape[axis], axis)
    result = x.copy()
    at: Any = (*(slice(None),) * axis, i)
    _COMBINE[reduce].at(result, at, v)
    return result


def _grad(
    g: Any, y: Any, x: Any, i: Any, v: Any, *, axis: int, reduce: str
) -> tuple[Any, None, Any]:
    rule = _product_grad if reduce == "prod" else _extreme_grad
    return rule(g, y, x, i, v, axis, reduce)


def _extreme_grad(
    g: Any, y: Any, x: Any, i: Any, v: Any, axis: int, reduce: str
) -> tuple[Any, None, Any]:
    """Equal extremes share the gradient."""
    kept, won = eq(x, y), eq(v, take(y, i, axis=axis))
    count = put(cast(kept, dtype=x.dtype), i, cast(won, dtype=v.dtype), axis=axis, accumulate=True)
    share = div(g, where(eq(count, full_like(count, value=0)), full_like(count, value=1), count))
    nothing = full_like(v, value=0)
    return (
        where(kept, share, full_like(x, value=0)),
        None,
        where(won, take(share, i, axis=axis), nothing),
    )


def _product_grad(
    g: Any, y: Any, x: Any, i: Any, v: Any, axis: int, reduce: str
) -> tuple[Any, None, Any]:
    """Each factor's gradient is the product of all others: without the factor, if it is 0."""
    no_x, no_v = eq(x, full_like(x, value=0)), eq(v, full_like(v, value=0))
    one_x, one_v = full_like(x, value=1), full_like(v, value=1)
    others = where(no_x, one_x, x)
    gx = mul(g, div(combine(others, i, v, axis=axis, reduce=reduce), others))
    zeros = put(full_like(x, value=0), i, cast(no_v, dtype=v.dtype), axis=axis, accumulate=True)
    several = ge(take(zeros, i, axis=axis), full_like(v, value=2))
    single = logical_and(no_v, eq(take(zeros, i, axis=axis), one_v))
    without = combine(x, i, where(single, one_v, v), axis=axis, reduce=reduce)
    alone = take(mul(g, without), i, axis=axis)
    among = div(take(mul(g, y), i, axis=axis), where(no_v, one_v, v))
    return gx, None, where(several, full_like(v, value=0), where(single, alone, among))


combine: Op = Op("combine", _type, _eval, _grad, Host())

OPS = (combine,)
