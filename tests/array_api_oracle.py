"""Calls of the same function here and in array_api_strict, compared: dtypes, shapes, bits of zero.

What array_api_strict refuses is left undefined by the standard, so that anything may come here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_strict as strict
import numpy as np

import jitnet

WHOLE = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
FLOATS = ["float32", "float64"]
COMPLEX = ["complex64", "complex128"]
EVERY = ["bool", *WHOLE, *FLOATS, *COMPLEX]
_ARRAY, _DTYPE = type(strict.ones(1)), type(strict.int8)
SHAPES = ((), (1,), (0,), (3,), (2, 3), (0, 3), (2, 1, 3))


def specials(name: str) -> np.ndarray:
    """Return the numbers of a dtype at which functions turn."""
    if name == "bool":
        return np.array([True, False])
    if name in WHOLE:
        info = np.iinfo(name)
        rest = [-1, -2] if info.min else []
        return np.array([info.min, info.max, 0, 1, 2, 7, info.max // 2, *rest], name)
    if name in COMPLEX:
        parts = (0.0, -0.0, 1.0, -2.5)
        return np.array([complex(re, im) for re in parts for im in parts], name)
    large = float(np.finfo(name).max) * 0.9
    ones = [0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf, large]
    return np.array([*ones, *(-one for one in ones), np.nan], name)


def numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return ordinary numbers of a dtype, of which some are equal."""
    rng = np.random.default_rng(len(shape))
    if name == "bool":
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if name in WHOLE:
        return np.asarray(rng.integers(0 if name[0] == "u" else -9, 10, shape)).astype(name)
    parts = rng.integers(-6, 7, (2, *shape)) / 2
    return np.asarray(parts[0] + 1j * parts[1] if name in COMPLEX else parts[0]).astype(name)


def _given(namespace: Any, value: Any) -> Any:
    match value:
        case np.ndarray():
            copied = np.array(value)
            return jitnet.from_numpy(copied) if namespace is jitnet else strict.asarray(copied)
        case str() if value in EVERY:
            return getattr(namespace, value)
        case tuple() | list():
            return type(value)(_given(namespace, item) for item in value)
    return value


def _got(value: Any) -> Any:
    match value:
        case jitnet.Tensor():
            return value.numpy()
        case tuple() | list():
            return [_got(item) for item in value]
        case jitnet.dtype():
            return value.name
    if isinstance(value, _ARRAY):
        return np.asarray(value._array)
    return value._np_dtype.name if isinstance(value, _DTYPE) else value


def _difference(got: Any, wanted: Any, rtol: float) -> str:
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return f"{got} instead of {wanted}"
        found = (_difference(one, two, rtol) for one, two in zip(got, wanted, strict=True))
        return next(filter(None, found), "")
    if not isinstance(wanted, np.ndarray):
        return "" if got == wanted else f"{got!r} instead of {wanted!r}"
    if not isinstance(got, np.ndarray):
        return f"{got!r} instead of an array"
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return f"{got.dtype}{got.shape} instead of {wanted.dtype}{wanted.shape}"
    near = got == wanted
    if wanted.dtype.kind in "fc":
        with np.errstate(all="ignore"):
            near = np.isclose(got, wanted, rtol, 1e-7, equal_nan=True)
        if wanted.dtype.kind == "f":
            near &= (wanted != 0) | (np.signbit(got) == np.signbit(wanted))
    return "" if near.all() else f"{got[~near]} instead of {wanted[~near]}"


def compare(
    function: Callable[[Any], Callable[..., Any]], *args: Any, rtol: float = 2e-6, **options: Any
) -> str:
    """Return how jitnet's result differs; function(namespace) is what to call. "" if it does not.

    Arguments are NumPy's arrays; a text that names a dtype stands for it.
    """
    try:
        with np.errstate(all="ignore"):
            called = function(strict)
            given = {word: _given(strict, value) for word, value in options.items()}
            wanted = _got(called(*_given(strict, args), **given))
    except (TypeError, ValueError, IndexError, OverflowError):
        return ""
    given = {word: _given(jitnet, value) for word, value in options.items()}
    try:
        said = _difference(_got(function(jitnet)(*_given(jitnet, args), **given)), wanted, rtol)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}"
    shown = [f"{arg.dtype}{arg.shape}" if isinstance(arg, np.ndarray) else arg for arg in args]
    return f"{shown} {options}: {said}" if said else ""


def named(path: str) -> Callable[[Any], Any]:
    """Return what finds "linalg.cross" in a namespace."""

    def find(namespace: Any) -> Any:
        for name in path.split("."):
            namespace = getattr(namespace, name)
        return namespace

    return find
