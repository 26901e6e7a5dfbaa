"""Relatives of the gamma function, computed by NumPy in float64: incomplete gamma, zeta."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import check
from .elementwise import FLOAT, add, div, mul
from .leaves import full_like

_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])
_BERNOULLI = (  # of even numbers, over their factorials
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000,
)  # fmt: skip
_SHIFT = 24


def _pair(name: str, function: Callable[..., Any], grad: Callable[..., Any]) -> Op:
    def type_(a: TensorType, b: TensorType) -> TensorType:
        check.kind(name, FLOAT, a)
        check.same_shape(name, a, b)
        check.same_dtype(name, a, b)
        return a

    def evaluate(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = function(a.astype(np.float64), b.astype(np.float64))
        return np.asarray(np.where(np.isnan(a) | np.isnan(b), np.nan, found), a.dtype)

    return Op(name, type_, evaluate, grad, Host())


def _no_rule() -> Any:
    raise NotImplementedError(
        "zeta and the incomplete gamma functions have no derivative by their first argument; "
        "detach() it"
    )


# -- incomplete gamma ---------------------------------------------------------------------------


def _series(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return sum of x^k / ((a + 1) ... (a + k)): Abramowitz and Stegun, 6.5.29."""
    term = total = np.ones_like(x)
    for k in range(1, 100_000):
        term = term * (x / (a + k))
        total = total + term
        if not (np.abs(term) > 1e-17 * np.abs(total)).any():
            break
    return np.asarray(total / a)


def _fraction(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the continued fraction of the upper function (6.5.31), by Lentz's method."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = np.full_like(x, 1 / tiny), 1 / np.where(b == 0, tiny, b)
    total = d
    for k in range(1, 100_000):
        factor = -k * (k - a)
        b = b + 2
        d = factor * d + b
        c = b + factor / c
        d = 1 / np.where(d == 0, tiny, d)
        change = d * np.where(c == 0, tiny, c)
        total = total * change
        if not (np.abs(change - 1) > 4e-16).any():
            break
    return total


def _lower(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return P(a, x), the part of gamma(a) below x."""
    usual = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    inside, place = np.where(usual, a, 1.0), np.where(usual, x, 1.0)
    scale = np.exp(inside * np.log(place) - place - _log_gamma(inside))
    near = place < inside + 1
    low = scale * _series(inside, np.where(near, place, inside))
    high = 1 - scale * _fraction(inside, np.where(near, inside + 1, place))
    edge = np.where(np.isinf(a), np.where(np.isinf(x), np.nan, 0.0), np.where(x == 0, 0.0, 1.0))
    edge = np.where(a == 0, np.where(x > 0, 1.0, np.nan), edge)
    found = np.where(usual, np.where(near, low, high), edge)
    return np.where((a < 0) | (x < 0), np.nan, found)


def _upper(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return Q(a, x) = 1 - P(a, x), exact where it is small."""
    usual = (a > 0) & (x >= a + 1) & np.isfinite(x)
    inside, place = np.where(usual, a, 1.0), np.where(usual, x, 2.0)
    scale = np.exp(inside * np.log(place) - place - _log_gamma(inside))
    return np.where(usual, scale * _fraction(inside, place), 1 - _lower(a, x))


def _density(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the derivative of P by x: x^(a - 1) exp(-x) / gamma(a)."""
    usual = (a > 0) & (x > 0)
    inside, place = np.where(usual, a, 1.0), np.where(usual, x, 1.0)
    found = np.exp((inside - 1) * np.log(place) - place - _log_gamma(inside))
    return np.where(usual, found, np.where(x == 0, np.where(a == 1, 1.0, 0.0), np.nan))


def _density_grad(g: Any, y: Any, a: Any, x: Any) -> tuple[Any, ...]:
    one = full_like(x, value=1)
    return _no_rule, g * y * (div(a - one, x) - one)


gamma_density: Op = _pair("gamma_density", _density, _density_grad)
gamma_lower = _pair(
    "gamma_lower", _lower, lambda g, y, a, x: (_no_rule, lambda: g * gamma_density(a, x))
)
gamma_upper = _pair(
    "gamma_upper", _upper, lambda g, y, a, x: (_no_rule, lambda: -g * gamma_density(a, x))
)

# -- zeta ---------------------------------------------------------------------------------------


def _zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the sum of (q + k)^-s for k >= 0, by Euler's and Maclaurin's formula."""
    below = -float(np.nanmin(q, initial=0.0))
    shift = _SHIFT + math.ceil(min(max(below, 0.0), 10_000.0))
    total = sum((q + k) ** -s for k in range(shift))
    large = q + shift
    total = total + large ** (1 - s) / (s - 1) + large**-s / 2
    factor = s * large ** (-s - 1)
    for k, weight in enumerate(_BERNOULLI):
        total = total + weight * factor
        factor = factor * (s + 2 * k + 1) * (s + 2 * k + 2) / large**2
    pole = (q <= 0) & (q == np.floor(q))
    unknown = (s < 1) | ((q <= 0) & (s != np.floor(s)))
    found = np.where(pole | (s == 1), np.inf, total)
    return np.where(unknown & ~(s == 1) & ~(pole & (s >= 1)), np.nan, found)


zeta: Op = _pair(
    "zeta",
    _zeta,
    lambda g, y, s, q: (_no_rule, lambda: -g * mul(s, zeta(add(s, full_like(s, value=1)), q))),
)

OPS = (gamma_density, gamma_lower, gamma_upper, zeta)
