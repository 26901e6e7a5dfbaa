"""Runs CUDA source in Numba's simulator: NUMBA_ENABLE_CUDASIM=1, no device.

The simulator knows neither libdevice nor what threads of a warp exchange; both are given here.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import types
import warnings
from collections.abc import Sequence
from typing import Any

import pytest

from tests.gpu_fixture import REAL

if REAL:  # Numba either simulates or compiles, in one process
    pytest.skip(
        "JITNET_GPU=1: a real GPU's tests run without the simulator", allow_module_level=True
    )

import numpy as np
from numba import types as numba_types
from numba.cuda.simulator import kernel, kernelapi
from numba.cuda.simulator.cudadrv import devicearray
from numba.np import numpy_support

from jitnet.compiler.codegen.cuda.types import stored
from jitnet.compiler.cuda import CudaStages, lower_cuda
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ir.loops import Buffer
from tests.graph_harness import memory_of

_SPECIAL = {
    "rint": np.rint,
    "rsqrt": lambda x: type(x)(1) / np.sqrt(x),
    "int_as_float": lambda x: np.int32(x).view(np.float32),
    "float_as_int": lambda x: np.float32(x).view(np.int32),
    "double_as_longlong": lambda x: np.float64(x).view(np.int64),
    "pow": np.power,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
}


class _Meeting:
    """The threads of a block that are still running: they wait here for one another.

    The simulator's own meeting asks every thread in turn, over and over.
    """

    def __init__(self, threads: int) -> None:
        self._turn = threading.Condition()
        self._running = threads
        self._waiting = 0
        self._round = 0

    def wait(self) -> None:
        """Return when all others that run have come here too."""
        with self._turn:
            self._waiting += 1
            own = self._round
            self._release()
            while self._round == own:
                self._turn.wait()

    def leave(self) -> None:
        """Let the others go on without this thread."""
        with self._turn:
            self._running -= 1
            self._release()

    def _release(self) -> None:
        if self._waiting and self._waiting >= self._running:
            self._waiting = 0
            self._round += 1
            self._turn.notify_all()


def _run_block(manager: Any, grid_point: tuple[int, ...], *args: Any) -> None:
    """Run the threads of one block to their end; the first error is raised."""
    points = list(np.ndindex(*manager._block_dim))
    manager.meeting = _Meeting(len(points))

    def target() -> None:
        try:
            manager._f(*args)
        finally:
            manager.meeting.leave()

    threads = [kernel.BlockThread(target, manager, grid_point, point, False) for point in points]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for thread in threads:
        if thread.exception:
            raise thread.exception[0].with_traceback(thread.exception[1])


def _exchange(self: Any, mask: int, value: Any, distance: int) -> Any:
    """Return the value of the thread whose number differs in the bits of `distance`."""
    thread: Any = threading.current_thread()
    held = thread._manager.__dict__.setdefault("exchanged", {})
    held[thread.thread_id] = value
    thread.syncthreads()
    found = held[thread.thread_id ^ distance]
    thread.syncthreads()
    return found


def _instructions() -> types.ModuleType:
    """Return what stands in for runtime/cuda/instructions.py."""
    module: Any = types.ModuleType("jitnet.runtime.cuda.instructions")
    module.load4 = lambda x, at, wanted: tuple(x[at : at + 4]) if wanted else (np.float32(0),) * 4
    module.store4 = _store4
    module.load8 = _load8
    module.copy8 = _copy8
    module.wait_copies = _wait_copies
    module.load_bits = lambda x, at: np.uint32(_bits(x[at : at + 1])[0])
    module.low_halves = lambda a, b: (a & np.uint32(0xFFFF)) | (b << np.uint32(16))
    module.high_halves = lambda a, b: (a >> np.uint32(16)) | (b & np.uint32(0xFFFF0000))
    module.to_tf32 = lambda x: (
        (np.float32(x).view(np.uint32) + np.uint32(0x1000)) & ~np.uint32(0x1FFF)
    )
    module.mma_bfloat16 = lambda *args: _mma(args, _from_bfloat16)
    module.mma_float16 = lambda *args: _mma(args, lambda words: words.view(np.float16))
    module.mma_tf32 = lambda *args: _mma(args, lambda words: words.view(np.float32))
    return module


def _bits(x: Any) -> np.ndarray:
    return np.asarray(x).view(np.uint16)


def _store4(x: Any, at: int, *values: Any) -> None:
    x[at : at + 4] = values


def _load8(x: Any, at: int, wanted: bool) -> tuple[np.uint32, ...]:
    if not wanted:
        return (np.uint32(0),) * 4
    bits = _bits(x[at : at + 8]).astype(np.uint32)
    return tuple(bits[::2] | bits[1::2] << np.uint32(16))


def _copy8(tiles: Any, at: int, x: Any, index: int, wanted: bool) -> None:
    """Note a copy: it is done when the thread waits for it, and not before."""
    threading.current_thread().__dict__.setdefault("copies", []).append(
        (tiles, at, x, index, wanted)
    )


def _wait_copies() -> None:
    for tiles, at, x, index, wanted in threading.current_thread().__dict__.pop("copies", []):
        tiles[at : at + 4] = _load8(x, index, wanted)


def _from_bfloat16(words: np.ndarray) -> np.ndarray:
    return (words.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _mma(args: tuple[Any, ...], numbers: Any) -> tuple[np.float32, ...]:
    """Return this thread's sums of a warp's product: its words are those that PTX says it has."""
    thread: Any = threading.current_thread()
    held = thread._manager.__dict__.setdefault("fragments", {})
    held[thread.thread_id] = args
    thread.syncthreads()
    first = thread.thread_id // 32 * 32
    row, column = thread.thread_id % 32 // 4, thread.thread_id % 4 * 2
    a = np.array([held[first + row * 4 + t][:4] for t in range(4)], np.uint32)
    rows = [np.concatenate((a[:, n], a[:, n + 2])) for n in (0, 1)]
    columns = []
    for each in (column, column + 1):
        b = np.array([held[first + each * 4 + t][4:6] for t in range(4)], np.uint32)
        columns.append(np.concatenate((b[:, 0], b[:, 1])))
    thread.syncthreads()
    found = [
        np.float32(args[6 + 2 * i + j] + numbers(rows[i]).astype(np.float32) @ numbers(columns[j]))
        for i in (0, 1)
        for j in (0, 1)
    ]
    return tuple(found)


def _shared_array(self: Any, shape: Any, dtype: Any, alignment: int | None = None) -> Any:
    """Return the memory that a block's threads get in one line of source."""
    line = sys._getframe(1).f_lineno
    element = numpy_support.as_dtype(dtype)
    return self._allocations.setdefault(line, np.empty(shape, element))


