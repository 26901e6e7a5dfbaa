"""GPUs as NVIDIA's driver gives them: the only file that calls it, through cuda-bindings."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from . import cublas
from .building import INSTALL, assemble, compile_ptx, symbol_of, versions
from .cublas import Cublas
from .driver import Code, CudaError, OutOfMemoryError, Properties

OLDEST_EXTRA = 12  # numba-cuda[cu12] is for drivers of CUDA 12, and there is none for older ones
# What a driver says of a kernel that went wrong: all later calls of the process say so too.
_LASTING = ("ILLEGAL_ADDRESS", "LAUNCH_FAILED", "MISALIGNED_ADDRESS", "ILLEGAL_INSTRUCTION")
# Of a device, in the order of Properties, whose name and memory are asked for otherwise.
_ATTRIBUTES = (
    "COMPUTE_CAPABILITY_MAJOR",
    "COMPUTE_CAPABILITY_MINOR",
    "MULTIPROCESSOR_COUNT",
    "MAX_THREADS_PER_MULTIPROCESSOR",
    "MAX_REGISTERS_PER_MULTIPROCESSOR",
    "MAX_SHARED_MEMORY_PER_BLOCK",
    "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR",
    "L2_CACHE_SIZE",
    "INTEGRATED",
    "WARP_SIZE",
)
_FORKED = (
    "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must "
    "use the 'spawn' start method: DataLoader(multiprocessing_context='spawn'), "
    "multiprocessing.set_start_method('spawn')"
)


class _Process:
    """Whether this process has started the driver, or is the fork of one that had."""

    started = False
    is_forked = False


def _forked() -> None:
    _Process.is_forked = _Process.started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class NvidiaPlatform:
    """The GPUs of this computer."""

    def __init__(self) -> None:
        self._drivers: dict[int, NvidiaDriver] = {}

    @cached_property
    def _reason(self) -> str | None:
        if find_spec("cuda") is None or find_spec("cuda.bindings") is None:
            return f"jitnet reaches GPUs through numba-cuda, which is not installed: {INSTALL}"
        cu = _cu()
        try:
            status = cu.cuInit(0)[0]
        except RuntimeError as error:  # what cuda-bindings raises where there is no libcuda
            said = str(error).splitlines()[0].rstrip(".")
            return f"no NVIDIA driver was found on this computer: {said}"
        if status == cu.CUresult.CUDA_ERROR_NO_DEVICE:
            return f"the NVIDIA driver finds no GPU; {_where_to_look()}"
        if status != cu.CUresult.CUDA_SUCCESS:
            return f"the NVIDIA driver does not start: {_named(cu, status)}; see nvidia-smi"
        _Process.started = True
        has, wants = _version(_check(cu.cuDriverGetVersion())), _version(cu.CUDA_VERSION)
        if has[0] < wants[0]:
            older = f", or pip install 'numba-cuda[cu{has[0]}]'" if has[0] >= OLDEST_EXTRA else ""
            return (
                f"the NVIDIA driver is for CUDA {has[0]}.{has[1]}, the installed numba-cuda for "
                f"CUDA {wants[0]}: update the driver{older}"
            )
        return None if self._count else f"the NVIDIA driver finds no GPU; {_where_to_look()}"

    @cached_property
    def _count(self) -> int:
        return int(_check(_cu().cuDeviceGetCount()))

    def why_not(self) -> str | None:
        """Return why no GPU can be used and what to do about it; None where one can."""
        return self._reason

    def count(self) -> int:
        """Return how many GPUs there are."""
        return 0 if self._reason else self._count

    def open(self, index: int) -> NvidiaDriver:
        """Return a GPU."""
        if index not in self._drivers:
            self._drivers[index] = NvidiaDriver(index)
        return self._drivers[index]


class NvidiaDriver:
    """One GPU; see Driver."""

    def __init__(self, index: int) -> None:
        _refuse_forks()
        self._cu = cu = _cu()
        device = _check(cu.cuDeviceGet(index))
        self._device = device
        self._context = _check(cu.cuDevicePrimaryCtxRetain(device))
        self._peers: dict[int, Any] = {}  # other GPUs that were copied to, and their contexts
        major, minor, *others = (self._attribute(each) for each in _ATTRIBUTES)
        name = bytes(_check(cu.cuDeviceGetName(256, device))).split(b"\0")[0].decode()
        memory = int(_check(cu.cuDeviceTotalMem(device)))
        self.properties = Properties(name, major, minor, memory, *others)
        self._modules: list[Any] = []

    def _attribute(self, name: str) -> int:
        known = getattr(self._cu.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(_check(self._cu.cuDeviceGetAttribute(known, self._device)))

    def _enter(self) -> None:
        """Let this thread's calls go to this GPU: other libraries may have chosen another."""
        _refuse_forks()
        _check(self._cu.cuCtxSetCurrent(self._context))

    def _do(self, name: str, *args: Any) -> Any:
        """Call a function of the driver on this GPU; CudaError says what went wrong."""
        self._enter()
        return _check(getattr(self._cu, name)(*args))

    # -- memory ----------------------------------------------------------------------------------

    def memory_info(self) -> tuple[int, int]:
        """Return how many bytes are free, and how many there are."""
        free, total = self._do("cuMemGetInfo")
        return int(free), int(total)

    def allocate(self, size: int) -> int:
        """Return the address of so many bytes on the GPU."""
        return int(self._do("cuMemAlloc", size))

    def free(self, address: int) -> None:
        """Give memory back; the driver waits for what uses it."""
        self._do("cuMemFree", address)

    def pin(self, size: int) -> int:
        """Return the address of so many bytes of the host that the GPU reads by itself."""
        return int(self._do("cuMemHostAlloc", size, int(self._cu.CU_MEMHOSTALLOC_PORTABLE)))

    def unpin(self, address: int) -> None:
        """Give memory of the host back."""
        self._do("cuMemFreeHost", address)

    def upload(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy from the host."""
        self._do("cuMemcpyHtoDAsync", target, source, size, stream)

    def download(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy to the host."""
        self._do("cuMemcpyDtoHAsync", target, source, size, stream)

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy on the GPU."""
        self._do("cuMemcpyDtoDAsync", target, source, size, stream)

    def reaches(self, index: int) -> bool:
        """Whether this GPU reads and writes the memory of another by itself."""
        peer = self._do("cuDeviceGet", index)
        return bool(self._do("cuDeviceCanAccessPeer", self._device, peer))

    def copy_to(self, index: int, target: int, source: int, size: int, stream: int) -> None:
        """Copy to another GPU, by a stream of this one: directly, or else by way of the host.

        Which of both is the driver's business, once this GPU has asked for access.
        """
        there = self._peer(index)
        self._do("cuMemcpyPeerAsync", target, there, source, self._context, size, stream)

    def _peer(self, index: int) -> Any:
        """Return another GPU's context, whose memory this one may reach if it can."""
        if index not in self._peers:
            peer = self._do("cuDeviceGet", index)
            context = _check(self._cu.cuDevicePrimaryCtxRetain(peer))
            if self.reaches(index):
                status = self._cu.cuCtxEnablePeerAccess(context, 0)[0]
                codes = self._cu.CUresult  # another library of this process may have asked
                if status != codes.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED:
                    _check((status,))
            self._peers[index] = context
        return self._peers[index]

    def fill(self, target: int, byte: int, size: int, stream: int) -> None:
        """Set every byte."""
        self._do("cuMemsetD8Async", target, byte, size, stream)

    # -- code ------------------------------------------------------------------------------------

    def version(self) -> str:
        """Return what decides the code of a source: the GPU, and numba-cuda."""
        major, minor = self.properties.capability
        return f"sm_{major}{minor}, {versions()}"

    def build(self, source: str, functions: Mapping[str, Sequence[str]]) -> dict[str, Code]:
        """Return the machine code of each function of a module."""
        capability = self.properties.capability
        ptx = compile_ptx(source, functions, capability)
        return {
            name: Code(symbol_of(text), assemble(text, capability).cubin)
            for name, text in ptx.items()
        }

    def load(self, code: Code) -> int:
        """Return a function that can be launched; it stays loaded."""
        module = self._do("cuModuleLoadData", code.image)
        self._modules.append(module)
        return int(self._do("cuModuleGetFunction", module, code.symbol.encode()))

    def launch(
        self,
        function: int,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        stream: int,
    ) -> None:
        """Run a function on so many blocks of so many threads."""
        values = np.array(pointers, np.uint64)
        places = values.ctypes.data + np.arange(len(pointers), dtype=np.uint64) * values.itemsize
        across, threads = (*grid, 1, 1)[:3], (*block, 1, 1)[:3]
        self._do("cuLaunchKernel", function, *across, *threads, 0, stream, places.ctypes.data, 0)

    # -- the vendor's library --------------------------------------------------------------------

    def has_library(self) -> bool:
        """Whether cuBLAS is installed."""
        return cublas.find() is not None

    def library(self) -> Cublas:
        """Return cuBLAS, ready to work on this GPU."""
        return Cublas(ctypes.CDLL(cublas.find()), self.properties, self._enter)

    # -- streams and events ----------------------------------------------------------------------

    def new_stream(self, priority: int = 0) -> int:
        """Return a new stream, which the driver's own default stream waits for."""
        flags = int(self._cu.CUstream_flags.CU_STREAM_DEFAULT)
        return int(self._do("cuStreamCreateWithPriority", flags, priority))

    def close_stream(self, stream: int) -> None:
        """Let go of a stream; its work still ends."""
        self._do("cuStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        """Wait until all work of a stream has ended."""
        self._do("cuStreamSynchronize", stream)

    def stream_done(self, stream: int) -> bool:
        """Whether all work of a stream has ended."""
        self._enter()
        return self._ready(self._cu.cuStreamQuery(stream)[0])

    def new_event(self, timed: bool) -> int:
        """Return a mark to put into streams."""
        flags = self._cu.CUevent_flags
        chosen = flags.CU_EVENT_DEFAULT if timed else flags.CU_EVENT_DISABLE_TIMING
        return int(self._do("cuEventCreate", int(chosen)))

    def close_event(self, event: int) -> None:
        """Let go of an event."""
        self._do("cuEventDestroy", event)

    def record(self, event: int, stream: int) -> None:
        """Put an event at the end of what a stream has to do."""
        self._do("cuEventRecord", event, stream)

    def wait(self, stream: int, event: int) -> None:
        """Let what is asked of a stream from now on wait for an event."""
        self._do("cuStreamWaitEvent", stream, event, 0)

    def synchronize_event(self, event: int) -> None:
        """Wait until a stream has got to an event."""
        self._do("cuEventSynchronize", event)

    def event_done(self, event: int) -> bool:
        """Whether a stream has got to an event."""
        self._enter()
        return self._ready(self._cu.cuEventQuery(event)[0])

    def elapsed(self, start: int, end: int) -> float:
        """Return the milliseconds between two timed events."""
        return float(self._do("cuEventElapsedTime", start, end))

    def _ready(self, status: Any) -> bool:
        if status == self._cu.CUresult.CUDA_ERROR_NOT_READY:
            return False
        _check((status,))
        return True

    # -- graphs ----------------------------------------------------------------------------------

    def begin_capture(self) -> int:
        """Return a stream of its own that writes down what it is asked for, instead of doing it.

        No other thread knows it, so none adds to it. It does not wait for the driver's default
        stream, so what others ask of that one does not end the capture.
        """
        stream = int(
            self._do("cuStreamCreate", int(self._cu.CUstream_flags.CU_STREAM_NON_BLOCKING))
        )
        mode = self._cu.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
        self._do("cuStreamBeginCapture", stream, mode)
        return stream

    def end_capture(self, stream: int) -> int:
        """Return what was written down, as a graph that can be launched; the stream is gone."""
        try:
            graph = self._do("cuStreamEndCapture", stream)
        finally:
            self.close_stream(stream)
        try:
            return int(self._do("cuGraphInstantiate", graph, 0))
        finally:
            self._do("cuGraphDestroy", graph)

    def abandon_capture(self, stream: int) -> None:
        """Forget what was written down, and the stream."""
        self._enter()
        status, graph = self._cu.cuStreamEndCapture(stream)  # an error if a call was not allowed
        if not status:
            self._do("cuGraphDestroy", graph)
        self.close_stream(stream)

    def launch_graph(self, graph: int, stream: int) -> None:
        """Do all that was written down."""
        self._do("cuGraphLaunch", graph, stream)

    def close_graph(self, graph: int) -> None:
        """Let go of a graph."""
        self._do("cuGraphExecDestroy", graph)


def _cu() -> Any:
    return import_module("cuda.bindings.driver")


def _version(number: int) -> tuple[int, int]:
    """Return major and minor of NVIDIA's 13050."""
    return number // 1000, number % 1000 // 10


def _named(cu: Any, status: Any) -> str:
    """Return what the driver says of a status."""
    (_, name), (_, text) = cu.cuGetErrorName(status), cu.cuGetErrorString(status)
    return f"{name.decode()}: {text.decode()}"


def _check(found: tuple[Any, ...]) -> Any:
    """Return what a function of the driver gave besides its status, or raise what that says."""
    status, *values = found
    if status:  # CUDA_SUCCESS is 0
        raise _error(status)
    return values[0] if len(values) == 1 else values or None


def _error(status: Any) -> CudaError:
    """Return the exception for a status of the driver."""
    cu = _cu()
    codes = cu.CUresult
    said = f"CUDA error: {_named(cu, status)}"
    if status == codes.CUDA_ERROR_OUT_OF_MEMORY:
        return OutOfMemoryError(said)
    if status in (codes.CUDA_ERROR_UNSUPPORTED_PTX_VERSION, codes.CUDA_ERROR_NO_BINARY_FOR_GPU):
        said += "; the NVIDIA driver is older than the installed numba-cuda: update the driver"
    if status in [getattr(codes, f"CUDA_ERROR_{name}") for name in _LASTING]:
        said += (
            "; a kernel that was started before went wrong, which one CUDA_LAUNCH_BLOCKING=1 in "
            "the environment shows. This process cannot use the GPU any more"
        )
    return CudaError(said)


def _refuse_forks() -> None:
    """Raise where the driver was started before this process was forked from another."""
    if _Process.is_forked:
        raise CudaError(_FORKED)


def _where_to_look() -> str:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return "see what nvidia-smi says"
    return f"CUDA_VISIBLE_DEVICES={chosen!r} chooses among those that nvidia-smi shows"
