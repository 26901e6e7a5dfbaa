"""Eager ops on GPUs: one op as a graph of its own, compiled once for its operands' layouts.

Imported when the first tensor comes to a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np

from jitnet.compiler.cuda_compiled import compile_for
from jitnet.compiler.ir.graph import Graph, Input, Output, make
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.ops import imag, iota, slice
from jitnet.runtime.cuda.array import DeviceArray, Layout, layout_of
from jitnet.runtime.cuda.gpu import Gpu, gpu_of, on_install
from jitnet.runtime.cuda.program import DeviceProgram
from jitnet.runtime.dtype import from_numpy_dtype

from . import switches
from .device import Device
from .errors import at_line
from .generator import forget_gpus
from .tensor import VIEWS, Tensor, _base, _view_of, strides_of
from .tensors.views import moved_strides
from .tracing.bindings import graph_input

Params = tuple[tuple[str, Any], ...]

_programs: dict[tuple[Any, ...], DeviceProgram] = {}


def compute(
    op: Op, kind: TensorType, args: Sequence[Tensor], params: dict[str, Any], device: Device
) -> Tensor:
    """Apply op to args now: launch what computes it."""
    if op in VIEWS:
        view = _view(op, kind, args[0], params)
        if view is not None:
            return _view_of(args[0], (op, params), kind, cast(np.ndarray, view), None, None)
    arrays = [operand(arg, device) for arg in args]
    return _made(op, kind, arrays, params, device)


def counting(kind: TensorType, axis: int, device: Device) -> Tensor:
    """Return the index along axis at every place."""
    params = {"shape": kind.shape, "dtype": kind.dtype, "axis": axis}
    return _made(iota, kind, [], params, device)


def filled(kind: TensorType, value: Any, device: Device) -> Tensor:
    """Return a tensor of one repeated number, in memory of its own."""
    gpu = gpu_of(device)
    if value == 0 and not str(value).startswith("-"):
        return tensor_of(gpu.zeros(kind.shape, kind.dtype.numpy))
    made = gpu.empty(kind.shape, kind.dtype.numpy)
    number = _number(np.full((), value, kind.dtype.numpy), device)
    _copy(made, _repeated(number, kind.shape))
    return tensor_of(made)


def write(tensor: Tensor, value: Tensor) -> None:
    """Put value's elements where tensor's are, on the same GPU."""
    target, source = array_of(tensor), operand(value, tensor.device)
    _copy(target, source)


def packed(tensor: Tensor, copy: bool = False) -> DeviceArray:
    """Return a tensor's array, or if it is not contiguous, or asked for, a contiguous copy."""
    array = array_of(tensor)
    if array.layout.is_contiguous and not copy:
        return array
    made = gpu_of(array.device).empty(array.shape, array.dtype)
    _copy(made, array)
    return made


def host_copy(tensor: Tensor) -> np.ndarray:
    """Return a tensor's elements on the host, once all that they depend on has run."""
    return gpu_of(tensor.device).download(packed(tensor))


def sent(tensor: Tensor, device: Device) -> DeviceArray:
    """Return a copy of a tensor on another GPU."""
    array = packed(tensor)
    made = gpu_of(device).empty(array.shape, array.dtype)
    gpu_of(tensor.device).send(made, array)
    return made


def pinned_copy(tensor: Tensor) -> np.ndarray:
    """Return pinned memory that holds a tensor's elements once its stream has been waited for."""
    return gpu_of(tensor.device).download_later(packed(tensor))


def array_of(tensor: Tensor) -> DeviceArray:
    """Return the array of a tensor on a GPU."""
    array: Any = tensor._array
    assert isinstance(array, DeviceArray)
    return array


def tensor_of(array: DeviceArray) -> Tensor:
    """Return a base over an array on a GPU."""
    kind = TensorType(from_numpy_dtype(array.dtype), array.shape)
    return _base(cast(np.ndarray, array), None, kind, array.device)


def uploaded(array: np.ndarray, device: Device, non_blocking: bool = False) -> DeviceArray:
    """Return an array of the host on a GPU; one number in many places goes there once."""
    if array.size and not any(array.strides):
        return _repeated(_number(array[(0,) * array.ndim], device), array.shape)
    return gpu_of(device).upload(array, non_blocking)


def brought(array: np.ndarray, gpu: Gpu) -> DeviceArray:
    """Return an array of the host on a GPU, lying there as it does here."""
    packed = gpu.upload(array)
    if packed.strides == array.strides or not array.size:
        return packed
    layout = layout_of(gpu.device, array.dtype, array.shape, array.strides)
    made = DeviceArray(gpu.memory(layout.span), layout)
    _copy(made, packed)
    return made


