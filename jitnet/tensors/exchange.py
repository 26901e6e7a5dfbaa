"""Memory shared with other libraries: DLPack both ways, buffers, and whatever asarray takes.

NumPy does the work. It has no bfloat16, so those elements travel through it as uint16, and the
capsule's name for their type is changed: DLPack's struct is the same for every library.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType, bfloat16

from .. import capture
from ..errors import at_line
from ..tensor import Tensor
from . import making

CPU = (1, 0)  # DLPack's name
CUDA = 2  # DLPack's kind of device
_UINT, _BFLOAT = 1, 4  # DLPack's names for kinds of elements
# Capsules by name, with the place of the tensor in the struct that they hold.
_CAPSULES = {b"dltensor": 0, b"dltensor_versioned": 32}
_ELEMENT_TYPE = 20  # its place in a tensor: after data, device and number of dims

_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class _ElementType(ctypes.Structure):
    """DLPack's DLDataType."""

    _fields_ = (("kind", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Exporter:
    """A capsule as an object that NumPy can ask for it."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU


def _element_type(capsule: Any) -> _ElementType:
    """Return the place in a capsule that says what its elements are."""
    name = _capsule_name(capsule)
    if name not in _CAPSULES:
        raise ValueError(at_line(f"from_dlpack wants a fresh DLPack capsule, got {capsule!r}"))
    start = _capsule_pointer(capsule, name) + _CAPSULES[name] + _ELEMENT_TYPE
    return _ElementType.from_address(start)


def _device_type(capsule: Any) -> int:
    """Return DLPack's kind of the device that a capsule's memory is on."""
    _element_type(capsule)  # raises for what is no capsule
    name = _capsule_name(capsule)
    return ctypes.c_int32.from_address(_capsule_pointer(capsule, name) + _CAPSULES[name] + 8).value


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a tensor that shares memory with another library's, or with a DLPack capsule's.

    copy: True copies; otherwise nothing does. Memory that its owner lends for reading only cannot
    be written here either. RuntimeError for a device that is not there.
    """
    made = _taken(ext_tensor)
    there = making.on_device(made, device)
    if there is made:
        return made.clone() if copy else made
    if copy is False:
        raise BufferError(at_line(f"the memory is on {made.device}, and not on {device} uncopied"))
    return there


def _taken(ext_tensor: Any) -> Tensor:
    """Return a tensor over the memory that an object, or a capsule, lends."""
    capsule = ext_tensor
    if hasattr(ext_tensor, "__dlpack__"):
        kind, index = (int(part) for part in ext_tensor.__dlpack_device__())
        if kind == CUDA:
            from . import gpu_exchange

            return gpu_exchange.taken(ext_tensor, index)
        if (kind, index) != CPU:
            message = f"from_dlpack wants memory of the CPU or a GPU, got device {(kind, index)}"
            raise BufferError(at_line(message))
        capsule = _exported(ext_tensor)
    elif _device_type(capsule) == CUDA:
        from . import gpu_exchange

        return gpu_exchange.of_capsule(capsule)
    kind = _element_type(capsule)
    narrow = (kind.kind, kind.bits, kind.lanes) == (_BFLOAT, 16, 1)
    if narrow:
        kind.kind = _UINT
    array = np.from_dlpack(_Exporter(capsule))
    if narrow:
        array = array.view(bfloat16.numpy)
    return making.from_numpy(array)


def _exported(owner: Any) -> Any:
    """Return an owner's capsule: of the newest version that both sides know."""
    try:
        return owner.__dlpack__(max_version=(1, 0))
    except TypeError:  # written before versions were
        return owner.__dlpack__()


def export(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """Return a DLPack capsule for another library, which shares this memory unless copy is True.

    stream: of a GPU, which may use the memory at once; see the array API's `__dlpack__`.
    dl_device: the tensor's own, or the CPU for a copy there.
    BufferError for a tensor that requires a gradient, and for other devices.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    wanted = None if dl_device is None else tuple(int(part) for part in dl_device)
    if self.is_cuda and wanted != CPU:
        return _exported_there(self, stream, max_version, wanted, copy)
    if self.is_cuda:
        if copy is False:
            raise BufferError(at_line(f"the memory is on {self.device}: a copy would be needed"))
        self, stream = self.cpu(), None
    if stream not in (None, -1):
        raise BufferError(at_line(f"the CPU has no streams, got stream={stream!r}"))
    if wanted not in (None, CPU):
        raise BufferError(at_line(f"the memory is on the CPU {CPU}, got dl_device={dl_device}"))
    array = capture.value_of(self, "__dlpack__()", "export it outside of the compiled function")
    self._counter.lent = not copy or self._counter.lent
    narrow = self._type.dtype is bfloat16
    shown = array.view(np.uint16) if narrow else array
    versioned = max_version is not None and max_version[0] >= 1
    options = {"max_version": (1, 0)} if versioned else {}
    capsule = (shown.copy() if copy else shown).__dlpack__(**options)
    if narrow:
        _element_type(capsule).kind = _BFLOAT
    return capsule


def _exported_there(
    x: Tensor, stream: Any, max_version: tuple[int, int] | None, wanted: Any, copy: bool | None
) -> Any:
    """Return a capsule of a GPU's memory."""
    from . import gpu_exchange

    capture.refuse("__dlpack__()", "export it outside of the compiled function")
    if wanted not in (None, export_device(x)):
        raise BufferError(at_line(f"the memory is on {x.device}, got dl_device={wanted}"))
    versioned = max_version is not None and max_version[0] >= 1
    return gpu_exchange.export(x.clone() if copy else x, stream, versioned)


def export_device(self: Tensor) -> tuple[int, int]:
    """Return DLPack's name of the device."""
    return (CUDA, self.get_device()) if self.is_cuda else CPU


def cuda_array_interface(self: Tensor) -> dict[str, Any]:
    """Return what Numba, CuPy and others read of a tensor on a GPU; AttributeError for others."""
    if not self.is_cuda:
        raise AttributeError(f"__cuda_array_interface__ is for a GPU's memory, not {self.type()}'s")
    from . import gpu_exchange

    return gpu_exchange.interface_of(self)


def to_dlpack(tensor: Tensor) -> Any:
    """Return a DLPack capsule that shares the tensor's memory."""
    return export(tensor)


def frombuffer(
    buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of one dim that shares a buffer's bytes, `count` elements from an offset."""
    size = len(memoryview(buffer).cast("B"))
    if not 0 <= offset < size or count == 0 or (count < 0 and (size - offset) % dtype.size):
        raise ValueError(
            at_line(
                f"frombuffer wants whole elements of {dtype} in a buffer of {size} bytes, got "
                f"offset {offset} and count {count}"
            )
        )
    array = np.frombuffer(buffer, dtype.numpy, count, offset)
    if not array.flags.aligned:
        raise ValueError(at_line(f"frombuffer wants elements aligned to {dtype.size} bytes"))
    return making.from_numpy(array).requires_grad_(requires_grad)


def asarray(
    obj: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return obj as a tensor: a tensor, an array, a buffer, what speaks DLPack, numbers, lists.

    copy: True always copies, None where it must; False raises ValueError where it must.
    """
    if isinstance(obj, np.ndarray | np.generic):
        made = making.as_tensor(obj)
    elif isinstance(obj, Tensor):
        made = obj if obj.requires_grad == requires_grad else obj.detach()
    elif hasattr(obj, "__dlpack__"):
        made = from_dlpack(obj)
    elif hasattr(obj, "__cuda_array_interface__"):
        from . import gpu_exchange

        made = gpu_exchange.of_interface(obj)
    elif isinstance(obj, bytes | bytearray | memoryview):
        made = frombuffer(obj, dtype=dtype or making.get_default_dtype())
    else:
        if copy is False:
            raise ValueError(at_line(f"a {type(obj).__name__} cannot become a tensor uncopied"))
        return making.tensor(obj, dtype, device, requires_grad)
    made = making.on_device(made, device)
    converts = dtype is not None and dtype is not made.dtype
    if converts and copy is False:
        raise ValueError(at_line(f"{made.dtype} cannot become {dtype} without a copy"))
    if converts or copy:
        made = made.to(dtype or made.dtype, copy=True)
        if not requires_grad:
            made = made.detach()
    return made.requires_grad_() if requires_grad and made.is_leaf else made
