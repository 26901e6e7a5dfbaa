"""Calls of the array API standard's functions: (name, arguments, keywords), arguments in NumPy.

A text that names a dtype stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Case = tuple[str, tuple[Any, ...], dict[str, Any]]

# Every name of the standard's main namespace, version 2024.12.
NAMES = """
abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2 atanh
bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor bool
broadcast_arrays broadcast_to can_cast ceil clip complex128 complex64 concat conj copysign cos cosh
count_nonzero cumulative_prod cumulative_sum diff divide e empty empty_like equal exp expand_dims
expm1 eye finfo flip float32 float64 floor floor_divide from_dlpack full full_like greater
greater_equal hypot iinfo imag inf int16 int32 int64 int8 isdtype isfinite isinf isnan less
less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor
matmul matrix_transpose max maximum mean meshgrid min minimum moveaxis multiply nan negative newaxis
nextafter nonzero not_equal ones ones_like permute_dims pi positive pow prod real reciprocal
remainder repeat reshape result_type roll round searchsorted sign signbit sin sinh sort sqrt square
squeeze stack std subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc uint16
uint32 uint64 uint8 unique_all unique_counts unique_inverse unique_values unstack var vecdot where
zeros zeros_like __array_namespace_info__ __array_api_version__
""".split()


def floats(*shape: int) -> np.ndarray:
    """Floats from -2 to 2."""
    return np.linspace(-2, 2, int(np.prod(shape))).reshape(shape).astype(np.float32)


def whole(*shape: int) -> np.ndarray:
    """Whole numbers from -3."""
    return np.arange(int(np.prod(shape))).reshape(shape) - 3


def bools(*shape: int) -> np.ndarray:
    """True and False in turn."""
    return np.arange(int(np.prod(shape))).reshape(shape) % 2 == 0


def _unary() -> Iterator[Case]:
    for name in "abs ceil floor trunc round sign square positive negative".split():
        yield name, (floats(2, 3),), {}
        yield name, (whole(2, 3),), {}
    rest = "acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 reciprocal sin"
    for name in f"{rest} sinh sqrt tan tanh isfinite isinf isnan signbit conj".split():
        yield name, (floats(2, 3),), {}
    for name in "isfinite isinf isnan bitwise_invert".split():
        yield name, (whole(3),), {}
    for name in "logical_not bitwise_invert".split():
        yield name, (bools(3),), {}


def _binary() -> Iterator[Case]:
    arithmetic = "add subtract multiply pow maximum minimum remainder floor_divide"
    for name in f"{arithmetic} not_equal less less_equal greater greater_equal".split():
        for a, b in ((floats(2, 3), floats(3) + 5), (whole(2, 3) + 5, whole(3) + 5)):
            yield name, (a, b), {}
            yield name, (a, 2), {}
            yield name, (2, b), {}
    for name in "divide atan2 hypot logaddexp copysign nextafter".split():
        a, b = floats(2, 3), floats(3) + 0.5
        yield name, (a, b), {}
        yield name, (a, 2.0), {}
        yield name, (2.0, b), {}
    for name in "bitwise_and bitwise_or bitwise_xor".split():
        yield name, (bools(3), bools(3)), {}
    for name in "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift".split():
        yield name, (whole(3) + 4, whole(3) + 4), {}
        yield name, (whole(3), 1), {}
        yield name, (1, whole(3) + 4), {}
    for name in "logical_and logical_or logical_xor".split():
        yield name, (bools(2, 3), bools(3)), {}
        yield name, (bools(2, 3), True), {}
        yield name, (True, bools(2, 3)), {}
    yield "where", (bools(2, 3), floats(2, 3), floats(3)), {}
    yield "where", (bools(2, 3), 1.0, floats(3)), {}
    yield "where", (bools(2, 3), floats(3), 2), {}
    yield "clip", (floats(2, 3),), {"min": -1.0, "max": 1.0}
    yield "clip", (floats(2, 3), floats(3), None), {}
    yield "clip", (whole(2, 3), 0, 1), {}


_ALONG: tuple[dict[str, Any], ...] = (
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"keepdims": True},
)
_ALONG_SEVERAL = (*_ALONG, {"axis": (0, 1)}, {"axis": (0, -1), "keepdims": True})


def _reductions() -> Iterator[Case]:
    for name in "sum prod mean".split():
        for options in _ALONG_SEVERAL:
            yield name, (floats(2, 3, 2),), options
    for name in "max min".split():
        for options in ({}, {"keepdims": True}, {"axis": (0, 1)}, {"axis": (0,), "keepdims": True}):
            yield name, (floats(2, 3, 2),), options
    for name in "sum prod max min".split():
        yield name, (whole(2, 3),), {}
        yield name, (whole(2, 3).astype(np.int32),), {}
    for name in "sum prod".split():
        yield name, (whole(2, 3),), {"dtype": "float64"}
    for name in "var std".split():
        for options in _ALONG_SEVERAL:
            yield name, (floats(2, 3, 2),), {"correction": 0.5, **options}
    for name in "all any".split():
        for options in _ALONG_SEVERAL:
            yield name, (bools(2, 3),), options
            yield name, (floats(2, 3),), options
    for name in "argmax argmin".split():
        for options in _ALONG:
            yield name, (floats(2, 3),), options
    for options in _ALONG_SEVERAL:
        yield "count_nonzero", (whole(2, 3),), options
    for options in ({}, {"axis": 0}, {"stable": False}):
        yield "argsort", (floats(2, 3),), options
    for name in "cumulative_sum cumulative_prod".split():
        for options in ({"axis": 0}, {"axis": -1, "include_initial": True}):
            yield name, (floats(2, 3),), options
            yield name, (whole(2, 3),), options
        yield name, (floats(2, 3),), {"axis": 1, "dtype": "float64"}
        yield name, (floats(3),), {}
    around = {"prepend": floats(2, 1), "append": floats(2, 1)}
    for options in ({}, {"axis": 0}, {"n": 2}, around):
        yield "diff", (floats(2, 3),), options


def _shapes() -> Iterator[Case]:
    x = floats(2, 3)
    yield "concat", ((x, x),), {}
    yield "concat", ((x, x),), {"axis": 1}
    yield "concat", ((x, floats(2, 2)),), {"axis": None}
    yield "stack", ((x, x),), {"axis": -1}
    for options in ({}, {"axis": 0}, {"axis": (0, 1)}, {"axis": None}):
        yield "flip", (x,), options
    yield "expand_dims", (x,), {"axis": 1}
    yield "expand_dims", (x,), {"axis": -1}
    yield "squeeze", (floats(1, 3, 1), 0), {}
    yield "squeeze", (floats(1, 3, 1), (0, 2)), {}
    yield "squeeze", (floats(1, 3, 1),), {"axis": 2}
    yield "permute_dims", (floats(2, 3, 4), (2, 0, 1)), {}
    yield "permute_dims", (floats(2, 3, 4),), {"axes": (2, 0, 1)}
    yield "moveaxis", (floats(2, 3, 4), 0, 2), {}
    yield "moveaxis", (floats(2, 3, 4), (0, 1), (2, 0)), {}
    yield "matrix_transpose", (floats(2, 3, 4),), {}
    yield "reshape", (x, (3, 2)), {}
    yield "reshape", (x,), {"shape": (6,)}
    yield "reshape", (x, (-1,)), {"copy": True}
    yield "reshape", (x, (-1,)), {"copy": False}
    yield "roll", (x, 1), {}
    yield "roll", (x, (1, 2)), {"axis": (0, 1)}
    yield "roll", (x,), {"shift": 1, "axis": -1}
    for counts in ((2, 2), (2, 1, 2), (2,)):
        yield "tile", (x, counts), {}
    yield "repeat", (x, 2), {}
    yield "repeat", (x, 2), {"axis": 1}
    yield "repeat", (x, np.array([1, 2])), {"axis": 0}
    yield "repeat", (floats(3), np.array([1, 0, 2])), {}
    yield "unstack", (x,), {}
    yield "unstack", (x,), {"axis": 1}
    yield "broadcast_to", (floats(3), (2, 3)), {}
    yield "broadcast_to", (floats(3),), {"shape": (2, 3)}
    yield "broadcast_arrays", (floats(3), floats(2, 1)), {}
    yield "meshgrid", (floats(2), floats(3)), {"indexing": "ij"}
    yield "meshgrid", (floats(2), floats(3), floats(2)), {"indexing": "xy"}
    for name in "tril triu".split():
        for options in ({}, {"k": 1}, {"k": -1}):
            yield name, (floats(2, 3, 3),), options


def _searches() -> Iterator[Case]:
    x = floats(2, 3)
    yield "take", (x, np.array([1, 0])), {"axis": 0}
    yield "take", (floats(3), np.array([1, 0])), {}
    yield "take", (x, np.array([-1])), {"axis": 1}
    yield "take_along_axis", (x, np.array([[1], [0]])), {"axis": 1}
    yield "take_along_axis", (x, np.array([[1, 0, 2], [0, 0, 0]])), {}
    ordered = floats(5)
    yield "searchsorted", (ordered, floats(3)), {}
    yield "searchsorted", (ordered, floats(3)), {"side": "right"}
    yield "searchsorted", (ordered[::-1].copy(), floats(3)), {"sorter": np.arange(4, -1, -1)}
    for name in "unique_all unique_counts unique_inverse unique_values".split():
        yield name, (np.array([3, 1, 1, 2]),), {}
        yield name, (np.array([[3, 1], [1, 2.0]]),), {}
        yield name, (np.array([np.nan, 1, np.nan]),), {}


def _products() -> Iterator[Case]:
    x = floats(2, 3)
    yield "matmul", (x, floats(3, 2)), {}
    yield "matmul", (whole(2, 3), whole(3, 2)), {}
    yield "matmul", (floats(3), floats(3)), {}
    yield "vecdot", (x, floats(3)), {}
    yield "vecdot", (whole(2, 3), whole(2, 3)), {"axis": -2}
    yield "tensordot", (x, floats(3, 2)), {"axes": 1}
    yield "tensordot", (x, x), {"axes": ((0, 1), (0, 1))}
    yield "tensordot", (x, x), {}
    yield "tensordot", (floats(2), floats(3)), {"axes": 0}


def _making() -> Iterator[Case]:
    for name in "zeros ones".split():
        yield name, ((2, 3),), {}
        yield name, (3,), {"dtype": "int32"}
        yield name, ((),), {"device": None}
        yield name, (), {"shape": (2,)}
        yield f"{name}_like", (floats(2),), {}
        yield f"{name}_like", (floats(2),), {"dtype": "int64", "device": None}
    yield "full", ((2, 3), 1.5), {}
    yield "full", (3, 2), {}
    yield "full", ((), True), {}
    yield "full", ((2,), 2), {"dtype": "float64"}
    yield "full", (), {"shape": (2,), "fill_value": 1}
    yield "full_like", (floats(2), 3), {}
    yield "eye", (3,), {}
    yield "eye", (3, 4), {"k": 1}
    yield "eye", (3, 4), {"k": -1, "dtype": "int64"}
    yield "eye", (3, None), {}
    for bounds in ((3,), (1, 7, 2), (1.0, 2.0, 0.25), (5, 0, -1)):
        yield "arange", bounds, {}
    yield "arange", (5,), {"stop": 9}
    yield "arange", (3,), {"dtype": "float64"}
    yield "arange", (0,), {"stop": 3, "step": 1}
    yield "linspace", (0.0, 1.0, 5), {}
    yield "linspace", (0, 1), {"num": 4, "endpoint": False}
    yield "linspace", (0, 1, 4), {"dtype": "float32"}
    yield "linspace", (0.0, 1.0, 1), {}
    yield "linspace", (0.0, 1.0, 0), {}
    yield "asarray", ([1, 2],), {}
    yield "asarray", ([1.0, 2],), {"dtype": "float32"}
    yield "asarray", (floats(2),), {"copy": True}
    yield "asarray", (floats(2),), {"copy": False, "device": None}
    yield "asarray", (3,), {}
    yield "asarray", (True,), {}
    yield "asarray", ([[1.0, 2], [3, 4]],), {"copy": True}


def _dtypes() -> Iterator[Case]:
    yield "astype", (floats(2), "int64"), {}
    yield "astype", (floats(2), "float32"), {"copy": False, "device": None}
    yield "result_type", ("float32", "float64"), {}
    yield "result_type", (floats(2), "float64"), {}
    yield "result_type", (floats(2), 1), {}
    yield "result_type", (whole(2), 1.0), {}
    yield "result_type", ("int8", "uint8"), {}
    yield "result_type", ("int32", "int64", whole(2)), {}
    yield "can_cast", ("int32", "int64"), {}
    yield "can_cast", ("float32", "int64"), {}
    yield "can_cast", ("bool", "int64"), {}
    yield "isdtype", ("int32", "integral"), {}
    yield "isdtype", ("bool", ("bool", "numeric")), {}
    yield "isdtype", ("float32", "float32"), {}
    yield "isdtype", ("uint8", "signed integer"), {}


def cases() -> list[Case]:
    """Every call."""
    families = (
        _unary, _binary, _reductions, _shapes, _searches, _products, _making, _dtypes,
    )  # fmt: skip
    return [case for family in families for case in family()]
