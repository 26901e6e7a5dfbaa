"""Every real function against NumPy and mpmath, in ulps, over the whole range of each type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import mpmath
import numpy as np
import pytest

from tests.math_harness import apply, random_bits, specials, spread, targets, ulps

Reference = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _by_element(function: Callable[[float], float]) -> Reference:
    return lambda x: np.array([function(float(value)) for value in x.ravel()], np.float64)


# In the type of their argument: of more digits than what they are compared with.
NUMPY: dict[str, Reference] = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "sigmoid": _sigmoid,
}  # fmt: skip
ERROR_FUNCTIONS: dict[str, Reference] = {
    "erf": _by_element(math.erf), "erfc": _by_element(math.erfc)
}  # fmt: skip
REFERENCES = NUMPY | ERROR_FUNCTIONS
EXACT_TO_TWO = ("exp", "log", "sqrt", "sigmoid", "tanh", "erf")
LONG = np.finfo(np.longdouble).nmant >= 63


def _samples(dtype: type[np.floating], count: int) -> np.ndarray:
    """Return numbers of every size, and many where functions change their formula."""
    overflow = 110 if dtype is np.float32 else 750
    ranges = [(-1.2, 1.2), (0.5, 1.5), (-10, 10), (-overflow, overflow), (-2e6, 2e6), (-1e10, 1e10)]
    parts = [spread(dtype, low, high, count) for low, high in ranges]
    return np.concatenate([specials(dtype), random_bits(dtype, count), *parts])


def _check(fn: str, x: np.ndarray, got: np.ndarray, exact: np.ndarray, bound: float) -> None:
    error = ulps(got, exact)
    worst = int(np.argmax(error))
    assert error[worst] <= bound, (
        f"{fn}({x[worst]!r}) = {got[worst]!r}, wanted {exact[worst]!r}: {error[worst]:.3f} ulp"
    )
    zero = exact == 0
    if np.any(zero):
        np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(exact[zero]), fn)


@pytest.mark.parametrize("fn", REFERENCES)
def test_float32_is_right_to_two_ulps(fn: str) -> None:
    x = _samples(np.float32, 6_000 if fn in ERROR_FUNCTIONS else 150_000)
    exact = REFERENCES[fn](x.astype(np.float64))
    _check(fn, x, apply(fn, x), exact, 2.0)


@pytest.mark.parametrize("target", targets(), ids=lambda target: f"{target.vector_bytes}B")
@pytest.mark.parametrize("fn", REFERENCES)
def test_every_target_gives_the_same_accuracy(fn: str, target: object) -> None:
    bound = 2.0 if target.has_fma else 2.5  # type: ignore[attr-defined]
    x = _samples(np.float32, 1_000)
    exact = REFERENCES[fn](x.astype(np.float64))
    _check(fn, x, apply(fn, x, target=target), exact, bound)  # type: ignore[arg-type]


@pytest.mark.parametrize("fn", NUMPY)
def test_float64_special_values(fn: str) -> None:
    x = specials(np.float64)
    exact = NUMPY[fn](x)
    _check(fn, x, apply(fn, x), exact, 4.0)


@pytest.mark.skipif(not LONG, reason="NumPy's longdouble has no more digits than float64 here")
@pytest.mark.parametrize("fn", NUMPY)
def test_float64_against_longdouble(fn: str) -> None:
    x = _samples(np.float64, 60_000)
    exact = NUMPY[fn](x.astype(np.longdouble))
    _check(fn, x, apply(fn, x), exact, 2.0 if fn in EXACT_TO_TWO else 4.0)


# mpmath's name where it is another, and where the function is asked.
MPMATH: dict[str, tuple[str, tuple[float, float]]] = {
    "exp": ("exp", (-745, 709)), "expm1": ("expm1", (-40, 700)), "log": ("log", (0, 1e6)),
    "log1p": ("log1p", (-1, 10)), "log10": ("log10", (0, 1e6)), "sin": ("sin", (-1e22, 1e22)),
    "cos": ("cos", (-1e3, 1e3)), "tan": ("tan", (-1e8, 1e8)), "asin": ("asin", (-1, 1)),
    "acos": ("acos", (-1, 1)), "atan": ("atan", (-20, 20)), "sinh": ("sinh", (-3, 3)),
    "cosh": ("cosh", (-3, 3)), "tanh": ("tanh", (-3, 3)), "asinh": ("asinh", (-3, 3)),
    "acosh": ("acosh", (1, 5)), "atanh": ("atanh", (-1, 1)), "erf": ("erf", (-3, 6)),
    "erfc": ("erfc", (-3, 27)), "erfinv": ("erfinv", (-1, 1)),
}  # fmt: skip


def _with_mpmath(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the function as a sum of two doubles."""
    with mpmath.workprec(160):
        values = [getattr(mpmath, name)(mpmath.mpf(float(value))) for value in x]
        high = np.array([float(value) for value in values])
        low = np.array([float(value - one) for value, one in zip(values, high, strict=True)])
    return high, low


