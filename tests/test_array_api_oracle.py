"""The array API standard's functions against array_api_strict's, over all dtypes.

Special values, what dtypes meet in, empty arrays and those of no dims, Python's numbers, operators.
What differs because PyTorch means something else is in docs/array-api.md.
"""

from __future__ import annotations

import inspect
import itertools
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import jitnet

strict = pytest.importorskip("array_api_strict", reason="the oracle; make test ORACLE=1 gets it")

from tests.array_api_oracle import (  # noqa: E402
    COMPLEX,
    EVERY,
    FLOATS,
    SHAPES,
    WHOLE,
    compare,
    named,
    numbers,
    specials,
)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _standard() -> Iterator[None]:
    strict.set_array_api_strict_flags(api_version="2024.12")
    jitnet.set_default_dtype(jitnet.float64)
    yield
    jitnet.set_default_dtype(jitnet.float32)


def _assert_none(differences: Iterator[str]) -> None:
    found = list(filter(None, differences))
    assert not found, "\n".join(found[:5])


def _meet(first: str, second: str) -> bool:
    """Return whether the standard says what dtype two others meet in."""
    if first in WHOLE and second in WHOLE:
        return "uint64" not in (first, second) or first[0] == second[0]
    return first == second or (first in FLOATS + COMPLEX and second in FLOATS + COMPLEX)


UNARY = """
abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite
isinf isnan log log1p log2 log10 logical_not negative positive real reciprocal round sign signbit
sin sinh square sqrt tan tanh trunc
""".split()
BINARY = """
add atan2 bitwise_and bitwise_or bitwise_xor copysign divide greater greater_equal hypot less
less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply nextafter not_equal
subtract bitwise_left_shift bitwise_right_shift floor_divide remainder pow
""".split()


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one(name: str) -> None:
    def differences() -> Iterator[str]:
        for dtype in EVERY:
            values = specials(dtype)
            if name == "sign" and dtype in FLOATS:
                values = values[:-1]  # of NaN, PyTorch's
            for x in (values, np.zeros((0, 3), dtype), np.ones((), dtype)):
                yield compare(named(name), x)

    _assert_none(differences())


