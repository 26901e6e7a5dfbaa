"""Arrays on a GPU: some memory, and how elements lie in it; no arithmetic.

They answer what NumPy's arrays answer about shapes, and refuse to be read as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import numpy as np

from .. import looks
from ..device import Device, refusal
from ..instruction import Instruction, Place
from ..layout import LAYOUT_KNOWN, slot_offsets
from .allocator import Memory


class Layout:
    """What an array is but for its memory; equal ones are one object (`layout_of`)."""

    def __init__(
        self, device: Device, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.shape = shape
        self.strides = strides  # in bytes
        self.size = math.prod(shape)

    def __repr__(self) -> str:
        return f"{self.dtype}{list(self.shape)} by {list(self.strides)} on {self.device}"

    @cached_property
    def is_contiguous(self) -> bool:
        """Whether elements lie one after another, the last dim fastest."""
        step = self.dtype.itemsize
        for size, own in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and own != step:
                return not self.size
            step *= size
        return True

    @cached_property
    def span(self) -> int:
        """How many bytes lie between the first element and the end of the last."""
        if not self.size:
            return 0
        steps = zip(self.shape, self.strides, strict=True)
        return sum((size - 1) * step for size, step in steps) + self.dtype.itemsize


@lru_cache(maxsize=4096)
def layout_of(
    device: Device,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None = None,
) -> Layout:
    """Return the layout; without strides in bytes, the contiguous one."""
    if strides is None:
        steps, step = [], dtype.itemsize
        for size in reversed(shape):
            steps.append(step)
            step *= max(size, 1)
        return layout_of(device, dtype, shape, tuple(reversed(steps)))
    return Layout(device, dtype, shape, strides)


class Flags:
    """What `array.flags` tells of an array on a GPU."""

    __slots__ = ("c_contiguous",)
    writeable = True

    def __init__(self, c_contiguous: bool) -> None:
        self.c_contiguous = c_contiguous


class DeviceArray:
    """Elements of one dtype in the memory of a GPU."""

    __slots__ = ("__weakref__", "layout", "memory", "offset")

    def __init__(self, memory: Memory, layout: Layout, offset: int = 0) -> None:
        self.memory = memory
        self.layout = layout
        self.offset = offset  # of the first element, in bytes

    def __repr__(self) -> str:
        return f"DeviceArray({self.layout} at {self.address:#x})"

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(refusal(self.device))

    @property
    def address(self) -> int:
        """Where the first element is."""
        return self.memory.address + self.offset

    @property
    def device(self) -> Device:
        """The GPU."""
        return self.layout.device

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.layout.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the dims."""
        return self.layout.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """The bytes from one element to the next, by dim."""
        return self.layout.strides

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.layout.size

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.layout.size * self.layout.dtype.itemsize

    @property
    def flags(self) -> Flags:
        """Whether it is contiguous."""
        return Flags(self.layout.is_contiguous)

    def view(
        self, dtype: np.dtype[Any], shape: Sequence[int], strides: Sequence[int], at: int = 0
    ) -> DeviceArray:
        """Return other elements of the same memory, from `at` bytes on."""
        layout = layout_of(self.device, dtype, tuple(shape), tuple(strides))
        return DeviceArray(self.memory, layout, self.offset + at)


def looks_of_layout(
    device: Device, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]
) -> list[Instruction]:
    """Return what tells whether the current object of a routine is an array of this layout."""
    offset = slot_offsets(DeviceArray)["layout"] if LAYOUT_KNOWN else 0
    return [
        looks.IsOf(DeviceArray),
        looks.Slot(Place(offset, "layout")),
        looks.Is(layout_of(device, dtype, shape, strides)),
    ]
