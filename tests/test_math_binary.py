"""Functions of two numbers, of integers and of bool, against NumPy and C's rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from jitnet.compiler.codegen.emitter import Value
from jitnet.compiler.codegen.math import emit_scalar
from jitnet.runtime.dtype import bool_, float32
from tests.math_harness import apply, random_bits, run, specials, targets, ulps

FLOATS = [np.float32, np.float64]
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
COMPARISONS: dict[str, Callable[..., np.ndarray]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def _pairs(dtype: type[np.floating], count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Return special values crossed, random bits, ordinary sizes, whole and near-1 operands."""
    random = np.random.default_rng(2)
    edge = specials(dtype)
    a, b = (grid.ravel() for grid in np.meshgrid(edge, edge))
    size = 60 if dtype is np.float32 else 500
    firsts = [
        a,
        random_bits(dtype, count, 3),
        np.exp(random.uniform(-size, size, count)),
        random.uniform(-3, 3, count),
        random.uniform(1 - 1e-3, 1 + 1e-3, count),
        random.integers(-50, 50, count),
    ]
    seconds = [
        b,
        random_bits(dtype, count, 4),
        random.uniform(-3, 3, count),
        random.integers(-30, 200, count),
        random.uniform(-1e5, 1e5, count),
        random.integers(-50, 50, count),
    ]
    return np.concatenate(firsts).astype(dtype), np.concatenate(seconds).astype(dtype)


def _check(fn: str, a: np.ndarray, b: np.ndarray, exact: np.ndarray, bound: float) -> None:
    got = apply(fn, a, b)
    error = ulps(got, exact)
    worst = int(np.argmax(error))
    assert error[worst] <= bound, (fn, a[worst], b[worst], got[worst], exact[worst])
    zero = (exact == 0) & (got == 0)
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(exact[zero]), fn)


@pytest.mark.parametrize("dtype", FLOATS)
def test_pow_and_atan2(dtype: type[np.floating]) -> None:
    a, b = _pairs(dtype)
    more = np.float64 if dtype is np.float32 else np.longdouble
    _check("pow", a, b, np.power(a.astype(more), b.astype(more)), 2.0)
    _check("atan2", a, b, np.arctan2(a.astype(more), b.astype(more)), 4.0)


def test_pow_special_cases_of_c() -> None:
    nan, inf = math.nan, math.inf
    rows = [
        (nan, 0.0, 1.0), (1.0, nan, 1.0), (nan, 1.0, nan), (2.0, nan, nan), (-1.0, inf, 1.0),
        (-1.0, -inf, 1.0), (0.5, inf, 0.0), (0.5, -inf, inf), (-2.0, inf, inf), (-2.0, -inf, 0.0),
        (-0.0, -1.0, -inf), (-0.0, -2.0, inf), (0.0, -1.0, inf), (-0.0, 3.0, -0.0),
        (-0.0, 2.0, 0.0), (-inf, 3.0, -inf), (-inf, -3.0, -0.0), (-inf, 0.5, inf), (inf, -1.0, 0.0),
        (-8.0, 1 / 3, nan), (-8.0, 3.0, -512.0), (-8.0, 2.0, 64.0), (-2.0, 1e300, inf),
    ]  # fmt: skip
    for dtype in FLOATS:
        x, y, wanted = (np.array(column, dtype) for column in zip(*rows, strict=True))
        got = apply("pow", x, y)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("target", targets(), ids=lambda target: f"{target.vector_bytes}B")
def test_float_division_is_exact(dtype: type[np.floating], target: object) -> None:
    a, b = _pairs(dtype, 5_000)
    for fn, function in (("fmod", np.fmod), ("rem", np.remainder), ("floordiv", np.floor_divide)):
        got = apply(fn, a, b, target=target)  # type: ignore[arg-type]
        np.testing.assert_array_equal(got, function(a, b), fn)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_max_min_and_comparisons(dtype: type[np.number]) -> None:
    if issubclass(dtype, np.floating):
        a, b = _pairs(dtype, 2_000)
    else:
        a, b = _whole_pairs(dtype)
    np.testing.assert_array_equal(apply("max", a, b), np.maximum(a, b))
    np.testing.assert_array_equal(apply("min", a, b), np.minimum(a, b))
    for fn, function in COMPARISONS.items():
        np.testing.assert_array_equal(apply(fn, a, b, result=bool_), function(a, b), fn)


@pytest.mark.parametrize("fn", ["max", "min"])
@pytest.mark.parametrize("constant_first", [True, False])
def test_nan_wins_over_a_constant(fn: str, constant_first: bool) -> None:
    x = specials(np.float32)

    def emit(f: object, value: Value) -> Value:
        pair = [f.const(value.type, 0.5), value]  # type: ignore[attr-defined]
        return emit_scalar(f, fn, pair if constant_first else pair[::-1], float32)  # type: ignore[arg-type]

    function = np.maximum if fn == "max" else np.minimum
    np.testing.assert_array_equal(run(emit, [x], float32), function(x, np.float32(0.5)))


