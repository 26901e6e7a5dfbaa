"""DLPack capsules of a GPU's memory, made and read: https://dmlc.github.io/dlpack/latest/c_api.html.

A capsule owns a struct, whose deleter lets go of the memory. Whoever takes the memory renames the
capsule; one that nobody took calls the deleter when it goes away.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from ..dataclass import dataclass
from .array import DeviceArray

KIND = 2  # DLPack's number of CUDA devices
_TENSOR, _VERSIONED = b"dltensor", b"dltensor_versioned"
_USED = {_TENSOR: b"used_dltensor", _VERSIONED: b"used_dltensor_versioned"}
_READ_ONLY = 1  # a flag of versioned capsules


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("kind", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter))


class _ManagedVersioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", _Deleter),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_STRUCTS: dict[bytes, type[_Managed] | type[_ManagedVersioned]] = {
    _TENSOR: _Managed,
    _VERSIONED: _ManagedVersioned,
}


@dataclass(frozen=True)
class Contents:
    """What a capsule says: a GPU's number, an address, elements and how they lie, in elements.

    element: DLPack's kind of number, and its bits.  give_back: to be called once, at the end.
    """

    gpu: int
    address: int
    element: tuple[int, int]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    give_back: Callable[[], None]


def _function(name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


_new = _function("PyCapsule_New", ctypes.py_object, *[ctypes.c_void_p] * 3)
_name_of = _function("PyCapsule_GetName", ctypes.c_char_p, ctypes.py_object)
_pointer = _function("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
_rename = _function("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_void_p)
# Of a capsule that goes away, which must not become a Python object again.
_is_valid = _function("PyCapsule_IsValid", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
_dying_pointer = _function(
    "PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p
)

_lent: dict[int, tuple[Any, ...]] = {}  # address of a struct -> all that must stay
_names = {name: ctypes.create_string_buffer(name) for name in (*_USED, *_USED.values())}


# The two below are called as long as anybody holds memory or a capsule, which may be when Python
# ends and modules are empty: so what they use is theirs by default, and never goes away.


def _delete(struct: int, lent: dict[int, tuple[Any, ...]] = _lent) -> None:
    """Let go of what was lent, for whoever took it."""
    lent.pop(struct, None)


def _gone(
    capsule: int,
    lent: dict[int, tuple[Any, ...]] = _lent,
    names: tuple[bytes, ...] = tuple(_USED),
    is_valid: Any = _is_valid,
    pointer: Any = _dying_pointer,
) -> None:
    """Let go of what a capsule lends that nobody took."""
    for name in names:
        if is_valid(capsule, name):
            lent.pop(pointer(capsule, name), None)


_deleter = _Deleter(_delete)
_destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_gone)
for _stays in (_deleter, _destructor, *_names.values()):
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_stays))


def capsule_of(array: DeviceArray, element: tuple[int, int], versioned: bool) -> Any:
    """Return a capsule that lends an array's memory; it stays until the taker lets go of it."""
    rank, size = len(array.shape), array.dtype.itemsize
    sizes = (ctypes.c_int64 * rank)(*array.shape)
    steps = (ctypes.c_int64 * rank)(*(step // size for step in array.strides))
    name = _VERSIONED if versioned else _TENSOR
    struct: Any = _STRUCTS[name](deleter=_deleter)
    if versioned:
        struct.major = 1
    assert array.device.index is not None
    struct.tensor = _Tensor(
        array.address if array.size else None,
        KIND,
        array.device.index,
        rank,
        *element,
        1,
        ctypes.cast(sizes, ctypes.POINTER(ctypes.c_int64)),
        ctypes.cast(steps, ctypes.POINTER(ctypes.c_int64)),
        0,
    )
    address = ctypes.addressof(struct)
    _lent[address] = (struct, sizes, steps, array)
    return _new(address, ctypes.addressof(_names[name]), ctypes.cast(_destructor, ctypes.c_void_p))


def contents_of(capsule: Any) -> Contents:
    """Take the memory that a capsule lends; ValueError for one that was taken, or is no such."""
    name = _name_of(capsule) if type(capsule).__name__ == "PyCapsule" else b""
    if name not in _STRUCTS:
        raise ValueError(f"from_dlpack wants a fresh DLPack capsule, got {capsule!r}")
    address = _pointer(capsule, name)
    struct: Any = _STRUCTS[name].from_address(address)
    tensor = struct.tensor
    if tensor.device_type != KIND or tensor.lanes != 1:
        raise BufferError(f"from_dlpack wants a GPU's memory, got device {tensor.device_type}")
    if name == _VERSIONED and (struct.major > 1 or struct.flags & _READ_ONLY):
        raise BufferError("from_dlpack wants memory that may be written, of DLPack 1")
    rank = tensor.ndim
    shape = tuple(tensor.shape[:rank]) if rank else ()
    strides = tuple(tensor.strides[:rank]) if tensor.strides and rank else _packed(shape)
    deleter = struct.deleter
    _rename(capsule, ctypes.addressof(_names[_USED[name]]))
    return Contents(
        tensor.device_id,
        (tensor.data or 0) + tensor.byte_offset,
        (tensor.kind, tensor.bits),
        shape,
        strides,
        lambda: deleter(address) if deleter else None,
    )


def _packed(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= max(size, 1)
    return tuple(reversed(steps))
