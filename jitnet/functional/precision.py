"""The precision that functions compute in: 16-bit floats as float32, and what autocast changes.

A function that is one in PyTorch may be several ops here. `rounded_once` lets them all compute in
float32, so that only the function's result is rounded. The lists that `autocast_*` make are those
of PyTorch's autocast for CPUs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from jitnet.runtime.dtype import DType, float32, float64

from ..modes import mode
from ..tensor import Tensor
from .promote import result_type, to_dtype

F = TypeVar("F", bound=Callable[..., Any])


# -- rounding -----------------------------------------------------------------------------------


def rounded_once(function: F) -> F:
    """Let a function compute with 16-bit floats as float32, and round its results at the end.

    Arguments of several dtypes decide together, as in arithmetic; a dtype that is asked for wins.
    """

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        for value in (*args, *options.values()) if options else args:
            if isinstance(value, Tensor) and value._type.dtype.narrow:
                return _widely(function, args, options)
        return function(*args, **options)

    return run  # type: ignore[return-value]


def rounded_as_input(function: F) -> F:
    """Like rounded_once, where the first argument decides: weights may have another dtype."""

    @wraps(function)
    def run(input: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(input, Tensor) or not input._type.dtype.narrow:
            return function(input, *args, **options)
        result = function(to_dtype(input, float32), *args, **options)
        return _narrowed(result, input._type.dtype)

    return run  # type: ignore[return-value]


def _widely(function: F, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Call function with float32 for 16-bit floats, if that is what its result is to be."""
    given = (*args, *options.values())
    dtype = result_type(*[value for value in given if isinstance(value, Tensor)])
    if not dtype.narrow or any(isinstance(value, DType) for value in given):
        return function(*args, **options)
    wide = _cast(args, float32)
    return _narrowed(function(*wide, **_cast(options, float32)), dtype)


def _narrowed(result: Any, dtype: DType) -> Any:
    if isinstance(result, Tensor):
        return to_dtype(result, dtype) if result._type.dtype is float32 else result
    return tuple(_narrowed(part, dtype) for part in result)


def _cast(value: Any, dtype: DType) -> Any:
    """Return a nest of arguments with all floats but float64 as dtype."""
    if isinstance(value, Tensor):
        own = value._type.dtype
        return to_dtype(value, dtype) if own.kind == "float" and own is not float64 else value
    if isinstance(value, dict):
        return {key: _cast(item, dtype) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [_cast(item, dtype) for item in value]
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    return value


# -- autocast -----------------------------------------------------------------------------------


def _inside_autocast(function: F, dtype_of: Callable[[DType], DType | None]) -> F:
    """Return function with its arguments cast while autocast is on, and autocast off inside.

    dtype_of: from autocast's dtype to that of the arguments; None leaves them.
    """

    @wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        now = mode.now
        if now.autocast is None:
            return function(*args, **options)
        dtype = dtype_of(now.autocast)
        mode.now = now.casting(None)
        try:
            if dtype is None:
                return function(*args, **options)
            return function(*_cast(args, dtype), **_cast(options, dtype))
        finally:
            mode.now = now

    return run  # type: ignore[return-value]


def autocast_lowers(function: F) -> F:
    """Mark a function that autocast computes with 16-bit floats: products of matrices."""
    return _inside_autocast(function, lambda dtype: dtype)


def autocast_widens(function: F) -> F:
    """Mark a function that autocast computes, and returns, in float32: losses, products."""
    return _inside_autocast(function, lambda dtype: float32)


def autocast_passes(function: F) -> F:
    """Mark a function that autocast leaves alone, though functions that it calls are lowered."""
    return _inside_autocast(function, lambda dtype: None)
