"""Orthogonal polynomials of any degree, by their recurrences, computed by NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dataclass import dataclass

from . import check
from .elementwise import FLOAT


@dataclass(frozen=True)
class _Family:
    """A family's polynomial of degree 1, and the one after p_k and p_(k - 1)."""

    first: Callable[[np.ndarray], np.ndarray]
    later: Callable[[int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _chebyshev(first: Callable[[np.ndarray], np.ndarray]) -> _Family:
    return _Family(first, lambda k, x, p, before: 2 * x * p - before)


_FAMILIES = {
    "chebyshev_t": _chebyshev(lambda x: x),
    "chebyshev_u": _chebyshev(lambda x: 2 * x),
    "chebyshev_v": _chebyshev(lambda x: 2 * x - 1),
    "chebyshev_w": _chebyshev(lambda x: 2 * x + 1),
    "hermite_h": _Family(lambda x: 2 * x, lambda k, x, p, before: 2 * x * p - 2 * k * before),
    "hermite_he": _Family(lambda x: x, lambda k, x, p, before: x * p - k * before),
    "laguerre_l": _Family(
        lambda x: 1 - x, lambda k, x, p, before: ((2 * k + 1 - x) * p - k * before) / (k + 1)
    ),
    "legendre_p": _Family(
        lambda x: x, lambda k, x, p, before: ((2 * k + 1) * x * p - k * before) / (k + 1)
    ),
}


def _type(x: TensorType, n: TensorType, *, family: str) -> TensorType:
    assert family in _FAMILIES
    check.kind("polynomial", FLOAT, x)
    check.same_shape("polynomial", x, n)
    check.same_dtype("polynomial", x, n)
    return x


def _eval(x: np.ndarray, n: np.ndarray, *, family: str) -> np.ndarray:
    """Return p_n(x), 0 for a negative degree; degrees are cut down to whole numbers."""
    rule = _FAMILIES[family]
    degrees = np.trunc(n)
    wide = x.astype(np.float64)
    before, p = np.ones_like(wide), rule.first(wide)
    found = np.where(degrees == 0, before, np.where(degrees == 1, p, 0.0))
    for k in range(1, int(degrees.max(initial=0))):
        before, p = p, rule.later(k, wide, p, before)
        found = np.where(degrees == k + 1, p, found)
    return np.asarray(found, x.dtype)


polynomial = Op("polynomial", _type, _eval, lower=Host())

OPS = (polynomial,)
