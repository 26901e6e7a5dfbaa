"""Memory of a GPU, kept for the next that asks: the driver is asked for large segments only.

A block that is given back serves its own stream again at once: what reads it there runs before what
writes it next. Other streams that use it must be told of (`Memory.used_by`).
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections import deque
from dataclasses import field

from ..dataclass import dataclass
from .driver import Driver, OutOfMemoryError

GRAIN = 512  # bytes: sizes and addresses are multiples
SMALL = 1 << 20  # bytes up to which a block is cut from a small segment
SMALL_SEGMENT = 2 << 20
MEDIUM = 10 << 20  # bytes below which a block is cut from a segment of LARGE_SEGMENT
LARGE_SEGMENT = 20 << 20
LARGE_GRAIN = 2 << 20  # sizes of segments from MEDIUM on are multiples


class Block:
    """A part of a segment: in use, or free."""

    __slots__ = ("address", "after", "before", "is_free", "pool", "size")

    def __init__(self, address: int, size: int, pool: Pool) -> None:
        self.address = address
        self.size = size
        self.pool = pool
        self.is_free = False
        self.before: Block | None = None  # neighbours in the segment
        self.after: Block | None = None

    def __lt__(self, other: Block) -> bool:
        return (self.size, self.address) < (other.size, other.address)

    def __repr__(self) -> str:
        state = "free" if self.is_free else "used"
        return f"<{state} block of {self.size} bytes at {self.address:#x}>"


@dataclass(eq=False)
class Pool:
    """The blocks of one stream, small or large: those that are free, by size."""

    stream: int
    is_small: bool
    free: list[Block] = field(default_factory=list)


class Memory:
    """Bytes of a GPU for as long as this lives."""

    __slots__ = ("_allocator", "_block", "_others", "address", "size")

    def __init__(self, allocator: Allocator, block: Block, size: int) -> None:
        self._allocator = allocator
        self._block = block
        self._others: set[int] | None = None
        self.address = block.address
        self.size = size

    def __del__(self) -> None:
        # Collection of garbage may come at any time, in the allocator's own code too.
        self._allocator.given_back.append((self._block, self._others))

    def __repr__(self) -> str:
        return f"Memory({self.size} bytes at {self.address:#x})"

    def used_by(self, stream: int) -> None:
        """Keep the bytes from others until what this stream has to do by then has ended."""
        if stream != self._block.pool.stream:
            self._others = {stream, *(self._others or ())}


@dataclass
class Statistics:
    """Bytes, now and at most.

    allocated: of memory in use.  reserved: of segments.
    """

    allocated: int = 0
    reserved: int = 0
    peak_allocated: int = 0
    peak_reserved: int = 0
    allocations: int = 0
    segments: int = 0
    retries: int = 0  # allocations for which what was kept had to go

    def reset_peaks(self) -> None:
        """Forget what was at most."""
        self.peak_allocated, self.peak_reserved = self.allocated, self.reserved


class Allocator:
    """Hands out memory of one GPU.

    given_back: blocks that nobody uses any more, and which other streams may still use them.
    fraction: of the GPU's memory, that is taken at most.
    """

    def __init__(self, driver: Driver) -> None:
        self.given_back: deque[tuple[Block, set[int] | None]] = deque()
        self._driver = driver
        self._lock = threading.RLock()
        self._pools: dict[tuple[int, bool], Pool] = {}
        self._statistics = Statistics()
        self._awaited: list[tuple[list[int], Block]] = []  # events, then the block is free
        self.fraction = 1.0

    @property
    def statistics(self) -> Statistics:
        """What is in use now."""
        with self._lock:
            self._collect()
            return self._statistics

    def allocate(self, size: int, stream: int, what: str = "a tensor") -> Memory:
        """Return memory that work of a stream may use; OutOfMemoryError says who has how much."""
        rounded = max(-(-size // GRAIN) * GRAIN, GRAIN)
        with self._lock:
            self._collect()
            block = self._taken(rounded, stream, what)
            found = self._statistics
            found.allocations += 1
            found.allocated += block.size
            found.peak_allocated = max(found.peak_allocated, found.allocated)
            return Memory(self, block, size)

    def empty_cache(self) -> None:
        """Give the driver back every segment that nobody uses a part of."""
        with self._lock:
            self._collect(wait=True)
            for pool in self._pools.values():
                unused = [block for block in pool.free if not (block.before or block.after)]
                for block in unused:
                    pool.free.remove(block)
                    self._driver.free(block.address)
                    self._statistics.reserved -= block.size
                    self._statistics.segments -= 1

    # -- taking ----------------------------------------------------------------------------------

    def _taken(self, size: int, stream: int, what: str) -> Block:
        """Return a block of at least `size` bytes, out of what is free or from a new segment."""
        small = size <= SMALL
        pool = self._pools.setdefault((stream, small), Pool(stream, small))
        block = _best(pool, size)
        if block is None:
            block = self._segment(size, pool, what)
        block.is_free = False
        self._split(block, size)
        return block

    def _segment(self, size: int, pool: Pool, what: str) -> Block:
        wanted = _segment_size(size)
        address = self._allocated(wanted, size, what)
        found = self._statistics
        found.segments += 1
        found.reserved += wanted
        found.peak_reserved = max(found.peak_reserved, found.reserved)
        return Block(address, wanted, pool)

    def _allocated(self, wanted: int, size: int, what: str) -> int:
        """Ask the driver; where it has none, once more without what is kept."""
        try:
            return self._asked(wanted)
        except OutOfMemoryError:
            self._statistics.retries += 1
            self.empty_cache()
        try:
            return self._asked(wanted)
        except OutOfMemoryError as error:
            raise OutOfMemoryError(self._said(size, what)) from error

    def _asked(self, wanted: int) -> int:
        most = int(self.fraction * self._driver.properties.total_memory)
        if self.fraction < 1 and self._statistics.reserved + wanted > most:
            raise OutOfMemoryError(f"set_per_process_memory_fraction allows {shown(most)}")
        return self._driver.allocate(wanted)

    def _said(self, size: int, what: str) -> str:
        """Return the message of an allocation that failed."""
        free, total = self._driver.memory_info()
        found = self._statistics
        name = self._driver.properties.name
        limit = "" if self.fraction == 1 else f" This process may take {self.fraction:.0%} of it."
        return (
            f"CUDA out of memory: {what} wants {shown(size)}. {name} has "
            f"{shown(total)}, {shown(free)} of it free.{limit} jitnet's tensors and programs have "
            f"{shown(found.allocated)} (at most {shown(found.peak_allocated)} so far), and "
            f"{shown(found.reserved - found.allocated)} more is kept for the next in pieces that "
            "are too small. Use smaller batches, del what is not needed, or compile the whole "
            "step: what lives inside it shares one arena"
        )

    def _split(self, block: Block, size: int) -> None:
        """Make what a block has too much a free block of its own, if that is worth it."""
        pool, left = block.pool, block.size - size
        if left < (GRAIN if pool.is_small else SMALL):
            return
        rest = Block(block.address + size, left, pool)
        block.size = size
        rest.before, rest.after = block, block.after
        if block.after is not None:
            block.after.before = rest
        block.after = rest
        rest.is_free = True
        insort(pool.free, rest)

    # -- giving back -----------------------------------------------------------------------------

    def _collect(self, wait: bool = False) -> None:
        """Free the blocks that were given back, and those whose other streams are done."""
        while self.given_back:
            block, others = self.given_back.popleft()
            self._statistics.allocated -= block.size
            if others:
                self._awaited.append((self._marks(others), block))
            else:
                self._free(block)
        if self._awaited:
            self._awaited = [each for each in self._awaited if not self._is_over(*each, wait)]

    def _marks(self, streams: set[int]) -> list[int]:
        events = []
        for stream in sorted(streams):
            event = self._driver.new_event(False)
            self._driver.record(event, stream)
            events.append(event)
        return events

    def _is_over(self, events: list[int], block: Block, wait: bool) -> bool:
        """Free a block if its events have come; whether they have."""
        for event in events:
            if wait:
                self._driver.synchronize_event(event)
            elif not self._driver.event_done(event):
                return False
        for event in events:
            self._driver.close_event(event)
        self._free(block)
        return True

    def _free(self, block: Block) -> None:
        """Put a block among the free ones of its pool, as one with free neighbours."""
        pool = block.pool
        for neighbour in (block.before, block.after):
            if neighbour is not None and neighbour.is_free:
                del pool.free[bisect_left(pool.free, neighbour)]
                block = _joined(*sorted((block, neighbour), key=_address))
        block.is_free = True
        insort(pool.free, block)


def _best(pool: Pool, size: int) -> Block | None:
    """Take the smallest free block that is large enough; None where there is none.

    A large one is left for large requests, rather than cut to pieces that never meet again.
    """
    place = bisect_left(pool.free, size, key=lambda block: block.size)
    if place == len(pool.free):
        return None
    found = pool.free[place]
    if not pool.is_small and found.size > LARGE_SEGMENT and found.size > 2 * size:
        return None
    del pool.free[place]
    return found


def _joined(first: Block, second: Block) -> Block:
    """Return two neighbours as one."""
    first.size += second.size
    first.after = second.after
    if second.after is not None:
        second.after.before = first
    return first


def _address(block: Block) -> int:
    return block.address


def _segment_size(size: int) -> int:
    if size <= SMALL:
        return SMALL_SEGMENT
    if size < MEDIUM:
        return LARGE_SEGMENT
    return -(-size // LARGE_GRAIN) * LARGE_GRAIN


def shown(count: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"
