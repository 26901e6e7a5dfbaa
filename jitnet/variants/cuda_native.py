"""A graph as a program on a GPU: what native.py is for the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitnet.compiler.cuda_compiled import compile_for
from jitnet.compiler.ir.graph import Graph, Input
from jitnet.runtime.cuda.array import DeviceArray
from jitnet.runtime.cuda.driver import OutOfMemoryError
from jitnet.runtime.cuda.gpu import gpu_of
from jitnet.runtime.cuda.program import DeviceProgram
from jitnet.runtime.cuda.replay import Replay
from jitnet.runtime.instruction import Instruction

from .. import switches
from ..device import Device
from ..trace import Traced
from .gpu_acts import GpuActs, alone, backward_on_gpu

Array = np.ndarray[Any, Any]


class OnGpu:
    """A graph, compiled and loaded on a GPU; see Executable."""

    def __init__(self, graph: Graph, device: Device) -> None:
        self.device = device
        self.gpu = gpu_of(device)
        tf32, library = switches.may_round_products(), switches.may_ask_library()
        self.compiled = compile_for(graph, self.gpu.driver, tf32, library)
        started = time.perf_counter()
        image, failure = self.compiled.image, self.compiled.failure
        try:
            self.program = DeviceProgram(self.gpu, image, graph.name, failure)
        except OutOfMemoryError as error:
            raise OutOfMemoryError(f"{error}. {self.compiled.arena_said()}") from error
        self.phases = {**self.compiled.phases, "load": time.perf_counter() - started}
        self._numbers = self.gpu.memory(8 * max(len(graph.inputs), 1), "numbers of a program")
        self.program.held.append(self._numbers)
        self._last: bytes | None = None  # what these are
        self._replay: Replay | None = None

    def acts(self, traced: Traced, finish: Callable[..., Any]) -> list[Instruction]:
        """Return what a call of a forward program does."""
        return GpuActs(traced, self, finish).instructions()

    def backward_acts(self) -> list[Instruction]:
        """Return what a call of a backward program does."""
        return backward_on_gpu(self, self.compiled.graph)

    def first_try(self, call: Callable[..., Any], held: set[int]) -> Callable[..., Any]:
        """Return the call, but MISSED where arguments share memory, or are the function's own."""
        return alone(call, held)

    def keep(self, moving: Sequence[int], results: Sequence[int]) -> None:
        """Say which inputs each call brings anew and which fresh outputs it gives away.

        All others lie in one place for many calls, which are one graph then.
        """
        items, outputs = self.compiled.graph.inputs, self.compiled.graph.outputs
        fresh = [output.node.type for output in outputs if output.into is None]
        entering = [(number, _span(items[number])) for number in moving]
        leaving = [(len(items) + number, fresh[number].nbytes) for number in results]
        self._replay = Replay(
            self.program,
            [move for move in entering if move[1]],
            [move for move in leaving if move[1]],
        )

    @property
    def is_replayed(self) -> bool:
        """Whether calls that repeat are one CUDA graph."""
        return self._replay is not None and self._replay.pays

    def run(self, inputs: Sequence[DeviceArray | Array], outputs: Sequence[DeviceArray]) -> None:
        """Ask for a run on arrays; those of the host are numbers, which go along."""
        with self.program.lock:
            self._run(inputs, outputs)

    def _run(self, inputs: Sequence[DeviceArray | Array], outputs: Sequence[DeviceArray]) -> None:
        numbers = [each for each in inputs if not isinstance(each, DeviceArray)]
        if numbers:
            self.program.enter()
            self._upload(numbers)
        at, pointers = self._numbers.address, []
        for each in inputs:
            if isinstance(each, DeviceArray):
                pointers.append(each.address)
            else:
                pointers.append(at)
                at += 8
        pointers += [each.address for each in outputs]
        if self._replay is None:
            self.program.run(pointers)
        else:
            self._replay.run(pointers)

    def _upload(self, numbers: Sequence[Array]) -> None:
        """Bring numbers to the GPU, all at once, if they are others than in the last run."""
        line = b"".join(number.tobytes().ljust(8, b"\0") for number in numbers)
        assert len(line) == 8 * len(numbers), "numbers are of at most 8 bytes"
        if line != self._last:
            self.gpu.write_bytes(self._numbers, line)
            self._last = line


def _span(item: Input) -> int:
    """Return how many bytes lie between an input's first element and the end of its last."""
    kind = item.node.type
    if not kind.numel:
        return 0
    reach = sum((size - 1) * step for size, step in zip(kind.shape, item.strides, strict=True))
    return (reach + 1) * kind.dtype.size
