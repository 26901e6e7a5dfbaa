"""A GPU that is not there: memory is NumPy's, kernels run in one of `simulated_kernels`.

Work on a stream waits until somebody waits for it, so that what forgets to wait reads old bytes;
memory comes full of 0xA5, and touching what was given back is an error.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import numpy as np

from jitnet.runtime.cuda.driver import Code, CudaError, OutOfMemoryError, Properties
from jitnet.runtime.cuda.gemm import Gemm, Matrix
from jitnet.runtime.dtype import dtype_named
from tests.ptx_machine.memory import GlobalMemory
from tests.simulated_kernels import Kernels, SourceKernels

_FIRST = 0x7F00_0000_0000
_ALIGNED = 512
_handles = count(16)  # each is of one GPU: streams and events of others are not mistaken for it


class _Stream:
    """What a stream has still to do; None where a graph is written down instead."""

    def __init__(self) -> None:
        self.queue: deque[Callable[[], None]] = deque()
        self.captured: list[Callable[[], None]] | None = None


class SimulatedDriver:
    """One simulated GPU; see Driver.

    log: the names of what was asked for, such as "launch", for tests to count.
    library_there: whether it has the vendor's library.
    kernels: what is done with kernels.
    """

    _events: ClassVar[dict[int, tuple[_Stream, Callable[[], None]] | None]] = {}  # of all GPUs

    def __init__(
        self, memory: int = 1 << 30, index: int = 0, kernels: Kernels | None = None
    ) -> None:
        self._kernels = kernels or SourceKernels()
        self.properties = Properties(f"Simulated GPU {index}", 8, 0, memory, 2)
        self.log: list[str] = []
        self.library_there = False
        self.others: Sequence[SimulatedDriver] = ()  # of the computer, by number
        self._next = _FIRST + (index << 40)
        self._memory = GlobalMemory()
        self._pinned: dict[int, Any] = {}
        self._streams = {1: _Stream(), 2: _Stream()}  # the driver's default streams
        self._graphs: dict[int, list[Callable[[], None]]] = {}
        self._functions: dict[int, Any] = {}

    def _new(self) -> int:
        return next(_handles)

    # -- memory ----------------------------------------------------------------------------------

    @property
    def used(self) -> int:
        """The bytes that are allocated."""
        return self._memory.size

    def memory_info(self) -> tuple[int, int]:
        total = self.properties.total_memory
        return total - self.used, total

    def allocate(self, size: int) -> int:
        self.log.append("allocate")
        captured = any(stream.captured is not None for stream in self._streams.values())
        assert not captured, "memory was asked for while a stream was captured"
        if size > self.memory_info()[0]:
            raise OutOfMemoryError("CUDA error: CUDA_ERROR_OUT_OF_MEMORY: out of memory")
        address = self._next
        self._next += -(-size // _ALIGNED) * _ALIGNED + _ALIGNED
        self._memory.add(address, np.full(size, self._kernels.fresh, np.uint8))
        return address

    def free(self, address: int) -> None:
        self.log.append("free")
        for stream in self._streams.values():
            self._drain(stream)
        self._memory.remove(address)

    def bytes_at(self, address: int, size: int | None = None) -> np.ndarray:
        """Return the bytes from an address on; up to the end of what was allocated by default."""
        block = self._memory.bytes_at(address)
        if len(block) < (1 if size is None else size):
            raise CudaError(f"CUDA error: illegal address {address:#x}, {size} bytes")
        return block[:size]

    def pin(self, size: int) -> int:
        memory = (ctypes.c_uint8 * size)()
        self._pinned[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)

    def unpin(self, address: int) -> None:
        del self._pinned[address]

    def upload(self, target: int, source: int, size: int, stream: int) -> None:
        host = _host(source, size)
        is_pinned = any(at <= source < at + len(each) for at, each in self._pinned.items())
        kept = host if is_pinned else host.copy()
        self.ask("upload", stream, lambda: np.copyto(self.bytes_at(target, size), kept))

    def download(self, target: int, source: int, size: int, stream: int) -> None:
        host = _host(target, size)
        self.ask("download", stream, lambda: np.copyto(host, self.bytes_at(source, size)))

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        def copy() -> None:
            np.copyto(self.bytes_at(target, size), self.bytes_at(source, size))

        self.ask("copy", stream, copy)

    def reaches(self, index: int) -> bool:
        return True

    def copy_to(self, index: int, target: int, source: int, size: int, stream: int) -> None:
        there = self.others[index]

        def copy() -> None:
            np.copyto(there.bytes_at(target, size), self.bytes_at(source, size))

        self.ask("copy_to", stream, copy)

    def fill(self, target: int, byte: int, size: int, stream: int) -> None:
        self.ask("fill", stream, lambda: self.bytes_at(target, size).fill(byte))

    # -- code ------------------------------------------------------------------------------------

    def version(self) -> str:
        return self._kernels.version()

    def build(self, source: str, functions: Mapping[str, Sequence[str]]) -> dict[str, Code]:
        self.log.append("build")
        return self._kernels.build(source, functions)

    def load(self, code: Code) -> int:
        handle = self._new()
        self._functions[handle] = self._kernels.load(code)
        return handle

    def launch(
        self,
        function: int,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        stream: int,
    ) -> None:
        kernel, given = self._functions[function], list(pointers)
        self.ask(
            "launch",
            stream,
            lambda: self._kernels.launch(kernel, grid, block, given, self._memory),
        )

    # -- the vendor's library --------------------------------------------------------------------

    def has_library(self) -> bool:
        return self.library_there

    def library(self) -> SimulatedLibrary:
        assert self.library_there, "the library that is not there was asked for"
        self.log.append("library")
        return SimulatedLibrary(self)

    # -- streams and events ----------------------------------------------------------------------

    def new_stream(self, priority: int = 0) -> int:
        handle = self._new()
        self._streams[handle] = _Stream()
        return handle

    def close_stream(self, stream: int) -> None:
        self._drain(self._streams.pop(stream))

    def ask(self, name: str, stream: int, work: Callable[[], None]) -> None:
        """Put work at the end of what a stream has to do, or into the graph that is captured."""
        self.log.append(name)
        found = self._streams[stream]
        if found.captured is not None:
            found.captured.append(work)
        else:
            found.queue.append(work)

    def _drain(self, stream: _Stream, until: Callable[[], None] | None = None) -> None:
        while stream.queue and (until is None or until in stream.queue):
            stream.queue.popleft()()

    def synchronize(self, stream: int) -> None:
        self.log.append("synchronize")
        assert self._streams[stream].captured is None, "a stream that is captured was waited for"
        self._drain(self._streams[stream])

    def stream_done(self, stream: int) -> bool:
        return not self._streams[stream].queue

    def new_event(self, timed: bool) -> int:
        handle = self._new()
        self._events[handle] = None
        return handle

    def close_event(self, event: int) -> None:
        del self._events[event]

    def record(self, event: int, stream: int) -> None:
        found = self._streams[stream]

        def mark() -> None:
            pass

        self._events[event] = found, mark
        found.queue.append(mark)

    def wait(self, stream: int, event: int) -> None:
        marked = self._events[event]
        if marked is not None:
            self._streams[stream].queue.append(lambda: self._drain(*marked))

    def synchronize_event(self, event: int) -> None:
        marked = self._events[event]
        if marked is not None:
            self._drain(*marked)

    def event_done(self, event: int) -> bool:
        marked = self._events[event]
        return marked is None or marked[1] not in marked[0].queue

    def elapsed(self, start: int, end: int) -> float:
        return float(end - start)

    # -- graphs ----------------------------------------------------------------------------------

    def begin_capture(self) -> int:
        stream = self.new_stream()
        self._streams[stream].captured = []
        return stream

    def end_capture(self, stream: int) -> int:
        handle = self._new()
        found = self._streams.pop(stream)
        assert found.captured is not None
        self._graphs[handle] = found.captured
        self.log.append("capture")
        return handle

    def abandon_capture(self, stream: int) -> None:
        del self._streams[stream]

    def launch_graph(self, graph: int, stream: int) -> None:
        found = self._graphs[graph]

        def run() -> None:
            for work in found:
                work()

        self.ask("launch_graph", stream, run)

    def close_graph(self, graph: int) -> None:
        del self._graphs[graph]  # launches that wait hold what they will do


class SimulatedLibrary:
    """The vendor's library on a simulated GPU: NumPy's products; see Library."""

    workspace_bytes = 1 << 12

    def __init__(self, driver: SimulatedDriver) -> None:
        self._driver = driver

    def multiply(self, gemm: Gemm, a: int, b: int, c: int, workspace: int, stream: int) -> None:
        def run() -> None:
            self._driver.bytes_at(workspace, self.workspace_bytes).fill(0xA5)
            matrices = ((a, gemm.a), (b, gemm.b), (c, gemm.c))
            multiply(gemm, *(self._elements(at, matrix) for at, matrix in matrices))

        self._driver.ask("multiply", stream, run)

    def _elements(self, address: int, matrix: Matrix) -> np.ndarray:
        """Return the memory from a matrix on."""
        dtype = dtype_named(matrix.dtype).numpy
        found = self._driver.bytes_at(address)
        return found[: len(found) // dtype.itemsize * dtype.itemsize].view(dtype)


def multiply(gemm: Gemm, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    """Do what cuBLAS does: columns of matrices lie one after another."""
    sums = np.float64 if gemm.compute == "64F" else np.float32
    for number in range(gemm.count):
        left = _matrix(a, gemm.a, gemm.m, gemm.k, number).astype(sums)
        right = _matrix(b, gemm.b, gemm.k, gemm.n, number).astype(sums)
        _matrix(c, gemm.c, gemm.m, gemm.n, number)[...] = left @ right


def _matrix(line: np.ndarray, matrix: Matrix, rows: int, columns: int, number: int) -> np.ndarray:
    """Return a view of rows x columns, as a matrix is multiplied by."""
    high, wide = (rows, columns) if matrix.op == "N" else (columns, rows)
    assert matrix.lead >= high, f"a lead of {matrix.lead} for columns of {high}"
    start = number * matrix.step
    reach = start + (wide - 1) * matrix.lead + high
    assert reach <= len(line), f"a matrix of {len(line)} elements is read up to {reach}"
    strides = (line.itemsize, matrix.lead * line.itemsize)
    lying = np.lib.stride_tricks.as_strided(line[start:], (high, wide), strides)
    return lying if matrix.op == "N" else lying.T


class SimulatedPlatform:
    """Some simulated GPUs, or a reason why there is none."""

    def __init__(self, *drivers: SimulatedDriver, reason: str | None = None) -> None:
        self.drivers = drivers
        for driver in drivers:
            driver.others = drivers
        self.reason = reason

    def why_not(self) -> str | None:
        return self.reason

    def count(self) -> int:
        return len(self.drivers)

    def open(self, index: int) -> SimulatedDriver:
        return self.drivers[index]


def _host(address: int, size: int) -> np.ndarray:
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)