def _operands(name: str, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays that an operation is defined for."""
    a, b = specials(first), specials(second)
    if second in WHOLE and ("shift" in name or name == "pow"):
        b = np.arange(4).astype(second)
    if second in WHOLE and name in ("floor_divide", "remainder", "floordiv", "mod"):
        b = b[b != 0]
    return a[:, None], b[None]


def _number_like(dtype: str) -> Any:
    return True if dtype == "bool" else 2 if dtype in WHOLE else 2.5 if dtype in FLOATS else 2j


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two(name: str) -> None:
    def differences() -> Iterator[str]:
        for dtype in EVERY:
            a, b = _operands(name, dtype, dtype)
            yield compare(named(name), a, b)
            number = _number_like(dtype)
            yield compare(named(name), a, number)
            yield compare(named(name), number, b)
            yield compare(named(name), np.ones((0, 3), dtype), np.ones((1, 3), dtype))
            yield compare(named(name), np.ones((), dtype), np.ones((), dtype))
        for first, second in itertools.permutations(EVERY, 2):
            if _meet(first, second):
                yield compare(named(name), np.ones(2, first), np.ones(2, second))

    _assert_none(differences())


OPERATORS = (
    "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift eq ne lt le gt ge".split()
)
IN_PLACE = "iadd isub imul itruediv ifloordiv imod ipow iand ior ixor ilshift irshift".split()


@pytest.mark.parametrize("name", [*OPERATORS, *IN_PLACE])
def test_operators(name: str) -> None:
    function = getattr(operator, name)
    plain = name.removeprefix("i").strip("_")

    def differences() -> Iterator[str]:
        for dtype in EVERY:
            a, b = _operands(plain, dtype, dtype)
            if name in IN_PLACE:
                a = np.broadcast_to(a, (a.shape[0], b.shape[1]))
            yield compare(lambda _: function, a, b)
            for number in (True, 3, 2.5, 1j) if plain not in ("lt", "le", "gt", "ge") else (3,):
                yield compare(lambda _: function, a, number)
                if name in OPERATORS:
                    yield compare(lambda _: function, number, b)

    _assert_none(differences())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions(shape: tuple[int, ...]) -> None:
    rank = len(shape)
    along: list[Any] = [None, *range(-rank, rank)]
    several = [*along, *([(0,), tuple(range(rank))] if rank else [])]
    signed = [dtype for dtype in EVERY if not dtype.startswith("u")]

    def differences() -> Iterator[str]:
        for dtype, keep in itertools.product(EVERY, (False, True)):
            x = numbers(dtype, shape)
            for axis in several:
                options = {"axis": axis, "keepdims": keep}
                for name in ("all", "any") if dtype != "uint8" else ():
                    yield compare(named(name), x, **options)
                for name in ("sum", "prod") if dtype in signed else ():
                    yield compare(named(name), x, **options)
                for name in ("mean", "count_nonzero"):
                    yield compare(named(name), x, **options)
                for name in ("var", "std"):
                    yield compare(named(name), x, correction=0.5, **options)
                for name in ("max", "min") if isinstance(axis, tuple | None) else ():
                    yield compare(named(name), x, **options)
            for name, axis in itertools.product(("argmax", "argmin"), along):
                yield compare(named(name), x, axis=axis, keepdims=keep)

    _assert_none(differences())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_along_an_axis(shape: tuple[int, ...]) -> None:
    rank = len(shape)

    def differences() -> Iterator[str]:
        for dtype, axis in itertools.product(EVERY, range(-rank, rank)):
            x = numbers(dtype, shape)
            for name, first in itertools.product(("sum", "prod"), (False, True)):
                options = {"axis": axis, "include_initial": first}
                yield compare(named(f"cumulative_{name}"), x, **options)
            for descending in (False, True):
                yield compare(named("argsort"), x, axis=axis, descending=descending)
            for name in ("diff", "unstack", "flip"):
                yield compare(named(name), x, axis=axis)
            yield compare(named("roll"), x, 2, axis=axis)
            yield compare(named("repeat"), x, 2, axis=axis)
            yield compare(named("squeeze"), x, axis)
            yield compare(named("expand_dims"), x, axis=axis)
            yield compare(named("concat"), [x, x], axis=axis)
            yield compare(named("stack"), [x, x], axis=axis)
            yield compare(named("moveaxis"), x, axis, 0)
            yield compare(named("take"), x, np.zeros(0, np.int64), axis=axis)
            if shape[axis]:
                yield compare(named("take"), x, np.array([-1, 0], np.int32), axis=axis)
        for dtype in EVERY:
            x = numbers(dtype, shape)
            for name in ("unique_all", "unique_counts", "unique_inverse"):
                yield compare(named(name), x)
            for name in ("flip", "ones_like", "zeros_like", "matrix_transpose"):
                yield compare(named(name), x)
            for counts in ((), (2,), (2, 1, 2), (0, 1)):
                yield compare(named("tile"), x, counts)
            yield compare(named("roll"), x, -4)
            yield compare(named("repeat"), x, 2)
            yield compare(named("concat"), [x, x], axis=None)
            yield compare(named("broadcast_to"), x, (2, *shape))
            yield compare(named("astype"), x, "complex64")

    _assert_none(differences())


def test_dtypes() -> None:
    kinds = ["bool", "signed integer", "unsigned integer", "integral", "real floating", "numeric"]

    def differences() -> Iterator[str]:
        for first, second in itertools.product(EVERY, repeat=2):
            yield compare(named("astype"), numbers(first, (3,)), second)
            if not _meet(first, second):
                continue
            yield compare(named("result_type"), first, second)
            yield compare(named("result_type"), np.ones(2, first), second)
            a, b = np.ones(2, first), np.ones(2, second)
            yield compare(named("concat"), [a, b])
            yield compare(named("where"), np.array([True, False]), a, b)
            yield compare(named("matmul"), a, b)
            yield compare(named("vecdot"), a, b)
            yield compare(named("tensordot"), a, b, axes=0)
        for dtype, kind in itertools.product(EVERY, kinds):
            yield compare(named("isdtype"), dtype, kind)
        for dtype, number in itertools.product(EVERY, (True, 1, 1.0, 1j)):
            yield compare(named("result_type"), np.ones(2, dtype), number)

    _assert_none(differences())


def test_creation() -> None:
    def differences() -> Iterator[str]:
        for dtype in (None, *EVERY):
            options = {} if dtype is None else {"dtype": dtype}
            for shape, name in itertools.product((0, 3, (), (2, 0), [2]), ("zeros", "ones")):
                yield compare(named(name), shape, **options)
                yield compare(named(name), shape=shape, **options)
            for rows, columns, k in itertools.product((0, 3), (None, 2), (-4, 0, 1)):
                yield compare(named("eye"), rows, columns, k=k, **options)
            if dtype not in COMPLEX and dtype != "bool":
                for bounds in ((4,), (1, 9, 2), (5, 1), (1, 5, -1), (9, 1, -3), (0, 0), (2, 3, 50)):
                    yield compare(named("arange"), *bounds, **options)
            if dtype is None or dtype in FLOATS + COMPLEX:
                for bounds in ((0, 1, 5), (0.5, -1.5, 3), (0, 1, 1), (2, 2, 0)):
                    for end in (True, False):
                        yield compare(named("linspace"), *bounds, endpoint=end, **options)
        for number in (True, 3, 2.5, 1j):
            yield compare(named("full"), (2, 2), number)
            yield compare(named("asarray"), [number, number])
        for data in ([[1, 2], [3, 4]], [], [[]], [1, 2.0], (True, False), [2**40], [1.0, 1j]):
            yield compare(named("asarray"), data)
        yield compare(named("linspace"), 0j, 1 + 1j, 4)
        for low, high in ((None, None), (1, None), (None, 1), (3, 1), (float("nan"), 2.0)):
            yield compare(named("clip"), numbers("float64", (2, 3)), low, high)
        for size, name in itertools.product((1, 4, 5), ("fft.fftfreq", "fft.rfftfreq")):
            yield compare(named(name), size, d=0.5)

    _assert_none(differences())


def test_linear_algebra() -> None:
    def differences() -> Iterator[str]:
        for dtype in (*WHOLE, *FLOATS, *COMPLEX):
            for name, shapes in itertools.product(
                ("matmul", "linalg.vecdot", "linalg.cross", "linalg.outer"),
                (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((0, 3), (3, 2)), ((0,), (0,)),
                 ((5, 2, 3), (3, 3)), ((2, 3), (2, 3)), ((2, 0), (0, 3))),
            ):  # fmt: skip
                if name != "linalg.cross" or shapes[0][-1] == shapes[1][-1] == 3:
                    yield compare(named(name), *(numbers(dtype, shape) for shape in shapes))
            for offset in (-5, 0, 1):
                x = numbers(dtype, (2, 3, 4))
                yield compare(named("linalg.trace"), x, offset=offset)
                yield compare(named("linalg.diagonal"), x, offset=offset)
        for dtype, shape in itertools.product(FLOATS + COMPLEX, ((3, 3), (0, 0), (2, 0, 0))):
            x = numbers(dtype, shape) + 4 * np.eye(shape[-1], dtype=dtype)
            for name in ("det", "inv", "slogdet", "matrix_norm", "svdvals", "pinv", "matrix_rank"):
                yield compare(named(f"linalg.{name}"), x, rtol=1e-3)
            for power in (0, 1, 3, -1):
                yield compare(named("linalg.matrix_power"), x, power, rtol=1e-3)
            yield compare(named("linalg.solve"), x, numbers(dtype, shape), rtol=1e-3)
        for order, keep in itertools.product((2, 1, 0, 3, np.inf, -np.inf), (False, True)):
            options = {"ord": order, "keepdims": keep}
            yield compare(named("linalg.vector_norm"), numbers("float32", (2, 3)), **options)
            yield compare(
                named("linalg.vector_norm"), numbers("complex64", (3,)), axis=0, **options
            )

    _assert_none(differences())


KEYS = (
    0, -1, (0, 1), ..., None, (), (..., 0), (0, ...), (None, 0, None), slice(1, 3),
    slice(None, None, -1), slice(3, 0, -2), slice(9, 0, -2), slice(-1, -9, -1), slice(0, 0, -1),
    (slice(None, None, -1), slice(None, None, -2), 0), (slice(3, None, -1), ...), slice(-9, 9),
    (slice(None, None, -2), None, slice(4, 1, -3), -1), (slice(2, 2),), (0, slice(None, None, -1)),
    np.array([True, False, True, True]), np.array(True), np.array(False), np.zeros((4, 5), bool),
    np.array([0, 2]), (np.array([0, 1]), np.array([2, 3]), np.array([[1], [0]])),
    (0, np.array([1]), 2),
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indices(key: Any) -> None:
    """Read, filled with one number, filled with numbers, and under jitnet.compile."""
    x = np.arange(120).reshape(4, 5, 6)

    def fill(a: Any, index: Any) -> Any:
        a[index] = 7
        return a

    def double(a: Any, index: Any) -> Any:
        a[index] = a[index] * 2 + 1
        return a

    for function in (operator.getitem, fill, double):
        assert not compare(lambda _, function=function: function, x, key)
    if not any(
        isinstance(part, np.ndarray) for part in (key if isinstance(key, tuple) else (key,))
    ):
        double(x, key)
        compiled = jitnet.compile(lambda a: double(a, key))
        assert jitnet.equal(compiled(jitnet.arange(120).reshape(4, 5, 6)), jitnet.from_numpy(x))


def _functions(namespace: Any) -> Iterator[tuple[str, Any]]:
    for name in namespace.__all__:
        function = getattr(namespace, name)
        if inspect.isfunction(function):
            yield name, function


@pytest.mark.parametrize("extension", ["", "linalg", "fft"])
def test_words(extension: str) -> None:
    """Every keyword of the standard is in the signature, and there is room for what has a place."""
    mine = getattr(jitnet, extension) if extension else jitnet
    for name, function in _functions(getattr(strict, extension) if extension else strict):
        if "flags" in name or not inspect.signature(function).parameters:
            continue
        have = inspect.signature(getattr(mine, name)).parameters
        kinds = [each.kind for each in have.values()]
        places = (
            99 if inspect.Parameter.VAR_POSITIONAL in kinds else sum(kind < 2 for kind in kinds)
        )
        for place, wanted in enumerate(inspect.signature(function).parameters.values()):
            if wanted.kind is wanted.KEYWORD_ONLY:
                assert wanted.name in have, (name, wanted.name)
            elif wanted.kind is not wanted.VAR_POSITIONAL:
                assert place < places, (name, wanted.name)
                assert wanted.kind is wanted.POSITIONAL_ONLY or wanted.name in have, (name, wanted)