# -- integers and bool --------------------------------------------------------------------------


def _whole_pairs(dtype: type[np.integer]) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of edge values, and random ones of every size."""
    info = np.iinfo(dtype)
    edges = [info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 5, 7, 100]
    if info.min < 0:
        edges += [-1, -2, -3, -7, -100]
    a, b = (grid.ravel() for grid in np.meshgrid(np.array(edges, dtype), np.array(edges, dtype)))
    random = np.random.default_rng(4)
    more = random.integers(info.min, info.max, (2, 3000), dtype, endpoint=True)
    small = random.integers(max(info.min, -20), 20, (2, 1000)).astype(dtype)
    return np.concatenate([a, *more[:1], *small[:1]]), np.concatenate([b, *more[1:], *small[1:]])


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_integer_division_never_traps(dtype: type[np.integer], lanes: int) -> None:
    a, b = _whole_pairs(dtype)
    for fn, function in (("floordiv", np.floor_divide), ("rem", np.remainder), ("fmod", np.fmod)):
        np.testing.assert_array_equal(apply(fn, a, b, lanes=lanes), function(a, b), fn)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_arithmetic_wraps(dtype: type[np.integer]) -> None:
    a, b = _whole_pairs(dtype)
    table = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "bitand": np.bitwise_and,
        "bitor": np.bitwise_or, "bitxor": np.bitwise_xor, "shl": np.left_shift,
        "shr": np.right_shift,
    }  # fmt: skip
    for fn, function in table.items():
        np.testing.assert_array_equal(apply(fn, a, b), function(a, b), fn)
    unary = {"neg": np.negative, "abs": np.abs, "sign": np.sign, "bitnot": np.invert}
    for fn, one in unary.items():
        np.testing.assert_array_equal(apply(fn, a), one(a), fn)
    for fn in ("floor", "ceil", "round", "trunc"):
        np.testing.assert_array_equal(apply(fn, a), a, fn)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_power(dtype: type[np.integer]) -> None:
    a, b = _whole_pairs(dtype)
    up = b >= 0
    np.testing.assert_array_equal(apply("pow", a[up], b[up]), np.power(a[up], b[up]))
    if np.iinfo(dtype).min < 0:
        x, y = np.array([2, 1, -1, -1, 0, -2], dtype), np.array([-1, -1, -1, -2, -1, -3], dtype)
        np.testing.assert_array_equal(apply("pow", x, y), np.array([0, 1, -1, 1, 0, 0], dtype))


def test_bool() -> None:
    a, b = (grid.ravel() for grid in np.meshgrid([False, True], [False, True]))
    table = {
        "and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor, "add": np.logical_or,
        "mul": np.logical_and, "max": np.logical_or, "min": np.logical_and,
        "bitand": np.bitwise_and, "bitor": np.bitwise_or, "bitxor": np.bitwise_xor, **COMPARISONS,
    }  # fmt: skip
    for fn, function in table.items():
        np.testing.assert_array_equal(apply(fn, a, b), function(a, b), fn)
    for fn in ("not", "bitnot"):
        np.testing.assert_array_equal(apply(fn, a), ~a)


@pytest.mark.parametrize("dtype", [np.bool_, *INTEGERS, *FLOATS])
def test_where(dtype: type[np.generic]) -> None:
    condition = np.arange(23) % 3 == 0
    a, b = np.arange(23).astype(dtype), (np.arange(23) - 20).astype(dtype)
    for lanes in (1, 3, 16):
        got = apply("where", condition, a, b, lanes=lanes)
        np.testing.assert_array_equal(got, np.where(condition, a, b))


# -- rounding and tests -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("target", targets(), ids=lambda target: f"{target.vector_bytes}B")
def test_rounding(dtype: type[np.floating], target: object) -> None:
    halves = np.arange(-40, 40) / 4
    x = np.concatenate([specials(dtype), halves.astype(dtype), random_bits(dtype, 3_000)])
    table = {"floor": np.floor, "ceil": np.ceil, "round": np.rint, "trunc": np.trunc}
    for fn, function in table.items():
        got = apply(fn, x, target=target)  # type: ignore[arg-type]
        np.testing.assert_array_equal(got, function(x), fn)
        known = ~np.isnan(x)
        np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(function(x)[known]), fn)
    for fn, test in (("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite)):
        np.testing.assert_array_equal(apply(fn, x, result=bool_), test(x), fn)
    np.testing.assert_array_equal(apply("neg", x), -x)
    np.testing.assert_array_equal(apply("abs", x), np.abs(x))
    np.testing.assert_array_equal(apply("sign", x), np.where(np.isnan(x), 0, np.sign(x)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_plain_arithmetic(dtype: type[np.floating]) -> None:
    a, b = _pairs(dtype, 2_000)
    table = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
    for fn, function in table.items():
        np.testing.assert_array_equal(apply(fn, a, b), function(a, b), fn)