# -- operands -----------------------------------------------------------------------------------


def operand(tensor: Tensor, device: Device) -> DeviceArray:
    """Return a tensor's array on the GPU of an op: constants and numbers are brought there."""
    if tensor._device is device:
        return array_of(tensor)
    return uploaded(tensor._copied(), device)


def _number(value: Any, device: Device) -> DeviceArray:
    number = np.asarray(value)
    gpu = gpu_of(device)
    return _kept_number(number.dtype, number.tobytes(), gpu, gpu.stream)


@lru_cache(maxsize=1024)
def _kept_number(dtype: np.dtype[Any], bits: bytes, gpu: Gpu, stream: int) -> DeviceArray:
    """Return a number on a GPU, for this thread's stream; programs use few, again and again."""
    return gpu.upload(np.frombuffer(bits, dtype).reshape(()))


def _repeated(number: DeviceArray, shape: tuple[int, ...]) -> DeviceArray:
    return number.view(number.dtype, shape, (0,) * len(shape))


def _view(op: Op, kind: TensorType, arg: Tensor, params: dict[str, Any]) -> DeviceArray | None:
    """Return the view that a movement op makes; None where it has to copy."""
    array, steps = array_of(arg), strides_of(arg)
    strides = moved_strides(op, params, arg._type.shape, steps)
    if strides is None:
        return None
    dtype, at = kind.dtype.numpy, 0
    if op is slice:
        starts = zip(params["starts"], array.strides, strict=True)
        at = sum(start * step for start, step in starts) if kind.numel else 0
    elif op is imag:
        at = dtype.itemsize
    return array.view(dtype, kind.shape, [step * dtype.itemsize for step in strides], at)


# -- programs -----------------------------------------------------------------------------------


def _made(
    op: Op, kind: TensorType, arrays: Sequence[DeviceArray], params: dict[str, Any], device: Device
) -> Tensor:
    """Return what an op makes of arrays."""
    gpu = gpu_of(device)
    result = gpu.empty(kind.shape, kind.dtype.numpy)
    if kind.numel:
        program = _program(op, tuple(params.items()), tuple(a.layout for a in arrays), gpu)
        program.run([*(array.address for array in arrays), result.address])
    return tensor_of(result)


def _copy(target: DeviceArray, source: DeviceArray) -> None:
    """Put the elements of one array into another of its shape and dtype."""
    if not target.size:
        return
    gpu = gpu_of(target.device)
    if target.layout.is_contiguous and source.layout.is_contiguous:
        gpu.copy(target, source)
        return
    if _overlap(target, source):
        held = gpu.empty(source.shape, source.dtype)
        _copy(held, source)
        source = held
    program = _program(None, (), (target.layout, source.layout), gpu)
    program.run([target.address, source.address])


def _overlap(a: DeviceArray, b: DeviceArray) -> bool:
    """Whether two arrays may have places in common."""
    if a.memory is not b.memory:
        return False
    return a.offset < b.offset + b.layout.span and b.offset < a.offset + a.layout.span


def _program(op: Op | None, params: Params, layouts: tuple[Layout, ...], gpu: Gpu) -> DeviceProgram:
    """Return the program of an op, or without one, of a copy of the second array to the first."""
    tf32, library = switches.may_round_products(), switches.may_ask_library()
    key = (op, params, layouts, gpu, tf32, library)
    found = _programs.get(key)
    if found is None:
        graph = _graph(op, params, layouts)
        try:
            compiled = compile_for(graph, gpu.driver, tf32, library)
        except RuntimeError as error:
            raise type(error)(at_line(str(error))) from None
        found = DeviceProgram(gpu, compiled.image, graph.name, compiled.failure)
        _programs[key] = found
    return found


def _graph(op: Op | None, params: Params, layouts: tuple[Layout, ...]) -> Graph:
    """Return the graph of one op."""
    inputs = []
    for number, layout in enumerate(layouts):
        dtype = from_numpy_dtype(layout.dtype)
        node = make(graph_input, kind=TensorType(dtype, layout.shape))
        strides = tuple(step // dtype.size for step in layout.strides)
        inputs.append(Input(node, f"x{number}", "argument", strides))
    if op is None:
        return Graph("copy", tuple(inputs), (Output(inputs[1].node, "x0", 0),))
    result = make(op, *(item.node for item in inputs), **dict(params))
    return Graph(op.name, tuple(inputs), (Output(result, "out"),))


def _forget() -> None:
    """Forget all that was kept of GPUs: they are others now."""
    _programs.clear()
    _kept_number.cache_clear()
    forget_gpus()


on_install.append(_forget)
