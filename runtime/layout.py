"""Where an object keeps its type and an array its data pointer: checked, not assumed."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The type is the last field of every object's header, and the data pointer is an array's first
# field of its own. Debug and free-threaded builds have longer headers, with the same two ends.
DATA_OFFSET = object.__basicsize__
TYPE_OFFSET = DATA_OFFSET - ctypes.sizeof(ctypes.c_void_p)

_pointer_at = ctypes.c_void_p.from_address


def _samples() -> list[NDArray[Any]]:
    """Return arrays of every kind of layout that can reach a Program."""
    block = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = [block[1:, 2:], block[::-1, ::-2], block.T, block[2, 3], block[4:]]
    views.append(np.broadcast_to(block, (2, 4, 6)))
    fresh = [np.zeros((), np.int64), np.zeros((0, 3)), np.ones(3, bool)]
    return [np.asarray(array) for array in (block, *views, *fresh)]


def _is_as_expected() -> bool:
    if platform.python_implementation() != "CPython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    for array in _samples():
        type_, data = id(array) + TYPE_OFFSET, id(array) + DATA_OFFSET
        if _pointer_at(type_).value != id(np.ndarray):
            return False
        if _pointer_at(data).value != array.ctypes.data:
            return False
    return True


LAYOUT_KNOWN = _is_as_expected()


def _address_from_field(array: NDArray[Any]) -> int:
    address = _pointer_at(id(array) + DATA_OFFSET).value
    assert address is not None
    return address


def _address_from_numpy(array: NDArray[Any]) -> int:
    return array.ctypes.data


# Returns the address of an array's element [0, ..., 0], 10 times faster than NumPy tells it.
address_of = _address_from_field if LAYOUT_KNOWN else _address_from_numpy
