"""A GPU's memory shared with other libraries: DLPack both ways, and CUDA's array interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.runtime.cuda import dlpack
from jitnet.runtime.cuda.array import DeviceArray, layout_of
from jitnet.runtime.cuda.gpu import Gpu, gpu, gpu_of
from jitnet.runtime.cuda.lent import LentMemory
from jitnet.runtime.dtype import DTYPES, DType, bfloat16, from_numpy_dtype

from ..errors import at_line
from ..modes import mode
from ..on_gpu import array_of, tensor_of
from ..tensor import Tensor

# DLPack's numbers of kinds of elements.
_KINDS = {"int": 0, "uint": 1, "float": 2, "complex": 5, "bool": 6}
_BFLOAT = 4
_LEGACY = 1  # the driver's default stream, as the array API numbers it


def _element(dtype: DType) -> tuple[int, int]:
    kind = _BFLOAT if dtype is bfloat16 else _KINDS[dtype.kind]
    return kind, 8 * dtype.size


_DTYPES = {_element(dtype): dtype for dtype in DTYPES}


def export(x: Tensor, stream: int | None, versioned: bool) -> Any:
    """Return a capsule of a tensor's memory, which a stream of the taker may use at once.

    stream: the driver's number; None and 1 are its default stream, 2 each thread's, -1: the taker
    waits by itself.
    """
    if stream == 0 or (stream is not None and stream < -1):
        raise BufferError(
            at_line(f"stream wants None, -1, 1, 2 or a stream's handle, got {stream}")
        )
    array = array_of(x)
    if stream != -1:
        _follow(gpu_of(array.device), _LEGACY if stream is None else stream)
    x._counter.lent = True
    return dlpack.capsule_of(array, _element(x._type.dtype), versioned)


def _follow(owner: Gpu, stream: int) -> None:
    """Let a stream wait for what this thread's stream has been asked for."""
    _wait(owner, stream, owner.stream)


def _wait(owner: Gpu, later: int, earlier: int) -> None:
    if later == earlier:
        return
    event = owner.driver.new_event(False)
    owner.driver.record(event, earlier)
    owner.driver.wait(later, event)
    owner.driver.close_event(event)


def taken(owner: Any, index: int) -> Tensor:
    """Return a tensor over the memory of an object that speaks DLPack, on a GPU."""
    stream = gpu(index).stream
    try:
        capsule = owner.__dlpack__(stream=stream, max_version=(1, 0))
    except TypeError:  # written before versions were
        capsule = owner.__dlpack__(stream=stream)
    return of_capsule(capsule)


def of_capsule(capsule: Any) -> Tensor:
    """Return a tensor over the memory that a capsule lends."""
    found = dlpack.contents_of(capsule)
    dtype = _DTYPES.get(found.element)
    if dtype is None:
        found.give_back()
        raise BufferError(at_line(f"from_dlpack knows no elements of kind {found.element}"))
    strides = [step * dtype.size for step in found.strides]
    return _lent(found.gpu, found.address, dtype, found.shape, strides, found.give_back)


def _lent(
    index: int,
    address: int,
    dtype: DType,
    shape: tuple[int, ...],
    strides: Sequence[int],
    give_back: Any,
) -> Tensor:
    owner = gpu(index)
    layout = layout_of(owner.device, dtype.numpy, shape, tuple(strides))
    memory: Any = LentMemory(owner, address, layout.span, give_back)
    made = tensor_of(DeviceArray(memory, layout))
    made._counter.lent = True
    return made


# -- CUDA's array interface, version 3 ------------------------------------------------------------


def interface_of(x: Tensor) -> dict[str, Any]:
    """Return what Numba, CuPy and others read of an array on a GPU."""
    if x.requires_grad:
        raise RuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. Use "
            "tensor.detach() first"
        )
    if x._type.dtype is bfloat16:
        raise AttributeError("the array interface has no bfloat16; use DLPack, or .float()")
    array = array_of(x)
    x._counter.lent = True
    return {
        "shape": array.shape,
        "typestr": array.dtype.str,
        "strides": None if array.layout.is_contiguous else array.strides,
        "data": (array.address if array.size else 0, False),
        "version": 3,
        "stream": gpu_of(array.device).stream,
    }


def of_interface(owner: Any) -> Tensor:
    """Return a tensor over the memory of an object with the interface, on the current GPU."""
    found = owner.__cuda_array_interface__
    address, read_only = found["data"]
    if read_only or found.get("mask") is not None:
        raise BufferError(at_line("as_tensor wants memory that may be written, and no mask"))
    dtype, shape = from_numpy_dtype(np.dtype(found["typestr"])), tuple(found["shape"])
    here = gpu(mode.now.gpu)
    strides = found.get("strides") or layout_of(here.device, dtype.numpy, shape).strides
    if found.get("stream") is not None:
        _wait(here, here.stream, found["stream"])
    keep = [owner]
    return _lent(mode.now.gpu, address, dtype, shape, strides, keep.clear)
