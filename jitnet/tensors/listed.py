"""Python's numbers and nested lists as arrays, with PyTorch's dtypes and its errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType, bfloat16, convert, from_numpy_dtype, int64, uint64

from ..errors import at_line
from ..tensor import Tensor

_EXACT = 2.0**53  # float64 holds every whole number up to this one


def array_of(data: Any, dtype: DType | None, floats: DType) -> np.ndarray:
    """Return nested lists, numbers and tensors as an array of PyTorch's dtype for them.

    floats: what Python's floats become where no dtype is given.
    """
    if isinstance(data, np.ndarray | np.generic):
        array = np.array(data, order="C")
        if array.dtype.kind in "iufbc" and not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
    else:
        array = _numbers(_plain(data), dtype, floats)
    if array.dtype.kind not in "biufc" and array.dtype != bfloat16.numpy:
        raise TypeError(
            at_line(f"cannot make a tensor of {type(data).__name__} with elements {array.dtype}")
        )
    return array if dtype in (None, from_numpy_dtype(array.dtype)) else convert(array, dtype)


def _numbers(data: Any, dtype: DType | None, floats: DType) -> np.ndarray:
    """Return Python's numbers as an array of the dtype, or of the one for such numbers."""
    array = np.array(data)
    if array.dtype.kind in "Of" and array.size:
        array = _exactly(array, data)
    if array.dtype.kind == "c":
        return _complex(array, floats.to_complex() if dtype is None else dtype)
    if array.dtype.kind == "f" or array.size == 0:
        dtype = floats if dtype is None else dtype
    elif dtype is None and array.dtype.kind in "iuO":
        dtype = int64
    if dtype is None or array.dtype.kind not in "iufO":
        return array
    if dtype.kind in ("int", "uint") and array.size:
        _check_range(array, dtype)
    return convert(array.astype(np.float64) if array.dtype.kind == "O" else array, dtype)


def _exactly(array: np.ndarray, data: Any) -> np.ndarray:
    """Return whole numbers as they are, where NumPy makes floats or objects of large ones.

    Objects that are left are whole numbers beyond 64 bits.
    """
    if array.dtype.kind == "f" and not np.any(np.abs(array) >= _EXACT):
        return array
    each = np.array(data, dtype=object)
    if not all(isinstance(value, int | np.integer) for value in each.flat):
        numbers = all(isinstance(value, int | float | np.number) for value in each.flat)
        return array.astype(np.float64) if numbers else array
    fits = each.min() >= 0 and each.max() < 1 << 64
    return each.astype(np.uint64) if fits else each


def _check_range(array: np.ndarray, dtype: DType) -> None:
    """Raise unless the dtype holds all numbers; unsigned ones of up to 32 bits may be negated."""
    bottom, top = dtype.limits
    least = -top if dtype.kind == "uint" and dtype is not uint64 else bottom
    low, high = array.min(), array.max()
    if not (least - 1 < low and high < top + 1):
        outside = high if least - 1 < low else low
        raise RuntimeError(
            at_line(
                f"value cannot be converted to type {dtype.name} without overflow: got {outside}, "
                f"which is not from {bottom} to {top}"
            )
        )


def _complex(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return Python's complex numbers as dtype; RuntimeError if that would drop imaginary parts."""
    if not dtype.is_complex and array.imag.any():
        raise RuntimeError(
            at_line(f"complex numbers cannot be converted to {dtype}; take their .real first")
        )
    return convert(array, dtype)


def _plain(data: Any) -> Any:
    """Return nested lists with every tensor inside as a list."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, list | tuple) and any(
        isinstance(item, list | tuple | Tensor) for item in data
    ):
        items = [_plain(item) for item in data]
        if len({_shape_of(item) for item in items}) > 1:
            raise ValueError(at_line("a tensor wants nested lists of equal lengths"))
        return items
    return data


def _shape_of(item: Any) -> int:
    return len(item) if isinstance(item, list | tuple) else -1
