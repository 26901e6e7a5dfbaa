"""What programs on a GPU found wrong in their data, read when somebody waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ..layout import address_of
from .allocator import Memory
from .driver import Driver

STATUS_WORDS = 4
STATUS_BYTES = 8 * STATUS_WORDS

Failure = Callable[[int, int], BaseException]  # the status, and the value that it speaks of


class Checks:
    """Programs that have run and whose status nobody has read since."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()
        self._pending: dict[int, dict[Memory, Failure]] = {}  # stream -> status -> what it means

    def launched(self, stream: int, status: Memory, failure: Failure) -> None:
        """Remember that a program was launched, whose status stays until it has been read."""
        with self._lock:
            self._pending.setdefault(stream, {})[status] = failure

    def settle(self, stream: int) -> None:
        """Raise what programs of a stream, which has been waited for, found wrong."""
        if not self._pending.get(stream):
            return
        with self._lock:
            pending = self._pending.pop(stream, {})
        words = np.zeros((len(pending), STATUS_WORDS), np.int64)
        for row, memory in zip(words, pending, strict=True):
            self._driver.download(address_of(row), memory.address, STATUS_BYTES, stream)
        self._driver.synchronize(stream)
        failed = [number for number, row in enumerate(words) if row[0]]
        memories, failures = list(pending), list(pending.values())
        for number in failed:
            self._driver.fill(memories[number].address, 0, STATUS_BYTES, stream)
        if failed:
            status, value = (int(word) for word in words[failed[0], :2])
            raise failures[failed[0]](status, value)
