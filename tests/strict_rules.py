"""What holds of all functions of strict_machine.py: whose things are, who may use them when."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.ptx_machine.memory import GlobalMemory
from tests.simulated_kernels import Kernels

ALIGNED = 512
BLOCKING = 0  # a stream's flags, where the driver's default stream and it wait for each other
LEGACY, PER_THREAD = 1, 2  # handles of the driver's default stream, taken for one here
GLOBAL, THREAD_LOCAL, RELAXED = range(3)  # modes of a capture
OK, INVALID_VALUE, OUT_OF_MEMORY, NOT_INITIALIZED = 0, 1, 2, 3
NO_DEVICE, INVALID_CONTEXT, NO_PEER, INVALID_HANDLE, NOT_FOUND = 100, 201, 217, 400, 500
NOT_READY, ILLEGAL_ADDRESS, OUT_OF_RESOURCES, PEER_ALREADY = 600, 700, 701, 704
UNSUPPORTED, INVALIDATED, IMPLICIT, CAPTURED = 900, 901, 906, 907
GRID, BLOCK, THREADS, REGISTERS, SHARED = (
    (2**31 - 1, 65535, 65535),
    (1024, 1024, 64),
    1024,
    65536,
    48 << 10,
)
# Processors, compute capability, what each processor has.
ATTRIBUTES = {
    16: 2,
    75: 8,
    76: 0,
    39: 1536,
    82: 65536,
    8: 48 << 10,
    81: 100 << 10,
    38: 4 << 20,
    18: 0,
    10: 32,
}


class Refused(Exception):
    """What the driver answers with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(eq=False)
class Context:
    """A GPU's own, which streams, events, memory and functions belong to."""

    device: int
    broken: int = OK
    peers: set[int] = field(default_factory=set)


@dataclass(eq=False)
class Capture:
    """What a stream writes down."""

    mode: int
    thread: int
    work: list[Callable[[], None]] = field(default_factory=list)
    is_valid: bool = True


@dataclass(eq=False)
class Stream:
    """What is still to do, in order."""

    context: Context
    flags: int
    queue: deque[Callable[[], None]] = field(default_factory=deque)
    capture: Capture | None = None


@dataclass(eq=False)
class Event:
    """A place in a stream, once recorded."""

    context: Context
    is_timed: bool
    stream: Stream | None = None
    mark: Callable[[], None] | None = None
    is_captured: bool = False


@dataclass(eq=False)
class Graph:
    """What was written down; one that can be launched is Launchable."""

    context: Context
    work: list[Callable[[], None]]


class Launchable(Graph):
    """A graph that was instantiated."""


@dataclass(eq=False)
class Function:
    """A kernel.

    loaded: what the machine's kernels take.  pointers: how many it takes.
    """

    context: Context
    symbol: str
    loaded: Any
    pointers: int
    registers: int = 128


