"""Memory that tensors share, as one thing: what is copied, pickled and written to files once."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.runtime.memory import aligned_copy

from ..device import CPU, Device, placed
from ..grad_mode import no_grad
from ..tensor import Tensor, base_of, strides_of
from .making import on_device
from .strided import strided_view

Layout = tuple[int, tuple[int, ...], tuple[int, ...]]  # offset, sizes, strides, in elements


class Memory:
    """The elements that a base and its views lie in, from the first to the last."""

    __slots__ = ("__weakref__", "_line", "array", "device")
    array: np.ndarray  # of one dim; of a GPU's memory a copy
    device: Device  # where tensors over it are
    _line: Tensor | None

    def __init__(self, array: np.ndarray, device: Device | str = CPU) -> None:
        self.array = array
        self.device = placed(device)
        self._line = None

    def tensor(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
        """Return a tensor over these elements, which shares them with all others made here.

        The caller has checked that all of its elements are there.
        """
        count = len(self.array)
        if self._line is None and count and _is_dense(shape, strides, count):
            whole = on_device(Tensor._from_array(self.array.reshape(shape)), self.device)
            with no_grad():
                self._line = whole.reshape((count,))
            return whole
        if self._line is None:
            self._line = on_device(Tensor._from_array(self.array), self.device)
        return strided_view(self._line, offset, shape, strides)

    def __deepcopy__(self, memo: dict[int, Any]) -> Memory:
        if id(self) not in memo:
            memo[id(self)] = Memory(aligned_copy(self.array), self.device)
        copied: Memory = memo[id(self)]
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        where = () if self.device is CPU else (str(self.device),)
        return Memory, (self.array, *where)


def place_of(tensor: Tensor) -> tuple[Memory, Layout]:
    """Return the memory that a tensor lies in, the same for all that share it, and where."""
    base = base_of(tensor)
    if tensor.device is not CPU:
        return _copied_place(tensor, base)
    array, whole = tensor._copied(), base._copied()
    if array.dtype != whole.dtype:  # the parts of complex numbers: they leave alone
        array = array.copy()
        return Memory(array.reshape(-1)), (0, array.shape, contiguous_strides(array.shape))
    offset = (address(array) - address(whole)) // whole.itemsize if array.size else 0
    return _memory_of(base, whole), (offset, tuple(array.shape), strides_of(tensor))


def _copied_place(tensor: Tensor, base: Tensor) -> tuple[Memory, Layout]:
    """Return a copy of the memory that a tensor on a GPU lies in, one until somebody writes."""
    if base._type.dtype is not tensor._type.dtype:
        memory, _ = _copied_place(copy := tensor.detach().clone(), copy)
        return memory, (0, tensor._type.shape, contiguous_strides(tensor._type.shape))
    key, state = id(base), (base._array, base._counter.count)
    known = _copies.get(key)
    if known is None or known[0]() is not base or known[1] != state:
        line = base.detach().cpu()._copied().reshape(-1)
        memory = Memory(line, base.device)
        known = weakref.ref(base, lambda _: _copies.pop(key, None)), state, memory
        _copies[key] = known
    offset = (span_of(tensor)[0] - span_of(base)[0]) // tensor._type.dtype.size
    return known[2], (max(offset, 0), tensor._type.shape, strides_of(tensor))


def span_of(tensor: Tensor) -> tuple[int, int]:
    """Return the addresses of a tensor's first element and of what comes after its last."""
    array: Any = tensor._array
    if tensor.device is CPU:
        first, end = byte_bounds(tensor._copied())
        return int(first), int(end)
    return array.address, array.address + array.layout.span


def address(array: np.ndarray) -> int:
    """Return where an array's first element is."""
    return int(array.__array_interface__["data"][0])


_copies: dict[int, tuple[weakref.ref[Tensor], tuple[Any, int], Memory]] = {}  # of bases, by id
_memories: dict[int, tuple[weakref.ref[Tensor], np.ndarray, Memory]] = {}  # of bases, by id


def _memory_of(base: Tensor, whole: np.ndarray) -> Memory:
    """Return a base's memory: one object as long as the base lives and keeps its array."""
    key = id(base)
    known = _memories.get(key)
    if known is not None and known[0]() is base and known[1] is whole:
        return known[2]
    length = 1 + sum(
        (size - 1) * (step // whole.itemsize)
        for size, step in zip(whole.shape, whole.strides, strict=True)
    )
    line = as_strided(whole, (length if whole.size else 0,), (whole.itemsize,))
    memory = Memory(line)
    _memories[key] = (weakref.ref(base, lambda _: _memories.pop(key, None)), whole, memory)
    return memory


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...], count: int) -> bool:
    """Return whether these are `count` elements one behind the other, the last dim innermost."""
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return step == count
