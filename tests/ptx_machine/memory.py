"""Memory that kernels reach: where an address lies, whether it may be read, and what is there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import count

import numpy as np

from tests.ptx_machine.hazards import Hazards
from tests.ptx_machine.parse import PtxError

Array = np.ndarray


class Region:
    """Bytes that lie side by side.

    start: the first one's address.  written: which have been written, if reads of others are
    errors.  in_flight: which wait for an asynchronous copy.
    """

    def __init__(self, start: int, data: Array, written: Array | None = None) -> None:
        self.start = start
        self.data = data
        self.written = written
        self.in_flight: Array | None = None
        self._hazards: dict[int, Hazards] = {}

    def hazards(self, cell: int) -> Hazards:
        """Return who has read and written each so many bytes."""
        if cell not in self._hazards:
            self._hazards[cell] = Hazards(-(-len(self.data) // cell), cell)
        return self._hazards[cell]

    def load(self, at: Array, dtype: np.dtype) -> Array:
        """Return elements at these bytes, which are multiples of their size."""
        return self._typed(dtype)[at // dtype.itemsize]

    def store(self, at: Array, values: Array) -> None:
        """Write elements."""
        size = values.dtype.itemsize
        self._typed(values.dtype)[at // size] = values
        if self.written is not None:
            self.written[at[:, None] + np.arange(size)] = True

    def _typed(self, dtype: np.dtype) -> Array:
        return self.data[: len(self.data) // dtype.itemsize * dtype.itemsize].view(dtype)

    def check_written(self, at: Array, size: int) -> Array:
        """Return which of these reads find what was never written."""
        if self.written is None:
            return np.zeros(len(at), bool)
        return ~self.written[at[:, None] + np.arange(size)].all(1)

    def check_flight(self, at: Array, size: int) -> Array:
        """Return which touch what a copy is still on its way to."""
        if self.in_flight is None:
            return np.zeros(len(at), bool)
        return self.in_flight[at[:, None] + np.arange(size)].any(1)

    def fly(self, at: Array, size: int, on: bool) -> None:
        """Say that copies are on their way, or have come."""
        if self.in_flight is None:
            self.in_flight = np.zeros(len(self.data), bool)
        self.in_flight[at[:, None] + np.arange(size)] = on


class GlobalMemory:
    """What a GPU has allocated.

    Regions do not overlap. serials: numbers of blocks, for Hazards; no two launches share one.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._regions: dict[int, Region] = {}
        self.serials = count(1)

    def add(self, start: int, data: Array, written: Array | None = None) -> None:
        """Make bytes known."""
        assert data.dtype == np.uint8
        if len(data):
            self._starts.insert(bisect_right(self._starts, start), start)
            self._regions[start] = Region(start, data, written)

    def remove(self, start: int) -> None:
        """Forget bytes."""
        if start in self._regions:
            del self._regions[start]
            self._starts.remove(start)

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(len(region.data) for region in self._regions.values())

    def bytes_at(self, address: int) -> Array:
        """Return the bytes from an address on, of the region it lies in; none outside of all."""
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return np.empty(0, np.uint8)
        start = self._starts[place]
        return self._regions[start].data[address - start :]

    def split(self, addresses: Array, size: int) -> Iterator[tuple[Region, Array | slice, Array]]:
        """Yield regions, which of the addresses lie there, and at which bytes of them."""
        if not self._starts:
            raise PtxError(f"global memory at {int(addresses[0]):#x}: nothing is allocated")
        starts = np.array(self._starts, np.uint64)
        numbers = np.searchsorted(starts, addresses, "right") - 1
        for number in np.unique(numbers) if numbers.min() != numbers.max() else numbers[:1]:
            region = self._regions[self._starts[number]] if number >= 0 else None
            chosen = numbers == number
            select = slice(None) if chosen.all() else np.flatnonzero(chosen)
            if region is None:
                raise OutOfBounds(select, "lies before everything that is allocated")
            at = (addresses[select] - np.uint64(region.start)).astype(np.int64)
            beyond = at + size > len(region.data)
            if beyond.any():
                which = np.arange(len(addresses))[select][beyond]
                over = int(at[beyond][0]) + size - len(region.data)
                raise OutOfBounds(
                    which,
                    f"ends {over} bytes behind the {len(region.data)} bytes allocated at "
                    f"{region.start:#x}",
                )
            yield region, select, at


class OutOfBounds(Exception):
    """What is wrong with an access, and of which lanes."""

    def __init__(self, lanes: Array | slice, problem: str) -> None:
        super().__init__(problem)
        self.lane = 0 if isinstance(lanes, slice) else int(lanes[0])
        self.problem = problem


class OwnMemory:
    """Memory of which each owner, a block or a lane, has a part of its own."""

    def __init__(
        self, name: str, places: list[tuple[int, int]], first: int, end: int, owners: int
    ) -> None:
        self.name = name
        self._first = first
        self._size = end - first
        self._inside = np.zeros(self._size, bool)
        for at, size in places:
            self._inside[at - first : at - first + size] = True
        data = np.full(owners * self._size, 0xA5, np.uint8)
        self.region = Region(first, data, np.zeros(len(data), bool))

    def places(self, addresses: Array, owners: Array, size: int) -> Array:
        """Return the bytes of the region that owners' own addresses lead to."""
        at = addresses.astype(np.int64) - self._first
        beyond = (at < 0) | (at + size > self._size)
        if not beyond.any():
            beyond = ~(self._inside[at] & self._inside[at + size - 1])
        if beyond.any():
            raise OutOfBounds(np.flatnonzero(beyond), f"lies in no variable of {self.name} memory")
        return at + owners * self._size
