"""Runs graphs on the PTX machine: every buffer of a launch is memory of its own, to the byte."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitnet.compiler.codegen.cuda.program import LibraryCall
from jitnet.compiler.cuda import CudaStages, lower_cuda
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ir.loops import Buffer
from jitnet.runtime.cuda.checks import STATUS_BYTES
from tests.graph_harness import memory_of
from tests.ptx_machine.compiling import compiler
from tests.ptx_machine.memory import GlobalMemory
from tests.ptx_machine.run import Kernel

Array = np.ndarray
CAPABILITY = (8, 0)

_FIRST, _APART = 0x7E00_0000_0000, 1 << 32


@dataclass
class Slot:
    """Bytes with an address, and which of them hold something.

    skew: how far behind a multiple of 512 they begin.
    """

    address: int
    data: Array
    written: Array


def kernels_of(stages: CudaStages, capability: tuple[int, int]) -> dict[str, Kernel]:
    """Return the kernels of a program, as a real GPU of that kind would get them."""
    program = stages.program
    elements = {function.name: function.elements for function in program.functions}
    texts = compiler().ptx(program.source, elements, capability)
    return {name: Kernel(text) for name, text in texts.items()}


def simulate(
    stages: CudaStages,
    pointers: Sequence[Array],
    fresh: int = 0,
    capability: tuple[int, int] = CAPABILITY,
    skew: int = 0,
) -> int:
    """Run a program on arrays (inputs, then fresh outputs) and return its status.

    fresh: how many of the last arrays hold nothing yet.  skew: how many bytes behind a multiple of
    512 inputs and outputs begin.
    """
    kernels = kernels_of(stages, capability)
    status = np.zeros(STATUS_BYTES // 8, np.int64)
    arena = np.full(max(stages.memory.arena_bytes, 1), 0xFF, np.uint8)
    arrays = [status, *pointers, *stages.constants]
    slots = []
    for number, array in enumerate(arrays):
        held = number < 1 + len(pointers) - fresh or number >= 1 + len(pointers)
        shifted = skew if 0 < number <= len(pointers) else 0
        slots.append(_slot(number, _flat(array), held, shifted))
    own = _slot(len(slots), arena, False, 0)
    memory, status_at = GlobalMemory(), slots[0].address
    for launch in stages.program.launches:
        assert not isinstance(launch, LibraryCall)
        pairs = [(slots[0], 0, STATUS_BYTES)]
        pairs += [_place(stages, slots, own, buffer) for buffer in launch.buffers]
        for slot, start, size in _merged(pairs):
            memory.add(
                slot.address + start,
                slot.data[start : start + size],
                slot.written[start : start + size],
            )
        addresses = [slot.address + start for slot, start, _ in pairs]
        kernels[launch.function].launch(
            memory,
            launch.grid,
            launch.block,
            addresses,
            unordered=range(status_at, status_at + STATUS_BYTES),
        )
        for slot, start, _ in _merged(pairs):
            memory.remove(slot.address + start)
        if status[0]:
            break
    return int(status[0])


def _flat(array: Array) -> Array:
    """Return the bytes from an array's first element up to its last, in whatever order they lie."""
    if array.size == 0:
        return np.empty(0, np.uint8)
    steps = ((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True))
    size = array.itemsize + sum(steps)
    return np.frombuffer((ctypes.c_uint8 * size).from_address(array.ctypes.data), np.uint8)


def _slot(number: int, data: Array, held: bool, skew: int) -> Slot:
    return Slot(_FIRST + number * _APART + skew, data, np.full(len(data), held))


def _place(
    stages: CudaStages, slots: list[Slot], arena: Slot, buffer: Buffer
) -> tuple[Slot, int, int]:
    """Return where a buffer is, and how many bytes it has."""
    size = buffer.size * buffer.dtype.size
    if buffer.place == "arena":
        return arena, stages.memory.offsets[buffer], size
    return slots[buffer.slot], buffer.offset * buffer.dtype.size, size


def _merged(pairs: list[tuple[Slot, int, int]]) -> list[tuple[Slot, int, int]]:
    """Return parts of slots that do not overlap, for those that may."""
    found: list[tuple[Slot, int, int]] = []
    for slot, start, size in sorted(pairs, key=lambda pair: (pair[0].address, pair[1])):
        if found and found[-1][0] is slot and start < found[-1][1] + found[-1][2]:
            _, before, had = found.pop()
            found.append((slot, before, max(had, start + size - before)))
        else:
            found.append((slot, start, size))
    return found


def run(graph: Graph, arrays: list[Array], **options: Any) -> list[Array]:
    """Return the outputs of a graph; outputs into inputs overwrite the arrays."""
    stages = lower_cuda(graph, capability=options.get("capability", CAPABILITY))
    results, fresh = memory_of(graph, arrays)
    status = simulate(stages, [*arrays, *fresh], fresh=len(fresh), **options)
    assert status == 0, stages.messages[status]
    return results
