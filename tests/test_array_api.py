"""The Python array API standard 2024.12: its functions, in its words, against NumPy's.

What differs is in docs/array-api.md, whose lists are read here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.array_api_cases import NAMES, Case, cases, floats

DOCS = Path(__file__).parents[1] / "docs" / "array-api.md"
DTYPES = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float32 float64".split()
DTYPES += ["complex64", "complex128"]


@pytest.fixture(autouse=True)
def _double() -> Any:
    """The standard's default dtype in NumPy."""
    jitnet.set_default_dtype(jitnet.float64)
    yield
    jitnet.set_default_dtype(jitnet.float32)


def _given(namespace: Any, value: Any) -> Any:
    """An argument for a namespace."""
    match value:
        case np.ndarray():
            return value.copy() if namespace in (np, np.linalg) else jitnet.from_numpy(value.copy())
        case str() if value in DTYPES:
            return getattr(np if namespace in (np, np.linalg) else jitnet, value)
        case tuple():
            return tuple(_given(namespace, item) for item in value)
    return value


def _got(value: Any) -> Any:
    """A result as (dtype, array), a number or a text, in tuples."""
    match value:
        case tuple() | list():
            return tuple(_got(item) for item in value)
        case jitnet.Tensor():
            return value.dtype.name, value.numpy()
        case np.ndarray() | np.generic():
            return value.dtype.name, np.asarray(value)
        case jitnet.dtype():
            return value.name
        case np.dtype():
            return value.name
    return value


def _same(got: Any, wanted: Any) -> None:
    if not isinstance(wanted, tuple):
        assert got == wanted
        return
    assert len(got) == len(wanted)
    if isinstance(wanted[0], str):
        assert got[0] == wanted[0]
        assert got[1].shape == wanted[1].shape
        np.testing.assert_allclose(got[1], wanted[1], rtol=1e-5, atol=1e-6)
        return
    for one, other in zip(got, wanted, strict=True):
        _same(one, other)


def _call(namespace: Any, case: Case) -> Any:
    name, args, options = case
    given = {key: _given(namespace, value) for key, value in options.items()}
    with np.errstate(all="ignore"):
        got = _got(getattr(namespace, name)(*_given(namespace, args), **given))
    return (got[0], np.sort(got[1])) if name == "unique_values" else got  # in any order


@pytest.mark.parametrize("case", cases(), ids=lambda case: case[0])
def test_functions_do_as_numpys(case: Case) -> None:
    if not hasattr(np, case[0]):
        pytest.skip("this NumPy is older than the function")
    _same(_call(jitnet, case), _call(np, case))


def _listed(heading: str) -> set[str]:
    """The names that a section of the page begins its lines with."""
    section = DOCS.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return {
        name
        for line in re.findall(r"^- ([^:]*):", section, re.M)
        for name in re.findall(r"`(\w+)`", line)
    }


def test_every_name_is_there() -> None:
    assert not [name for name in NAMES if not hasattr(jitnet, name)]


DIFFER: dict[str, list[Case]] = {
    "max": [("max", (np.eye(2),), {"axis": 0})],
    "min": [("min", (np.eye(2),), {"axis": 0})],
    "sort": [("sort", (np.eye(2),), {})],
    "nonzero": [("nonzero", (np.eye(2),), {})],
    "equal": [("equal", (np.eye(2), np.eye(2)), {})],
    "var": [("var", (np.eye(2),), {})],
    "std": [("std", (np.eye(2),), {})],
    "sum": [("sum", (np.eye(2),), {"axis": ()}), ("sum", (np.ones(2, np.uint8),), {})],
    "prod": [("prod", (np.ones(2, np.uint8),), {})],
    "mean": [("mean", (np.eye(2),), {"axis": ()})],
    "all": [("all", (np.ones(2, np.uint8),), {})],
    "any": [("any", (np.ones(2, np.uint8),), {})],
    "sign": [("sign", (np.array([np.nan]),), {})],
    "meshgrid": [("meshgrid", (np.ones(2), np.ones(3)), {})],
    "can_cast": [("can_cast", ("int64", "int32"), {})],
    "result_type": [("result_type", (np.array(1.0), np.ones(2, np.float32)), {})],
}


def test_every_difference_is_listed() -> None:
    assert _listed("What PyTorch means otherwise") >= set(DIFFER)


