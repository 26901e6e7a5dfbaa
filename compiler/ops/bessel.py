"""Bessel functions of orders 0 and 1, computed by NumPy in float64.

Up to 25 they are integrals of smooth periodic functions (Abramowitz and Stegun, 9.1.21, 9.6.19),
for which the trapezoidal rule is exact to the last digits; the second kind follows as Neumann's
series (9.1.88); beyond, Hankel's expansions hold (9.2.5, 9.7.1). K is an integral over all t > 0
(9.6.24), which decays doubly exponentially.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import check
from .elementwise import FLOAT, div, eq, sign, where
from .leaves import full_like

_FAR = 25.0  # from here on expansions in 1 / x
_ANGLES = (np.arange(128) + 0.5) * (math.pi / 128)
_TIMES = np.arange(0, 90, 0.125)
_ORDERS = 64  # of the first kind, in Neumann's series


def _mean(x: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the mean of function(angles) for each element; all angles in a new last dim."""
    return np.asarray(function(x[..., None]).mean(-1))


def _first(x: np.ndarray, order: int) -> np.ndarray:
    """Return J of an order, for |x| <= 25."""
    return _mean(x, lambda a: np.cos(order * _ANGLES - a * np.sin(_ANGLES)))


def _second(x: np.ndarray, order: int) -> np.ndarray:
    """Return Y of an order, for 0 < x <= 25."""
    log = np.log(x / 2) + np.euler_gamma
    total = (log if order == 0 else log - 1) * _first(x, order)
    for k in range(1, _ORDERS // 2):
        weight = (order + 2 * k) / (k * (order + k))
        total = total - (-1) ** k * weight * _first(x, 2 * k + order)
    return np.asarray(2 / math.pi * (total - (_first(x, 0) / x if order else 0)))


def _expansion(x: np.ndarray, order: int) -> Iterator[np.ndarray]:
    """Yield the terms (4 v^2 - 1) (4 v^2 - 9) ... / (k! (8 x)^k), while they fall."""
    term = np.ones_like(x)
    for k in range(1, 30):
        yield term
        term = term * (4 * order**2 - (2 * k - 1) ** 2) / (k * 8 * x)


def _wave(x: np.ndarray, order: int, second: bool) -> np.ndarray:
    """Return J or Y of an order, for x > 25."""
    terms = list(_expansion(x, order))
    p = sum((-1) ** (k // 2) * terms[k] for k in range(0, len(terms), 2))
    q = sum((-1) ** (k // 2) * terms[k] for k in range(1, len(terms), 2))
    angle = x - (2 * order + 1) * math.pi / 4
    sine, cosine = np.sin(angle), np.cos(angle)
    wave = p * sine + q * cosine if second else p * cosine - q * sine
    return np.asarray(np.sqrt(2 / (math.pi * x)) * wave)


def _j(x: np.ndarray, order: int) -> np.ndarray:
    size = np.abs(x)
    found = np.where(
        size <= _FAR, _first(np.minimum(size, _FAR), order),
        _wave(np.maximum(size, _FAR), order, False),
    )  # fmt: skip
    return np.where(x < 0, -found, found) if order else found


def _y(x: np.ndarray, order: int) -> np.ndarray:
    inside = np.clip(x, 1e-300, _FAR)
    found = np.where(x <= _FAR, _second(inside, order), _wave(np.maximum(x, _FAR), order, True))
    return np.where(x > 0, found, np.where(x == 0, -np.inf, np.nan))


def _i(x: np.ndarray, order: int) -> np.ndarray:
    """Return I of an order times exp(-|x|)."""
    size = np.abs(x)
    inside, far = np.minimum(size, _FAR), np.maximum(size, _FAR)
    near = _mean(inside, lambda a: np.exp(a * (np.cos(_ANGLES) - 1)) * np.cos(order * _ANGLES))
    tail = sum((-1) ** k * term for k, term in enumerate(_expansion(far, order)))
    found = np.where(size <= _FAR, near, tail / np.sqrt(2 * math.pi * far))
    return np.where(x < 0, -found, found) if order else found


def _k(x: np.ndarray, order: int) -> np.ndarray:
    """Return K of an order times exp(x)."""
    inside = np.clip(x, 1e-300, _FAR)[..., None]
    rates = inside * (np.cosh(_TIMES) - 1)
    heights = np.exp(-rates) * np.cosh(order * _TIMES)
    near = (heights.sum(-1) - heights[..., 0] / 2) * 0.125
    far = np.maximum(x, _FAR)
    found = np.where(x <= _FAR, near, np.sqrt(math.pi / (2 * far)) * sum(_expansion(far, order)))
    return np.where(x > 0, found, np.where(x == 0, np.inf, np.nan))


def _bessel(name: str, function: Callable[..., Any], order: int, grad: Callable[..., Any]) -> Op:
    def type_(x: TensorType) -> TensorType:
        check.kind(name, FLOAT, x)
        return x

    def evaluate(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = function(x.astype(np.float64), order)
        return np.asarray(np.where(np.isnan(x), np.nan, found), x.dtype)

    return Op(name, type_, evaluate, grad, Host())


def _over(y: Any, x: Any) -> Any:
    """Return y / x of an odd function that begins as x / 2."""
    zero = eq(x, full_like(x, value=0))
    safe = where(zero, full_like(x, value=1), x)
    return where(zero, full_like(x, value=0.5), div(y, safe))


bessel_j0: Op = _bessel("bessel_j0", _j, 0, lambda g, y, x: (-g * bessel_j1(x),))
bessel_j1: Op = _bessel("bessel_j1", _j, 1, lambda g, y, x: (g * (bessel_j0(x) - _over(y, x)),))
bessel_y0: Op = _bessel("bessel_y0", _y, 0, lambda g, y, x: (-g * bessel_y1(x),))
bessel_y1: Op = _bessel("bessel_y1", _y, 1, lambda g, y, x: (g * (bessel_y0(x) - div(y, x)),))
i0e: Op = _bessel("i0e", _i, 0, lambda g, y, x: (g * (i1e(x) - sign(x) * y),))
i1e: Op = _bessel("i1e", _i, 1, lambda g, y, x: (g * (i0e(x) - sign(x) * y - _over(y, x)),))
k0e: Op = _bessel("k0e", _k, 0, lambda g, y, x: (g * (y - k1e(x)),))
k1e: Op = _bessel("k1e", _k, 1, lambda g, y, x: (g * (y - k0e(x) - div(y, x)),))

OPS = (bessel_j0, bessel_j1, bessel_y0, bessel_y1, i0e, i1e, k0e, k1e)
