"""Functions, promotion and results' types against PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from tests.function_table import (
    ACTIVATIONS,
    EVEN,
    PRODUCTS,
    REDUCTIONS,
    SHAPES,
    SMALL,
    TWO,
    B,
    C,
    M,
    N,
    X,
    Y,
    words,
)

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

DTYPES = words(
    "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
)


def pair(array: np.ndarray, requires_grad: bool = False) -> tuple[Any, Any]:
    """Return the same values as a jitnet and a PyTorch tensor, in separate memory."""
    mine = jitnet.tensor(array)
    other = torch.tensor(array)
    if requires_grad and array.dtype.kind == "f":
        mine.requires_grad_()
        other.requires_grad_()
    return mine, other


def name_of(dtype: Any) -> str:
    """Return "float32" for either library's dtype."""
    return str(dtype).split(".")[-1].rstrip("_")


def assert_same(mine: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Assert equal types and close values, in nested results too."""
    if isinstance(other, tuple | list) and not isinstance(other, torch.Size):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            assert_same(a, b, rtol, atol)
        return
    if not isinstance(other, torch.Tensor):
        assert mine == other
        return
    assert name_of(mine.dtype) == name_of(other.dtype)
    assert tuple(mine.shape) == tuple(other.shape)
    np.testing.assert_allclose(
        mine.detach().numpy(), other.detach().numpy(), rtol=rtol, atol=atol, equal_nan=True
    )


def check(
    function: Callable[..., Any],
    *arrays: np.ndarray,
    other: Callable[..., Any] | None = None,
    grad: bool = True,
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """Compare results and gradients; function(library, functional, *tensors)."""
    mine, theirs = zip(*(pair(array, grad) for array in arrays), strict=True)
    got = function(jitnet, F, *mine)
    want = (other or function)(torch, torch.nn.functional, *theirs)
    assert_same(got, want, rtol, atol)
    if not grad:
        return
    for y, expected in zip(flat(got), flat(want), strict=True):
        if not getattr(expected, "requires_grad", False):
            continue
        seed = np.cos(np.arange(expected.numel())).reshape(tuple(expected.shape))
        seed = seed.astype(expected.detach().numpy().dtype)
        y.backward(jitnet.tensor(seed), retain_graph=True)
        expected.backward(torch.tensor(seed), retain_graph=True)
    for a, b in zip(mine, theirs, strict=True):
        if b.requires_grad and b.grad is not None:
            found = jitnet.zeros_like(a) if a.grad is None else a.grad
            assert_same(found, b.grad, rtol * 3, atol * 3)


def flat(value: Any) -> list[Any]:
    """Return the tensors of a result."""
    if isinstance(value, tuple | list):
        return [item for part in value for item in flat(part)]
    return [value]


# -- promotion ----------------------------------------------------------------------------------
def samples(name: str) -> list[tuple[Any, Any]]:
    """Return a vector and a zero-dimensional tensor of a dtype, for both libraries."""
    mine, theirs = getattr(jitnet, name), getattr(torch, name)
    return [
        (jitnet.ones(2, dtype=mine), torch.ones(2, dtype=theirs)),
        (jitnet.ones((), dtype=mine), torch.ones((), dtype=theirs)),
    ]


def outcome(function: Callable[[], Any]) -> str:
    """Return the result's dtype, or that there was an error."""
    try:
        return name_of(function().dtype)
    except (RuntimeError, TypeError, NotImplementedError):
        return "error"


BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "lt": lambda a, b: a < b,
    "eq": lambda a, b: a == b,
    "and": lambda a, b: a & b,
}


@pytest.mark.parametrize("op", BINARY)
def test_promotion(op: str) -> None:
    """The table of dtypes, with dims, without, and Python numbers."""
    function = BINARY[op]
    for first, second in itertools.product(DTYPES, repeat=2):
        if "float16" in (first, second) and "complex" in first + second:
            continue  # complex32 in PyTorch, which jitnet has not
        for a, b in itertools.product(samples(first), samples(second)):
            want = outcome(lambda a=a, b=b: function(a[1], b[1]))
            got = outcome(lambda a=a, b=b: function(a[0], b[0]))
            assert got == want, (op, first, second, a[0].shape, b[0].shape)
    for first in DTYPES:
        for a, number in itertools.product(samples(first), (True, 2, 2.5)):
            want = outcome(lambda a=a, number=number: function(a[1], number))
            got = outcome(lambda a=a, number=number: function(a[0], number))
            assert got == want, (op, first, number)
            want = outcome(lambda a=a, number=number: function(number, a[1]))
            got = outcome(lambda a=a, number=number: function(number, a[0]))
            assert got == want, (op, number, first)


