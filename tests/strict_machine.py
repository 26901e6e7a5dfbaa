"""NVIDIA's driver as its documentation allows it to be, with GPUs that are the host's memory.

It refuses what the driver refuses, with its error, and of what the driver leaves open it does the
worst: work waits until somebody waits for it, and pageable memory is read when a copy's turn comes.
What the driver would not notice, and break by, is written down as a fault.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import threading
from typing import Any

import numpy as np

from jitnet.runtime.cuda.driver import Code
from tests.strict_rules import (
    ALIGNED,
    ATTRIBUTES,
    BLOCK,
    CAPTURED,
    GRID,
    INVALID_HANDLE,
    INVALID_VALUE,
    INVALIDATED,
    NO_DEVICE,
    NO_PEER,
    NOT_FOUND,
    NOT_INITIALIZED,
    NOT_READY,
    OUT_OF_MEMORY,
    OUT_OF_RESOURCES,
    PEER_ALREADY,
    REGISTERS,
    SHARED,
    THREADS,
    UNSUPPORTED,
    Capture,
    Context,
    Event,
    Function,
    Graph,
    Launchable,
    Refused,
    Rules,
    Stream,
    host_bytes,
)


class Machine(Rules):
    """A computer with GPUs."""

    # -- devices ---------------------------------------------------------------------------------

    def cuInit(self, flags: int) -> None:
        if not self.devices:
            raise Refused(NO_DEVICE)
        if os.getpid() != self._process:
            raise Refused(NOT_INITIALIZED)
        self._is_started = True

    def cuDriverGetVersion(self) -> int:
        return 13050

    def cuDeviceGetCount(self) -> int:
        return self.devices

    def cuDeviceGet(self, index: int) -> int:
        return index

    def cuDeviceGetName(self, address: int, size: int, device: int) -> None:
        ctypes.memmove(address, b"Strict GPU %d\0" % device, 13)

    def cuDeviceTotalMem(self, device: int) -> int:
        return self.memory

    def cuDeviceGetAttribute(self, attribute: int, device: int) -> int:
        return ATTRIBUTES[attribute]

    def cuDevicePrimaryCtxRetain(self, device: int) -> int:
        if device not in self._contexts:
            self._contexts[device] = self._new(Context(device))
        return self._contexts[device]

    def context(self, device: int) -> Context:
        """Return a GPU's context."""
        found: Context = self._things[self._contexts[device]]
        return found

    def cuCtxSetCurrent(self, context: int) -> None:
        self._current[threading.get_ident()] = self._thing(Context, context)

    def cuDeviceCanAccessPeer(self, device: int, peer: int) -> int:
        return int(self.has_peers and device != peer)

    def cuCtxEnablePeerAccess(self, peer: int, flags: int) -> None:
        here, there = self._context(), self._thing(Context, peer)
        if not self.has_peers or here is there:
            raise Refused(NO_PEER)
        if there.device in here.peers:
            raise Refused(PEER_ALREADY)
        here.peers.add(there.device)

    # -- memory ----------------------------------------------------------------------------------

    def cuMemGetInfo(self) -> tuple[int, int]:
        here = self._context()
        return self.memory - self._memories[here.device].size, self.memory

    def cuMemAlloc(self, size: int) -> int:
        self._unsafe()
        if not size:
            raise Refused(INVALID_VALUE)
        if size > self.cuMemGetInfo()[0]:
            raise Refused(OUT_OF_MEMORY)
        buffer = np.full(size + ALIGNED, self.kernels.fresh, np.uint8)
        past = -buffer.ctypes.data % ALIGNED
        data = buffer[past : past + size]
        device = self._blocks[data.ctypes.data] = self._context().device
        self._memories[device].add(data.ctypes.data, data)
        return data.ctypes.data

    def cuMemFree(self, address: int) -> None:
        self._unsafe()
        if address not in self._blocks:
            self._fault(f"{address:#x} is freed, which is no memory, or was freed before")
            raise Refused(INVALID_VALUE)
        for stream in self._streams():
            self._drain(stream)
        self._memories[self._blocks.pop(address)].remove(address)

    def cuMemHostAlloc(self, size: int, flags: int) -> int:
        self._unsafe()
        memory = (ctypes.c_uint8 * size)()
        self._pinned[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)

    def cuMemFreeHost(self, address: int) -> None:
        self._unsafe()
        if any(stream.queue for stream in self._streams()):
            self._fault("pinned memory is freed while copies may still use it")
        del self._pinned[address]

    def _copy(self, target: Any, source: Any, size: int, stream: int, host: int = 0) -> None:
        """Put a copy into a stream, given functions that return memory; host: an address there."""
        pinned = any(at <= host < at + len(each) for at, each in self._pinned.items())
        if host and not pinned:
            if self._own(Stream, stream).capture is not None:
                raise Refused(UNSUPPORTED)
            self._unread[threading.get_ident()] = stream
        self._put(stream, lambda: np.copyto(target(), source()))

    def cuMemcpyHtoDAsync(self, target: int, source: int, size: int, stream: int) -> None:
        here = self._context()
        there = lambda: self.bytes_at(target, size, here)  # noqa: E731
        there()
        self._copy(there, lambda: host_bytes(source, size), size, stream, source)

    def cuMemcpyDtoHAsync(self, target: int, source: int, size: int, stream: int) -> None:
        here = self._context()
        there = lambda: self.bytes_at(source, size, here)  # noqa: E731
        there()
        self._copy(lambda: host_bytes(target, size), there, size, stream, target)

    def cuMemcpyDtoDAsync(self, target: int, source: int, size: int, stream: int) -> None:
        here = self._context()
        to, of = (lambda at=at: self.bytes_at(at, size, here) for at in (target, source))
        to(), of()
        self._copy(to, of, size, stream)

    def cuMemcpyPeerAsync(
        self, target: int, there: int, source: int, here: int, size: int, stream: int
    ) -> None:
        pairs = ((target, self._thing(Context, there)), (source, self._thing(Context, here)))
        to, of = (lambda at=at, by=by: self.bytes_at(at, size, by) for at, by in pairs)
        to(), of()
        self._copy(to, of, size, stream)

    def cuMemsetD8Async(self, target: int, byte: int, size: int, stream: int) -> None:
        here = self._context()
        self.bytes_at(target, size, here)
        self._put(stream, lambda: self.bytes_at(target, size, here).fill(byte))

    # -- code ------------------------------------------------------------------------------------

    def cuModuleLoadData(self, image: int) -> int:
        self._unsafe()
        length = ctypes.c_uint64.from_address(image).value
        symbol, code, pointers = pickle.loads(ctypes.string_at(image + 8, length))
        loaded = self.kernels.load(Code(symbol, code))
        return self._new(Function(self._context(), symbol, loaded, pointers))

    def cuModuleGetFunction(self, module: int, symbol: bytes) -> int:
        found = self._own(Function, module)
        if symbol != found.symbol.encode():
            raise Refused(NOT_FOUND)
        return module

    def cuLaunchKernel(self, function: int, *args: int) -> None:
        kernel: Function = self._own(Function, function)
        grid, block, (shared, stream, parameters, extra) = args[:3], args[3:6], args[6:]
        sizes = zip((*grid, *block), (*GRID, *BLOCK), strict=True)
        threads = block[0] * block[1] * block[2]
        if not all(0 < size <= most for size, most in sizes) or threads > THREADS or extra:
            raise Refused(INVALID_VALUE)
        if threads * kernel.registers > REGISTERS:
            raise Refused(OUT_OF_RESOURCES)
        if shared > SHARED:
            raise Refused(INVALID_VALUE)
        count, words = kernel.pointers, ctypes.c_uint64
        places = (words * count).from_address(parameters)
        pointers = [words.from_address(place).value for place in places]
        memory = self._memories[kernel.context.device]

        def run() -> None:
            self.kernels.launch(kernel.loaded, grid, block, pointers, memory)

        self._put(stream, run)

    # -- streams and events ----------------------------------------------------------------------

    def cuStreamCreate(self, flags: int) -> int:
        return self._new(Stream(self._context(), flags))

    def cuStreamCreateWithPriority(self, flags: int, priority: int) -> int:
        return self.cuStreamCreate(flags)

    def cuStreamDestroy(self, stream: int) -> None:
        found = self._end(Stream, stream)
        if found.capture is not None:
            self._fault("a stream is destroyed while it is captured")
        self._drain(found)

    def cuStreamSynchronize(self, stream: int) -> None:
        found = self._not_captured(stream)
        self._drain(found)
        self._context()

    def cuStreamQuery(self, stream: int) -> None:
        if self._not_captured(stream).queue:
            raise Refused(NOT_READY)

    def _not_captured(self, stream: int) -> Stream:
        found: Stream = self._own(Stream, stream)
        if found.capture is not None:
            found.capture.is_valid = False
            raise Refused(UNSUPPORTED)
        self._unsafe()
        return found

    def cuStreamWaitEvent(self, stream: int, event: int, flags: int) -> None:
        found: Event = self._thing(Event, event)
        if found.stream is not None and found.mark is not None:
            source, mark = found.stream, found.mark
            self._put(stream, lambda: self._drain(source, mark))

    def cuEventCreate(self, flags: int) -> int:
        return self._new(Event(self._context(), not flags & 2))

    def cuEventDestroy(self, event: int) -> None:
        self._end(Event, event)

    def cuEventRecord(self, event: int, stream: int) -> None:
        found, source = self._own(Event, event), self._own(Stream, stream)

        def mark() -> None:
            pass

        found.stream, found.mark = source, mark
        found.is_captured = source.capture is not None
        self._put(stream, mark)

    def cuEventSynchronize(self, event: int) -> None:
        found = self._not_captured_event(event)
        if found.stream is not None:
            self._drain(found.stream, found.mark)
        self._context()

    def cuEventQuery(self, event: int) -> None:
        found = self._not_captured_event(event)
        if found.stream is not None and found.mark in found.stream.queue:
            raise Refused(NOT_READY)

    def _not_captured_event(self, event: int) -> Event:
        found: Event = self._thing(Event, event)
        if found.is_captured:
            raise Refused(CAPTURED)
        self._unsafe()
        return found

    def cuEventElapsedTime(self, start: int, end: int) -> float:
        for event in (self._thing(Event, start), self._thing(Event, end)):
            if not event.is_timed or event.stream is None:
                raise Refused(INVALID_HANDLE)
            if event.mark in event.stream.queue:
                raise Refused(NOT_READY)
        return float(end - start)

    # -- graphs ----------------------------------------------------------------------------------

    def cuStreamBeginCapture(self, stream: int, mode: int) -> None:
        found = self._own(Stream, stream)
        if found.capture is not None:
            raise Refused(INVALID_VALUE)
        found.capture = Capture(mode, threading.get_ident())

    def cuStreamEndCapture(self, stream: int) -> int:
        found = self._own(Stream, stream)
        capture, found.capture = found.capture, None
        if capture is None:
            raise Refused(INVALID_VALUE)
        if not capture.is_valid:
            raise Refused(INVALIDATED)
        return self._new(Graph(found.context, capture.work))

    def cuGraphInstantiateWithFlags(self, graph: int, flags: int) -> int:
        found = self._thing(Graph, graph)
        return self._new(Launchable(found.context, found.work))

    def cuGraphDestroy(self, graph: int) -> None:
        self._end(Graph, graph)

    def cuGraphLaunch(self, graph: int, stream: int) -> None:
        work = self._own(Launchable, graph).work

        def run() -> None:
            for each in work:
                each()

        self._put(stream, run)

    def cuGraphExecDestroy(self, graph: int) -> None:
        self._end(Launchable, graph)