@pytest.mark.parametrize("fn", MPMATH)
def test_float64_against_mpmath(fn: str) -> None:
    name, (low, high) = MPMATH[fn]
    x = spread(np.float64, low, high, 400)
    got = apply(fn, x)
    nearest, rest = _with_mpmath(name, x)
    error = np.abs((got - nearest) - rest) / np.spacing(np.abs(nearest))
    assert np.max(error) <= (2.0 if fn in EXACT_TO_TWO else 4.0), x[np.argmax(error)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erfinv(dtype: type[np.floating]) -> None:
    near_one = 1 - 10.0 ** spread(np.float64, -7 if dtype is np.float32 else -15.5, 0, 300)
    x = np.concatenate([near_one, -near_one, 10.0 ** spread(np.float64, -30, 0, 100)]).astype(dtype)
    x = x[np.abs(x) < 1]
    nearest, _ = _with_mpmath("erfinv", x)
    _check("erfinv", x, apply("erfinv", x), nearest, 2.0 if dtype is np.float32 else 4.0)
    edges = np.array([1, -1, 2, -1.5, np.inf, np.nan, 0.0, -0.0], dtype)
    got = apply("erfinv", edges)
    np.testing.assert_array_equal(got[:2], [np.inf, -np.inf])
    assert np.isnan(got[2:6]).all()
    np.testing.assert_array_equal(np.signbit(got[6:]), [False, True])


@pytest.mark.parametrize("fn", ["sin", "cos", "tan"])
def test_angles_near_the_zeros_and_the_worst_known(fn: str) -> None:
    # 6381956970095103 * 2^797 is the double nearest to a multiple of pi/2 (Muller et al.).
    multiples = np.arange(1, 2000) * (np.pi / 2)
    huge = [6381956970095103.0 * 2.0**797, 1e300, 2.0**1023, 2.0**20, 2.0**20 + 1, 1e22]
    x = np.concatenate([multiples[::7], np.array(huge), -np.array(huge)])
    got = apply(fn, x)
    with mpmath.workprec(1300):
        values = [getattr(mpmath, fn)(mpmath.mpf(float(value))) for value in x]
        error = [
            abs(mpmath.mpf(float(one)) - value) / float(np.spacing(abs(float(value))))
            for one, value in zip(got, values, strict=True)
        ]
    assert max(error) <= 4.0
    narrow = x[np.abs(x) < 3e38].astype(np.float32)
    _check(fn, narrow, apply(fn, narrow), REFERENCES[fn](narrow.astype(np.float64)), 2.0)


@pytest.mark.parametrize("fn", ["exp", "log", "tanh", "erf", "sigmoid"])
def test_float32_is_right_where_formulas_join(fn: str) -> None:
    joints = {"tanh": (0.54, 0.56), "erf": (0.92, 0.94), "log": (0.6, 1.4)}
    low, high = joints.get(fn, (-1.0, 1.0))
    x = spread(np.float32, low, high, 100_000 if fn != "erf" else 20_000)
    _check(fn, x, apply(fn, x), REFERENCES[fn](x.astype(np.float64)), 2.0)