def _install() -> None:
    kernelapi.FakeCUDAShared.array = _shared_array  # type: ignore[method-assign]
    sys.modules["jitnet.runtime.cuda.instructions"] = _instructions()
    module: Any = kernelapi.FakeCUDAModule
    block: Any = kernel.BlockManager
    block.run = _run_block
    thread: Any = kernel.BlockThread
    thread.syncthreads = lambda self: self._manager.meeting.wait()
    module.shfl_xor_sync = _exchange
    module.syncwarp = lambda self: self.syncthreads()
    library = types.ModuleType("numba.cuda.libdevice")
    library.__getattr__ = _libdevice  # type: ignore[method-assign]
    sys.modules["numba.cuda.libdevice"] = library
    sys.modules["numba.cuda.types"] = numba_types


def _libdevice(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    for plain in (name, name.removesuffix("f")):
        if plain in _SPECIAL:
            return _SPECIAL[plain]
        if plain in ("erf", "erfc", "erfinv"):
            return _reference(plain)
        if hasattr(np, plain):
            return getattr(np, plain)
    raise AttributeError(name)


def _reference(name: str) -> Any:
    from jitnet.compiler import ops

    evaluate = getattr(ops, name).eval
    return lambda x: evaluate(np.asarray(x))[()]


_install()


def functions_of(source: str) -> dict[str, Any]:
    """Return what a module of CUDA source defines."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<cuda>", "exec"), namespace)
    return namespace


def launch(
    function: Any, grid: Sequence[int], block: Sequence[int], memory: Sequence[np.ndarray]
) -> None:
    """Run a function on typed memory."""
    given = [devicearray.FakeCUDAArray(each) for each in memory]  # arrays would be copied
    with warnings.catch_warnings():  # of NumPy, in the simulator's own threads
        warnings.simplefilter("ignore", RuntimeWarning)
        function[tuple(grid), tuple(block)](*given)


def simulate(stages: CudaStages, pointers: list[np.ndarray]) -> int:
    """Run a program on arrays (inputs, then fresh outputs) and return its status."""
    functions = functions_of(stages.program.source)
    status = np.zeros(4, np.int64)
    slots = [status, *pointers, *stages.constants]
    arena = np.zeros(max(stages.memory.arena_bytes, 1), np.uint8)

    def memory(buffer: Buffer) -> np.ndarray:
        size = buffer.size * buffer.dtype.size
        if buffer.place == "arena":
            start = stages.memory.offsets[buffer]
            flat = arena[start : start + size].view(buffer.dtype.numpy)
        else:
            start = slots[buffer.slot].ctypes.data + buffer.offset * buffer.dtype.size
            bytes_there = (ctypes.c_char * (buffer.size * buffer.dtype.size)).from_address(start)
            flat = np.frombuffer(bytes_there, buffer.dtype.numpy)
        return flat.view(getattr(np, stored(buffer.dtype)))

    for each in stages.program.launches:
        arrays = [status, *map(memory, each.buffers)]
        launch(functions[each.function], each.grid, each.block, arrays)
        if status[0]:
            break
    return int(status[0])


def run(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of a graph; outputs into inputs overwrite the arrays."""
    stages = lower_cuda(graph)
    results, fresh = memory_of(graph, arrays)
    status = simulate(stages, [*arrays, *fresh])
    assert status == 0, stages.messages[status]
    return results
