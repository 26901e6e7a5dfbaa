"""Memory of the host that GPUs read and write by themselves, kept for the next that asks.

Asking the driver for it takes as long as copying megabytes, so blocks are powers of two and are
kept. Whoever copies holds the array until the copy is done; then nobody else can get its memory.
"""

from __future__ import annotations

import ctypes
import math
import threading
import weakref
from bisect import bisect_right, insort
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .driver import Driver

SMALLEST = 512  # bytes


class PinnedPool:
    """Pinned memory, all of it asked of one GPU's driver; any GPU may use it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}  # address -> bytes, of blocks in use and free ones
        self._addresses: list[int] = []  # in order
        self._free: dict[int, list[int]] = {}  # bytes -> addresses
        self._returned: deque[int] = deque()  # by finalizers, which may run anywhere

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an uninitialised array; its memory comes back when nobody holds it any more."""
        size = math.prod(shape) * dtype.itemsize
        if not size:
            return np.empty(shape, dtype)
        address = self._block(max(SMALLEST, 1 << (size - 1).bit_length()))
        memory = (ctypes.c_uint8 * size).from_address(address)
        weakref.finalize(memory, self._returned.append, address).atexit = False
        return np.frombuffer(memoryview(memory), np.uint8).view(dtype).reshape(shape)

    def holds(self, address: int) -> bool:
        """Whether pinned memory lies at an address."""
        with self._lock:
            place = bisect_right(self._addresses, address) - 1
            if place < 0:
                return False
            start = self._addresses[place]
            return address < start + self._sizes[start]

    def empty_cache(self) -> None:
        """Give the driver back what nobody uses."""
        with self._lock:
            self._collect()
            for address in [each for blocks in self._free.values() for each in blocks]:
                self._driver.unpin(address)
                del self._sizes[address]
                self._addresses.remove(address)
            self._free.clear()

    def _block(self, size: int) -> int:
        with self._lock:
            self._collect()
            free = self._free.get(size)
            if free:
                return free.pop()
            address = self._driver.pin(size)
            self._sizes[address] = size
            insort(self._addresses, address)
            return address

    def _collect(self) -> None:
        """Take back what arrays have left."""
        while self._returned:
            address = self._returned.popleft()
            self._free.setdefault(self._sizes[address], []).append(address)
