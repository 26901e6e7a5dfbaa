"""The GPUs of this process: memory, streams and copies of each, opened when first used."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..device import Device, gpu_device
from ..layout import address_of
from .allocator import Allocator, Memory
from .array import DeviceArray, layout_of
from .bindings import NvidiaPlatform
from .checks import Checks
from .driver import Driver, Library, Platform
from .pinned import PinnedPool

STAGED = 1 << 20  # bytes up to which a copy to a GPU goes through pinned memory, not waited for
STREAMS = 32  # of one priority: who asks for more shares them, as in PyTorch

_lock = threading.Lock()
_platform: Platform = NvidiaPlatform()
_gpus: dict[int, Gpu] = {}
_pinned: PinnedPool | None = None
on_install: list[Callable[[], None]] = []  # what others keep of GPUs, and must forget with them


class Gpu:
    """One GPU, ready to work: its memory, its streams, what its programs found wrong.

    unused: what finalizers leave to be closed, by which function: they run anywhere, even between
    two steps of a call to another GPU, so they call no driver.
    """

    def __init__(self, index: int, driver: Driver) -> None:
        self.device = gpu_device(index)
        self.driver = driver
        self.allocator = Allocator(driver)
        self.default_stream = driver.new_stream()
        self.streams = [self.default_stream]
        self.checks = Checks(driver)
        self._local = threading.local()
        self._workspaces: dict[int, Memory] = {}
        self._read_later: deque[tuple[int, object]] = deque()  # event, and what it ends the use of
        self._lock = threading.Lock()
        self._chosen: dict[int, deque[int]] = {}  # priority -> streams that were asked for
        self.unused: deque[tuple[Callable[[Any], None], Any]] = deque()

    def __repr__(self) -> str:
        return f"<{self.driver.properties.name}, {self.device}>"

    # -- streams ---------------------------------------------------------------------------------

    @property
    def stream(self) -> int:
        """The stream that this thread's work goes to."""
        found: int = getattr(self._local, "stream", self.default_stream)
        return found

    @stream.setter
    def stream(self, stream: int) -> None:
        self._local.stream = stream

    def new_stream(self, priority: int = 0) -> int:
        """Return a stream, which `synchronize` waits for too: a new one, or one of many in turn."""
        with self._lock:
            chosen = self._chosen.setdefault(priority, deque())
            if len(chosen) < STREAMS:
                chosen.append(self.driver.new_stream(priority))
                self.streams.append(chosen[-1])
            else:
                chosen.rotate(-1)
            return chosen[-1]

    def know(self, stream: int) -> None:
        """Let `synchronize` wait for another library's stream too."""
        if stream not in self.streams:
            self.streams.append(stream)

    def settle(self, stream: int) -> None:
        """Wait for a stream; raise what its programs found wrong."""
        self.driver.synchronize(stream)
        self.checks.settle(stream)

    def synchronize(self) -> None:
        """Wait for all streams; raise what programs found wrong."""
        self.tidy()
        for stream in self.streams:
            self.driver.synchronize(stream)
        for stream in self.streams:
            self.checks.settle(stream)

    def tidy(self) -> None:
        """Close what finalizers have left."""
        while self.unused:
            with self._lock:
                found = self.unused.popleft() if self.unused else None
            if found is not None:
                close, what = found
                close(what)

    def give_back(self, lent: Callable[[], None]) -> None:
        """Tell whose memory was lent that nobody here uses it, once that is so."""
        for stream in self.streams:
            self.driver.synchronize(stream)
        lent()

    # -- memory ----------------------------------------------------------------------------------

    def memory(self, size: int, what: str = "a tensor") -> Memory:
        """Return bytes for this thread's stream."""
        if self.unused:
            self.tidy()
        return self.allocator.allocate(size, self.stream, what)

    @cached_property
    def library(self) -> Library:
        """The vendor's library for products, which its programs ask for."""
        return self.driver.library()

    def workspace(self, stream: int) -> Memory:
        """Return memory that the library works in on a stream: what runs there runs in order."""
        if stream not in self._workspaces:
            size = self.library.workspace_bytes
            self._workspaces[stream] = self.allocator.allocate(size, stream, "cuBLAS to work in")
        return self._workspaces[stream]

    def zeros_of(self, size: int, what: str = "a tensor") -> Memory:
        """Return bytes that are 0."""
        made = self.memory(size, what)
        self.driver.fill(made.address, 0, size, self.stream)
        return made

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        """Return an uninitialised array."""
        layout = layout_of(self.device, dtype, shape)
        return DeviceArray(self.memory(layout.size * dtype.itemsize), layout)

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        """Return an array of zeros."""
        made = self.empty(shape, dtype)
        if made.nbytes:
            self.driver.fill(made.address, 0, made.nbytes, self.stream)
        return made

    def upload(self, array: NDArray[Any], non_blocking: bool = False) -> DeviceArray:
        """Return a copy of an array of the host.

        non_blocking: return before pinned memory has been read, which is kept until then.
        """
        made = self.empty(array.shape, array.dtype)
        self.write(made, array, non_blocking)
        return made

    def write(self, target: DeviceArray, array: NDArray[Any], non_blocking: bool = False) -> None:
        """Copy an array of the host into a contiguous one."""
        packed = np.ascontiguousarray(array)
        if packed.nbytes:
            self._send(target.address, packed.reshape(-1).view(np.uint8), non_blocking)

    def write_bytes(self, target: Memory, content: bytes) -> None:
        """Copy bytes of the host."""
        self._send(target.address, np.frombuffer(content, np.uint8), False)

    def _send(self, address: int, line: NDArray[np.uint8], non_blocking: bool) -> None:
        """Copy bytes of the host, which may change once this returns unless it is non_blocking.

        "Might be synchronous", says the driver's documentation of copies from pageable memory, and
        GPUs that share the host's page tables read it when they get there. So few bytes are copied
        to pinned memory first, and many are waited for.
        """
        is_kept = non_blocking and is_pinned(address_of(line))
        if not is_kept and len(line) <= STAGED:
            staged = pinned(self).empty(line.shape, line.dtype)
            staged[...] = line
            line, is_kept = staged, True
        self.driver.upload(address, address_of(line), len(line), self.stream)
        if is_kept:
            self._keep(line)
        else:
            self.driver.synchronize(self.stream)

    def download_later(self, array: DeviceArray) -> NDArray[Any]:
        """Return pinned memory that a contiguous array is copied to: wait before reading it."""
        found = pinned(self).empty(array.shape, array.dtype)
        if found.nbytes:
            self.driver.download(address_of(found), array.address, found.nbytes, self.stream)
            self._keep(found)
        return found

    def download(self, array: DeviceArray) -> NDArray[Any]:
        """Return a copy on the host of a contiguous array; raise what programs found wrong."""
        found = np.empty(array.shape, array.dtype)
        if found.nbytes:
            self.driver.download(address_of(found), array.address, found.nbytes, self.stream)
        self.settle(self.stream)
        return found

    def copy(self, target: DeviceArray, source: DeviceArray) -> None:
        """Copy a contiguous array of this GPU into another."""
        if target.nbytes:
            self.driver.copy(target.address, source.address, target.nbytes, self.stream)

    def send(self, target: DeviceArray, source: DeviceArray) -> None:
        """Copy a contiguous array of this GPU into one of another; both GPUs' streams wait for it.

        As in PyTorch the copy is this GPU's work: what follows there waits for it, and it waits for
        what used the target's memory before.
        """
        there = gpu_of(target.device)
        if not source.nbytes:
            return
        self._follow(there)
        assert there.device.index is not None
        addresses = target.address, source.address
        self.driver.copy_to(there.device.index, *addresses, source.nbytes, self.stream)
        there._follow(self)

    def _follow(self, other: Gpu) -> None:
        """Let this thread's stream wait for its stream on another GPU."""
        event = other.driver.new_event(False)
        other.driver.record(event, other.stream)
        self.driver.wait(self.stream, event)
        other.driver.close_event(event)

    def _keep(self, what: object) -> None:
        """Keep memory of the host until this thread's stream has read or written it."""
        event = self.driver.new_event(False)
        self.driver.record(event, self.stream)
        with self._lock:
            while self._read_later and self.driver.event_done(self._read_later[0][0]):
                self.driver.close_event(self._read_later.popleft()[0])
            self._read_later.append((event, what))