@pytest.mark.parametrize("case", [case for found in DIFFER.values() for case in found], ids=str)
def test_differences_are_there(case: Case) -> None:
    with pytest.raises((AssertionError, RuntimeError, TypeError)):
        _same(_call(jitnet, case), _call(np, case))


def test_the_namespace_says_what_it_is() -> None:
    x = jitnet.ones(2)
    assert x.__array_namespace__() is jitnet
    assert x.__array_namespace__(api_version="2024.12") is jitnet
    with pytest.raises(ValueError, match=r"2024\.12"):
        x.__array_namespace__(api_version="2099.12")
    info = jitnet.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert info.default_device() in info.devices()
    assert info.default_dtypes() == {
        "real floating": jitnet.float64,
        "complex floating": jitnet.complex128,
        "integral": jitnet.int64,
        "indexing": jitnet.int64,
    }
    assert jitnet.finfo(x).bits == jitnet.iinfo(x.long()).bits == 64
    assert list(info.dtypes(kind="real floating")) == ["float32", "float64"]
    assert set(info.dtypes()) == set(DTYPES)
    assert set(info.dtypes(kind=("bool", "unsigned integer"))) == {"bool", *DTYPES[1:5]}
    assert x.to_device(x.device) is x
    with pytest.raises(RuntimeError, match=r"cuda|CPU"):
        x.to_device("cuda")


def test_argsort_takes_descending() -> None:
    x = jitnet.asarray([2, 1, 2, 3])
    assert jitnet.argsort(x, descending=True, stable=True).tolist() == [3, 0, 2, 1]
    assert jitnet.argsort(x, axis=0, descending=False).tolist() == [1, 0, 2, 3]


def _stack() -> np.ndarray:
    return floats(2, 3, 3)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("cross", (floats(2, 3), floats(2, 3) + 1), {}),
        ("cross", (floats(3, 2), floats(3, 2) + 1), {"axis": 0}),
        ("diagonal", (_stack(),), {"offset": 1}),
        ("matmul", (_stack(), _stack()), {}),
        ("matrix_norm", (_stack(),), {"keepdims": True}),
        ("matrix_norm", (_stack(),), {"ord": 1}),
        ("matrix_power", (_stack(), 5), {}),
        ("matrix_power", (_stack(), 0), {}),
        ("matrix_transpose", (_stack(),), {}),
        ("outer", (floats(2), floats(3)), {}),
        ("tensordot", (floats(2, 3), floats(3, 2)), {"axes": 1}),
        ("trace", (_stack(),), {}),
        ("trace", (_stack(),), {"offset": -1, "dtype": "float64"}),
        ("vecdot", (floats(2, 3), floats(3)), {"axis": -1}),
        ("vector_norm", (_stack(),), {"axis": (0, 2), "keepdims": True}),
        ("vector_norm", (_stack(),), {"ord": 1, "axis": 1}),
        ("vector_norm", (_stack(),), {}),
    ],
)
def test_linear_algebra(name: str, args: Any, options: dict[str, Any]) -> None:
    _same(_call(jitnet.linalg, (name, args, options)), _call(np.linalg, (name, args, options)))


def test_methods_take_the_words_too() -> None:
    x = jitnet.arange(6.0).reshape(2, 3)
    assert x.sum(axis=1, keepdims=True).tolist() == [[3.0], [12.0]]
    assert x.reshape(shape=(3, 2)).shape == (3, 2)
    assert np.sum(x, axis=0).tolist() == [3.0, 5.0, 7.0]
    with pytest.raises(TypeError, match="both 'dim' and 'axis'"):
        x.sum(dim=1, axis=1)


def test_numpys_words_compile() -> None:
    @jitnet.compile
    def run(x: jitnet.Tensor) -> jitnet.Tensor:
        return jitnet.sum(jitnet.expand_dims(x, axis=1), axis=0, keepdims=True)

    x = jitnet.arange(6.0).reshape(2, 3)
    assert run(x).tolist() == [[[3.0, 5.0, 7.0]]]


def test_gradients_of_the_new_functions() -> None:
    x = jitnet.arange(1.0, 7.0).reshape(2, 3).requires_grad_()
    y = jitnet.cumulative_prod(x, axis=1, include_initial=True).sum() + jitnet.vecdot(x, x).sum()
    (y + jitnet.repeat(x, jitnet.tensor([2, 0]), axis=0).sum()).backward()
    assert x.grad.tolist() == [[13.0, 10.0, 10.0], [44.0, 38.0, 32.0]]
