"""Memory that tensors share, as one thing: what is copied, pickled and written to files once."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.runtime.memory import aligned_copy

from .grad_mode import no_grad
from .strided import strided_view
from .tensor import Tensor, base_of, strides_of

Layout = tuple[int, tuple[int, ...], tuple[int, ...]]  # offset, sizes, strides, in elements


class Memory:
    """The elements that a base and its views lie in, from the first to the last."""

    __slots__ = ("__weakref__", "_line", "array")
    array: np.ndarray  # of one dim
    _line: Tensor | None

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self._line = None

    def tensor(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
        """Return a tensor over these elements, which shares them with all others made here.

        The caller has checked that all of its elements are there.
        """
        count = len(self.array)
        if self._line is None and count and _is_dense(shape, strides, count):
            whole = Tensor._from_array(self.array.reshape(shape))
            with no_grad():
                self._line = whole.reshape((count,))
            return whole
        if self._line is None:
            self._line = Tensor._from_array(self.array)
        return strided_view(self._line, offset, shape, strides)

    def __deepcopy__(self, memo: dict[int, Any]) -> Memory:
        if id(self) not in memo:
            memo[id(self)] = Memory(aligned_copy(self.array))
        copied: Memory = memo[id(self)]
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return Memory, (self.array,)


def place_of(tensor: Tensor) -> tuple[Memory, Layout]:
    """Return the memory that a tensor lies in, the same for all that share it, and where."""
    base = base_of(tensor)
    array, whole = tensor._copied(), base._copied()
    if array.dtype != whole.dtype:  # the parts of complex numbers: they leave alone
        array = array.copy()
        return Memory(array.reshape(-1)), (0, array.shape, contiguous_strides(array.shape))
    offset = (address(array) - address(whole)) // whole.itemsize if array.size else 0
    return _memory_of(base, whole), (offset, tuple(array.shape), strides_of(tensor))


def address(array: np.ndarray) -> int:
    """Return where an array's first element is."""
    return int(array.__array_interface__["data"][0])


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