UNARY_TYPES = words(
    "sum prod mean amax argmax any all abs neg exp sqrt sigmoid floor round sign isnan "
    "logical_not bitwise_not cumsum std max min square reciprocal count_nonzero relu"
)


@pytest.mark.parametrize("name", UNARY_TYPES)
def test_result_types(name: str) -> None:
    """What whole numbers and bools become."""
    for dtype in DTYPES:
        if (name, dtype) == ("argmax", "bool") or (name in ("round", "sign") and "comp" in dtype):
            continue  # PyTorch has none, jitnet does
        mine, theirs = samples(dtype)[0]
        args = (0,) if name in ("cumsum", "std") else ()
        want = outcome(lambda t=theirs, args=args: getattr(torch, name)(t, *args))
        got = outcome(lambda m=mine, args=args: getattr(jitnet, name)(m, *args))
        assert got == want, (name, dtype)


REAL = "exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh erf erfc sigmoid abs neg sign square"
POSITIVE = "log log2 log10 log1p sqrt rsqrt reciprocal"
UNIT = "asin acos atanh erfinv"


@pytest.mark.parametrize("name", [*REAL.split(), *POSITIVE.split(), *UNIT.split()])
def test_unary(name: str) -> None:
    """Values and gradients of real functions."""
    x = Y if name in POSITIVE.split() else SMALL if name in UNIT.split() else X
    check(lambda lib, f, a: getattr(lib, name)(a), x)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.5, 1e-40, 3e38], np.float32)


@pytest.mark.parametrize(
    "name",
    [
        *REAL.split(),
        *POSITIVE.split(),
        *UNIT.split(),
        *["floor", "ceil", "round", "trunc", "isnan", "isinf"],
    ],
)
def test_special_values(name: str) -> None:
    """NaN, infinities, zeros, denormals."""
    check(lambda lib, f, a: getattr(lib, name)(a), SPECIAL, grad=False)


@pytest.mark.parametrize("name", TWO)
def test_binary(name: str) -> None:
    """Values and gradients of functions of two arguments."""
    check(TWO[name], X, Y)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    """Values and gradients of reductions."""
    check(REDUCTIONS[name], EVEN, rtol=2e-5)


def test_reductions_of_few() -> None:
    """Zero-dimensional and empty tensors."""
    one = np.array(1.5, np.float32)
    check(lambda lib, f, a: (a.sum(), a.sum(0), a.mean(), *a.max(0), a.argmax(), a.prod()), one)
    none = np.zeros((0, 3), np.float32)
    check(lambda lib, f, a: (a.sum(), a.sum(0), a.sum(1), a.prod(0), a.mean(0), a.mean(1)), none)
    check(lambda lib, f, a: (a.any(), a.all(), a.any(0), lib.softmax(a, 1)), none)
    for function in (lambda a: a.max(), lambda a: a.argmax(0), lambda a: a.amax(0)):
        with pytest.raises((RuntimeError, IndexError)):
            function(jitnet.zeros(0, 3))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    """Values and gradients of rearrangements."""
    check(SHAPES[name], EVEN, grad=name != "dims")


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    """Values and gradients of matrix products."""
    check(PRODUCTS[name], M, N, B, C, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    """Values and gradients of activations, at kinks and far out too."""
    check(ACTIVATIONS[name], EVEN * 2, rtol=2e-5)
    kinks = np.array([-3, -1, -0.5, 0, 0.5, 1, 3, 6, 30, -30, 100, -100], np.float32)
    if name not in ("glu", "prelu", "normalize", "softmax_dtype"):
        check(ACTIVATIONS[name], kinks, rtol=2e-5)
        check(ACTIVATIONS[name], np.array([np.nan], np.float32), grad=False)


def test_dtypes_of_sums_in_float64() -> None:
    """float64 stays float64, with its digits."""
    check(lambda lib, f, a: (lib.softmax(a, 0), a.mean(), f.gelu(a)), X.astype(float), rtol=1e-12)
