"""Memory of Programs: the arena that a Program keeps, and fresh arrays for what it returns."""

from __future__ import annotations

import math
import mmap
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import address_of

ALIGNMENT = 64  # of everything: a cache line, and the widest vector
HUGE_PAGE = 1 << 21
SMALL = 1 << 16  # bytes of a result up to which a call keeps memory for the next one,
KEEP_ROOMS = 1 << 26  # and those that all calls together may keep for larger ones
RECYCLE_FROM = 1 << 20  # bytes of a result from which its memory is kept for another
KEEP_IDLE = 1 << 28  # bytes that may wait for another result

Array = NDArray[Any]


class Arena:
    """Zeroed memory at one address for as long as this lives.

    From 2 MiB on it starts at a huge page and asks the system for huge pages: touching 40 MB takes
    1.7 ms instead of the 21 ms of small pages. The first run touches it, on all threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        memory = _map(max(size, 1))
        self.address = address_of(memory)
        self.array = memory[:size]  # the bytes, which also keep the map alive

    def __repr__(self) -> str:
        return f"Arena({self.size} bytes at {self.address:#x})"


def _map(size: int) -> NDArray[np.uint8]:
    """Return at least `size` fresh zero bytes, in huge pages of which at least half is used."""
    huge = (size + HUGE_PAGE // 2) // HUGE_PAGE * HUGE_PAGE if size >= HUGE_PAGE else 0
    rounded = max(huge, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
    mapped = _private_map(rounded + (HUGE_PAGE if huge else 0))
    memory = np.frombuffer(mapped, np.uint8)
    if not huge:
        return memory
    start = -address_of(memory) % HUGE_PAGE
    if hasattr(mmap, "MADV_HUGEPAGE"):
        mapped.madvise(mmap.MADV_HUGEPAGE, start, huge)
    return memory[start : start + rounded]


def _private_map(size: int) -> mmap.mmap:
    try:
        if hasattr(mmap, "MAP_ANONYMOUS"):
            # Python's default is shared: it gets no huge pages, and is one memory after a fork.
            return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return mmap.mmap(-1, size)
    except (OSError, OverflowError) as error:
        message = f"the system has no {size:,} bytes for an array: {error}; compute on less at once"
        raise MemoryError(message) from error


def aligned_empty(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Return an uninitialised C-contiguous array that starts at a multiple of 64 bytes.

    Large ones come from memory that earlier ones have left, where there is some.
    """
    size = math.prod(shape) * dtype.itemsize
    if size >= RECYCLE_FROM:
        return np.ndarray(shape, dtype, _lent_out(_block_of(size)))
    room = np.empty(size + ALIGNMENT, np.uint8)
    return np.ndarray(shape, dtype, room, -address_of(room) % ALIGNMENT)


def aligned_zeros(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Return a C-contiguous array of zeros that starts at a multiple of 64 bytes.

    The system zeroes the pages of a large one as they are touched.
    """
    size = math.prod(shape) * dtype.itemsize
    if size >= RECYCLE_FROM:
        block = _block_of(size)
        if block.is_used:
            block.memory[:] = 0
        return np.ndarray(shape, dtype, _lent_out(block))
    room = np.zeros(size + ALIGNMENT, np.uint8)
    return np.ndarray(shape, dtype, room, -address_of(room) % ALIGNMENT)


def aligned_copy(array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """Return a C-contiguous copy, of another dtype if asked, that starts at a multiple of 64 bytes.

    Parameters and optimizers' states begin as such copies: a vector that straddles two cache lines
    takes two accesses, in every step.
    """
    copied = aligned_empty(array.shape, dtype or array.dtype)
    np.copyto(copied, array, casting="unsafe")
    return copied


class Rooms:
    """Memory for results of one kind, which serves again when no array lies in it.

    Two rooms are kept: a loop needs one result while it computes the next. Native code finds them.
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self._size = max(math.prod(shape) * dtype.itemsize, 1)
        self._kept: list[Array | None] = [None, None]
        words = (0, 0, 0, id(dtype), len(shape), *shape)
        self.table = np.array(words, np.int64)  # the rooms, what makes one, and what lies in it
        # It does not know this object: that would wait for the garbage collector, with its memory.
        self._another = partial(_another_room, self._size, self._kept, self.table)
        self.table[2] = id(self._another)

    @property
    def most_bytes(self) -> int:
        """The bytes of both rooms."""
        return len(self._kept) * self._size

    def __repr__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


def _another_room(size: int, kept: list[Array | None], table: NDArray[np.int64]) -> Array:
    """Return a room of its own for a result, in the place of the one kept longest."""
    memory = aligned_empty((size,), np.dtype(np.uint8))
    room = np.frombuffer(memory.data, np.uint8)  # no array is its base: it stays the owner
    both = [room, kept[0]]
    table[:2] = [0 if each is None else id(each) for each in both]
    kept[:] = both  # only now may the one kept longest go
    return room


_large: dict[int, tuple[weakref.ref[Rooms], int]] = {}  # rooms, their bytes; by the reference's id


def rooms_for(shape: Sequence[int], dtype: np.dtype[Any]) -> Rooms | None:
    """Return rooms for results; None for large ones if others keep what all may have together.

    Making a large array takes Python some 50 us where a program has left it no memory in the cache.
    """
    rooms = Rooms(shape, dtype)
    size = rooms.most_bytes
    if size <= 2 * SMALL:
        return rooms
    if size + sum(taken for _, taken in list(_large.values())) > KEEP_ROOMS:
        return None
    reference = weakref.ref(rooms, _forget)
    _large[id(reference)] = (reference, size)
    return rooms


def _forget(reference: weakref.ref[Rooms]) -> None:
    """Let others have the memory that rooms have kept."""
    del _large[id(reference)]


# Fresh pages cost more than most kernels that fill them, so the memory of large results goes round:
# when the last array over a block is gone, the block waits here for the next result of its size.


class _Block:
    """Mapped memory, in huge pages."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.memory = _map(size)
        self.is_used = False  # what was never lent is zero

    def array(self) -> Array:
        """Return the bytes as an array with no other array as base: it stays their owner."""
        return np.frombuffer(self.memory.data, np.uint8)


_idle: dict[int, list[_Block]] = {}  # by size
_lent: dict[int, tuple[weakref.ref[Array], _Block]] = {}  # by the id of the weak reference


def _block_of(size: int) -> _Block:
    """Return a block of at least so many bytes, of which at most an eighth is wasted."""
    step = 1 << max(size.bit_length() - 4, 0)
    rounded = -(-size // step) * step
    try:
        return _idle[rounded].pop()
    except (KeyError, IndexError):
        return _Block(rounded)


def _lent_out(block: _Block) -> Array:
    """Return the bytes of a block, which comes back when they are forgotten."""
    array = block.array()
    reference = weakref.ref(array, _give_back)
    _lent[id(reference)] = (reference, block)
    return array


def _give_back(reference: weakref.ref[Array]) -> None:
    """Keep the block of an array that is gone, unless enough are waiting."""
    _, block = _lent.pop(id(reference))
    block.is_used = True
    waiting = sum(size * len(blocks) for size, blocks in list(_idle.items()))
    if waiting + block.size <= KEEP_IDLE:
        _idle.setdefault(block.size, []).append(block)