# -- which there are ----------------------------------------------------------------------------


def install(platform: Platform) -> Platform:
    """Look for GPUs here from now on, and forget those of before; return where they were sought."""
    global _platform, _pinned
    with _lock:
        before, _platform = _platform, platform
        _gpus.clear()
        _pinned = None
        for forget in on_install:
            forget()
    return before


def platform() -> Platform:
    """Return where GPUs are sought."""
    return _platform


def gpu(index: int) -> Gpu:
    """Return a GPU; RuntimeError says why there is none and what to do about it."""
    found = _gpus.get(index)
    if found is not None:
        return found
    reason = _platform.why_not()
    if reason is not None:
        raise RuntimeError(f"no GPU can be used: {reason}; or use device='cpu'")
    count = _platform.count()
    if not 0 <= index < count:
        there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise RuntimeError(f"CUDA error: invalid device ordinal: cuda:{index}; there is {there}")
    with _lock:
        if index not in _gpus:
            _gpus[index] = Gpu(index, _platform.open(index))
    return _gpus[index]


def gpu_of(device: Device) -> Gpu:
    """Return the GPU that a tensor's device is."""
    assert device.index is not None, device
    return gpu(device.index)


def pinned(gpu: Gpu) -> PinnedPool:
    """Return the host's pinned memory; it is asked of this GPU's driver if it is the first."""
    global _pinned
    with _lock:
        if _pinned is None:
            _pinned = PinnedPool(gpu.driver)
    return _pinned


def is_pinned(address: int) -> bool:
    """Whether pinned memory of the host lies at an address."""
    return _pinned is not None and _pinned.holds(address)


def unpin_unused() -> None:
    """Give back the pinned memory that nobody uses."""
    if _pinned is not None:
        _pinned.empty_cache()


def opened() -> list[Gpu]:
    """Return the GPUs that have been used."""
    return list(_gpus.values())
