"""Where objects keep what native code reads of them: checked, not assumed.

Every offset counts bytes from the start of an object.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = ctypes.sizeof(ctypes.c_void_p)

# The type is the last field of every object's header, and the data pointer is an array's first
# field of its own. Debug builds have longer headers, with the same two ends.
DATA_OFFSET = object.__basicsize__
TYPE_OFFSET = DATA_OFFSET - _WORD
REFERENCES_OFFSET = TYPE_OFFSET - _WORD  # i32: how many hold the object
RANK_OFFSET = DATA_OFFSET + 1 * _WORD  # i32
SHAPE_OFFSET = DATA_OFFSET + 2 * _WORD  # ptr
STRIDES_OFFSET = DATA_OFFSET + 3 * _WORD  # ptr, to bytes from element to element
DTYPE_OFFSET = DATA_OFFSET + 5 * _WORD  # ptr
FLAGS_OFFSET = DATA_OFFSET + 6 * _WORD  # i32
WRITEABLE = 0x400  # of the flags
PACKED = 0x1 | 0x100 | WRITEABLE  # C-contiguous, aligned

# Functions of NumPy's C interface, by their places in its table; these never change.
ARRAY_FUNCTIONS = {"PyArray_NewFromDescr": 94, "PyArray_SetBaseObject": 282}
_ARRAY_TYPE = 2  # the place of ndarray

_pointer_at = ctypes.c_void_p.from_address
_int_at = ctypes.c_int32.from_address


def _samples() -> list[NDArray[Any]]:
    """Return arrays of every kind of layout that can reach a Program."""
    block = np.arange(24, dtype=np.float32).reshape(4, 6)
    views = [block[1:, 2:], block[::-1, ::-2], block.T, block[2, 3], block[4:]]
    views.append(np.broadcast_to(block, (2, 4, 6)))
    fresh = [np.zeros((), np.int64), np.zeros((0, 3)), np.ones(3, bool)]
    return [np.asarray(array) for array in (block, *views, *fresh)]


def _numbers_at(address: int | None, count: int) -> tuple[int, ...]:
    return tuple((ctypes.c_int64 * count).from_address(address)) if address and count else ()


def _shows(array: NDArray[Any]) -> bool:
    """Whether an array's fields are where they should be."""
    start, rank = id(array), array.ndim
    return (
        _pointer_at(start + TYPE_OFFSET).value == id(np.ndarray)
        and _pointer_at(start + DATA_OFFSET).value == array.ctypes.data
        and _int_at(start + RANK_OFFSET).value == rank
        and _numbers_at(_pointer_at(start + SHAPE_OFFSET).value, rank) == array.shape
        and _numbers_at(_pointer_at(start + STRIDES_OFFSET).value, rank) == array.strides
        and _pointer_at(start + DTYPE_OFFSET).value == id(array.dtype)
        and bool(_int_at(start + FLAGS_OFFSET).value & WRITEABLE) == array.flags.writeable
    )


def _counts_references() -> bool:
    """Whether the count is where it should be, and one for an object that one object holds."""
    holder = [object()]
    alone = _int_at(id(holder[0]) + REFERENCES_OFFSET).value
    holder.append(holder[0])
    return (alone, _int_at(id(holder[0]) + REFERENCES_OFFSET).value) == (1, 2)


def array_function(place: int) -> int:
    """Return the address at a place of the table of NumPy's C interface."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.argtypes, get.restype = (ctypes.py_object, ctypes.c_char_p), ctypes.c_void_p
    table = get(np._core._multiarray_umath._ARRAY_API, None)  # type: ignore[attr-defined]
    address = _pointer_at(table + place * _WORD).value
    assert address is not None
    return address


def _is_as_expected() -> bool:
    if platform.python_implementation() != "CPython" or _WORD != 8 or sys.byteorder != "little":
        return False
    if array_function(_ARRAY_TYPE) != id(np.ndarray):
        return False
    return all(map(_shows, _samples())) and _counts_references()


LAYOUT_KNOWN = _is_as_expected()


def _address_from_field(array: NDArray[Any]) -> int:
    address = _pointer_at(id(array) + DATA_OFFSET).value
    assert address is not None
    return address


def _address_from_numpy(array: NDArray[Any]) -> int:
    return array.ctypes.data


# Returns the address of an array's element [0, ..., 0], 10 times faster than NumPy tells it.
address_of = _address_from_field if LAYOUT_KNOWN else _address_from_numpy


def slot_offsets(cls: type) -> dict[str, int]:
    """Return where instances of a class keep the attributes of its __slots__; by trying it out."""
    names = [name for name in cls.__slots__ if not name.startswith("__")]  # type: ignore[attr-defined]
    sample: Any = object.__new__(cls)
    found = {}
    for name in names:
        mark = object()
        setattr(sample, name, mark)
        words = range(DATA_OFFSET, cls.__basicsize__, _WORD)
        (found[name],) = [at for at in words if _pointer_at(id(sample) + at).value == id(mark)]
    return found
