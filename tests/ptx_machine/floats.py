"""Arithmetic of floats as IEEE 754 says, in every direction of rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Compute = Callable[..., Array]


def flushed(x: Array) -> Array:
    """Numbers too small to be normal as zeros of their sign."""
    if x.dtype.kind != "f":
        return x
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """A sum and what rounding has taken from it (Knuth)."""
    s = a + b
    part = s - a
    return s, (a - (s - part)) + (b - part)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """A product and what rounding has taken from it (Dekker)."""
    p = a * b
    splitter = np.float64(134217729)  # 2^27 + 1

    def halves(x: Array) -> tuple[Array, Array]:
        high = splitter * x - (splitter * x - x)
        return high, x - high

    (a1, a2), (b1, b2) = halves(a), halves(b)
    rest = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    return p, np.where(np.isfinite(rest), rest, 0.0)


def _odd(s: Array, rest: Array) -> Array:
    """A float64 whose last bit says that something was taken: it rounds on as the exact one."""
    bits = np.asarray(s).view(np.int64)
    away = (rest > 0) == (s > 0)
    nudge = np.isfinite(s) & np.isfinite(rest) & (rest != 0) & (bits & 1 == 0) & (s != 0)
    return (bits + np.where(nudge, np.where(away, 1, -1), 0)).view(np.float64)


def narrowed(x: Array, dtype: np.dtype, rounding: str) -> Array:
    """A float64 as a smaller float."""
    found = x.astype(dtype)
    if rounding == "rn":
        return found
    back = found.astype(np.float64)
    up = np.nextafter(found, dtype.type(np.inf))
    down = np.nextafter(found, dtype.type(-np.inf))
    lower, upper = np.where(back > x, down, found), np.where(back < x, up, found)
    if rounding == "rm":
        return lower
    if rounding == "rp":
        return upper
    return np.where(x > 0, lower, upper)


def _directed(s: Array, rest: Array, rounding: str) -> Array:
    """A float64 of a sum and a rest: to the nearest, or in a direction."""
    if rounding == "rn":
        return s
    low = np.where((rest < 0) & np.isfinite(s), np.nextafter(s, -np.inf), s)
    high = np.where((rest > 0) & np.isfinite(s), np.nextafter(s, np.inf), s)
    if rounding == "rz":
        return np.where(s > 0, low, high)
    return low if rounding == "rm" else high


def rounded_sum(a: Array, b: Array, rounding: str) -> Array:
    """a + b."""
    if rounding == "rn":
        return a + b
    s, rest = _two_sum(a.astype(np.float64), b.astype(np.float64))
    if a.dtype == np.float64:
        return _directed(s, rest, rounding)
    return narrowed(_odd(s, rest), a.dtype, rounding)


def rounded_fma(a: Array, b: Array, c: Array | None, rounding: str) -> Array:
    """a * b + c, rounded once; without c, a * b."""
    if c is None and rounding == "rn":
        return a * b
    x, y = a.astype(np.float64), b.astype(np.float64)
    if a.dtype == np.float64:
        p, lost = _two_product(x, y)
        if c is None:
            return _directed(p, lost, rounding)
        s, rest = _two_sum(p, c)
        small = rest + lost
        exact = np.isfinite(s) & np.isfinite(small)
        high, low = _two_sum(s, np.where(exact, small, 0.0))
        return _directed(np.where(exact, high, p + c), np.where(exact, low, 0.0), rounding)
    if c is None:
        return narrowed(x * y, a.dtype, rounding)
    s, rest = _two_sum(x * y, c.astype(np.float64))  # the product is exact
    return narrowed(_odd(s, rest), a.dtype, rounding)


# -- functions of one or two numbers ----------------------------------------------------------


@dataclass(frozen=True)
class FloatForm:
    """A function: of how many numbers, what may stand in its name, and what then computes it."""

    count: int
    modifiers: frozenset[str]
    compute: Callable[[frozenset[str]], Compute]


def _of_double(function: Compute) -> Callable[[frozenset[str]], Compute]:
    """Compute as float64: approximations are taken for exact."""
    return lambda modifiers: (
        lambda *args: function(*(a.astype(np.float64) for a in args)).astype(args[0].dtype)
    )


def _fixed(function: Compute) -> Callable[[frozenset[str]], Compute]:
    return lambda modifiers: function


def _extreme(larger: bool) -> Callable[[frozenset[str]], Compute]:
    def made(modifiers: frozenset[str]) -> Compute:
        def compute(a: Array, b: Array) -> Array:
            found = np.fmax(a, b) if larger else np.fmin(a, b)
            zeros = (a == 0) & (b == 0)  # 0 is above -0
            signs = np.signbit(a) & np.signbit(b) if larger else np.signbit(a) | np.signbit(b)
            found = np.where(zeros, np.where(signs, -found.dtype.type(0), abs(found)), found)
            if "NaN" in modifiers:
                found = np.where(np.isnan(a) | np.isnan(b), found.dtype.type(np.nan), found)
            return found

        return compute

    return made


_TESTS: dict[str, Compute] = {
    "finite": np.isfinite,
    "infinite": np.isinf,
    "number": lambda x: ~np.isnan(x),
    "notanumber": np.isnan,
    "normal": lambda x: np.isfinite(x) & (np.abs(x) >= np.finfo(x.dtype).tiny),
    "subnormal": lambda x: (x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny),
}
_ABOUT = frozenset({"approx", "full"})

FLOAT_FORMS = {
    "neg": FloatForm(1, frozenset(), _fixed(np.negative)),
    "abs": FloatForm(1, frozenset(), _fixed(np.abs)),
    "min": FloatForm(2, frozenset({"NaN"}), _extreme(larger=False)),
    "max": FloatForm(2, frozenset({"NaN"}), _extreme(larger=True)),
    "div": FloatForm(2, _ABOUT, _of_double(np.divide)),
    "rcp": FloatForm(1, _ABOUT, _of_double(lambda x: 1 / x)),
    "sqrt": FloatForm(1, _ABOUT, _of_double(np.sqrt)),
    "rsqrt": FloatForm(1, _ABOUT, _of_double(lambda x: 1 / np.sqrt(x))),
    "ex2": FloatForm(1, _ABOUT, _of_double(np.exp2)),
    "lg2": FloatForm(1, _ABOUT, _of_double(np.log2)),
    "sin": FloatForm(1, _ABOUT, _of_double(np.sin)),
    "cos": FloatForm(1, _ABOUT, _of_double(np.cos)),
    "tanh": FloatForm(1, _ABOUT, _of_double(np.tanh)),
    # The sign of the first is put on the second.
    "copysign": FloatForm(2, frozenset(), _fixed(lambda a, b: np.copysign(b, a))),
    "testp": FloatForm(1, frozenset(_TESTS), lambda modifiers: _TESTS[next(iter(modifiers))]),
}