class Rules:
    """What holds of all functions; `call` is any of them, by its name.

    log: the names of what was called.  faults: what a program did that the driver leaves undefined.
    """

    def __init__(
        self, kernels: Kernels, devices: int = 1, memory: int = 1 << 30, peers: bool = True
    ) -> None:
        self.kernels = kernels
        self.devices, self.memory, self.has_peers = devices, memory, peers
        self.log: list[str] = []
        self.faults: list[str] = []
        self._process = os.getpid()
        self._lock = threading.RLock()  # any thread may call, as in the driver
        self._is_started = False
        self._contexts: dict[int, int] = {}  # device -> handle
        self._current: dict[int, Context] = {}  # thread -> context
        self._things: dict[int, Any] = {}  # handle -> what it is of
        self._handle = 0x5000
        self._defaults: dict[int, Stream] = {}  # device -> the driver's own stream
        self._memories: dict[int, GlobalMemory] = defaultdict(GlobalMemory)  # by device
        self._blocks: dict[int, int] = {}  # address -> device
        self._pinned: dict[int, Any] = {}
        self._unread: dict[int, int] = {}  # thread -> stream that copies pageable memory

    def call(self, name: str, *args: Any) -> tuple[Any, ...]:
        """Return a status and what else the function gives."""
        if not name.startswith("cuInit") and (not self._is_started or os.getpid() != self._process):
            return (NOT_INITIALIZED,)
        with self._lock:
            self.log.append(name)
            self._settled(name, args)
            try:
                found = getattr(self, name)(*args)
            except Refused as refused:
                return (refused.status,)
        return (OK, *(found if isinstance(found, tuple) else () if found is None else (found,)))

    # -- what holds of all -----------------------------------------------------------------------

    def _fault(self, said: str) -> None:
        self.faults.append(said)

    def _new(self, thing: Any) -> int:
        self._handle += 16
        self._things[self._handle] = thing
        return self._handle

    def _thing(self, kind: type[Any], handle: int) -> Any:
        found = self._things.get(handle)
        if type(found) is not kind:
            self._fault(f"{handle:#x} is no {kind.__name__}, or one that was destroyed")
            raise Refused(INVALID_HANDLE)
        return found

    def _end(self, kind: type[Any], handle: int) -> Any:
        self._thing(kind, handle)
        return self._things.pop(handle)

    def _context(self) -> Context:
        found = self._current.get(threading.get_ident())
        if found is None:
            raise Refused(INVALID_CONTEXT)
        if found.broken:
            raise Refused(found.broken)
        return found

    def _own(self, kind: type[Any], handle: int) -> Any:
        """Return a thing of the current context: others' are refused."""
        if kind is Stream and handle in (LEGACY, PER_THREAD):
            here = self._context()
            return self._defaults.setdefault(here.device, Stream(here, BLOCKING))
        found = self._thing(kind, handle)
        if found.context is not self._context():
            raise Refused(INVALID_HANDLE)
        return found

    def _streams(self) -> list[Stream]:
        return [each for each in self._things.values() if isinstance(each, Stream)]

    def _unsafe(self) -> None:
        """Refuse what may wait, or allocate, while this thread captures in a mode that forbids."""
        self._context()
        here = threading.get_ident()
        for stream in self._streams():
            capture = stream.capture
            forbids = capture is not None and (
                capture.mode == GLOBAL or (capture.mode == THREAD_LOCAL and capture.thread == here)
            )
            if capture is not None and forbids:
                capture.is_valid = False
                raise Refused(UNSUPPORTED)

    def _settled(self, name: str, args: tuple[Any, ...]) -> None:
        """Note where pageable memory is left alone with a copy that has not read it yet."""
        here = threading.get_ident()
        stream = self._unread.get(here)
        if stream is None or name == "cuCtxSetCurrent":
            return
        if name == "cuStreamSynchronize" and args[0] == stream:
            del self._unread[here]
        elif not (name.startswith("cuMemcpy") and args[3] == stream):
            self._fault(f"{name} while a copy has not yet read, or written, pageable memory")
            del self._unread[here]

    def _put(self, handle: int, work: Callable[[], None]) -> None:
        """Put work at the end of what a stream has to do, or write it down."""
        stream: Stream = self._own(Stream, handle)
        if handle in (LEGACY, PER_THREAD):
            self._put_by_default(stream, work)
        elif stream.capture is None:
            stream.queue.append(work)
        elif stream.capture.is_valid:
            stream.capture.work.append(work)
        else:
            raise Refused(INVALIDATED)

    def _put_by_default(self, default: Stream, work: Callable[[], None]) -> None:
        """Put work into the driver's default stream: it and blocking ones wait for each other."""
        others = [
            each
            for each in self._streams()
            if each.context is default.context and each.flags == BLOCKING
        ]
        for other in others:
            if other.capture is not None:
                other.capture.is_valid = False
                raise Refused(IMPLICIT)
            default.queue.append(lambda other=other: self._drain(other))  # type: ignore[misc]
        default.queue.append(work)
        for other in others:
            other.queue.append(lambda: self._drain(default))

    def _drain(self, stream: Stream, until: Callable[[], None] | None = None) -> None:
        while stream.queue and (until is None or until in stream.queue):
            work = stream.queue.popleft()
            try:
                work()
            except Refused as refused:
                stream.context.broken = refused.status

    def bytes_at(self, address: int, size: int, context: Context) -> np.ndarray:
        """Return memory of a GPU, or of another that it may reach."""
        for device in (context.device, *context.peers):
            found: np.ndarray = self._memories[device].bytes_at(address)
            if len(found) >= max(size, 1):
                return found[:size]
        raise Refused(ILLEGAL_ADDRESS)


def host_bytes(address: int, size: int) -> np.ndarray:
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)
