"""A graph as a program on a GPU: what native.py is for the CPU."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.cuda_compiled import CudaCompiled, compile_for
from jitnet.compiler.ir.graph import Graph
from jitnet.runtime.cuda.array import DeviceArray
from jitnet.runtime.cuda.checks import Failure
from jitnet.runtime.cuda.gpu import gpu_of
from jitnet.runtime.cuda.program import DeviceProgram

from . import switches
from .device import Device

Array = np.ndarray[Any, Any]


class OnGpu:
    """A graph, compiled and loaded on a GPU."""

    def __init__(self, graph: Graph, device: Device) -> None:
        self.device = device
        self.gpu = gpu_of(device)
        self.compiled = compile_for(graph, self.gpu.driver, switches.may_round_products())
        started = time.perf_counter()
        failure = failure_of(self.compiled)
        self.program = DeviceProgram(self.gpu, self.compiled.image, graph.name, failure)
        self.phases = {**self.compiled.phases, "load": time.perf_counter() - started}
        self._numbers = self.gpu.memory(8 * max(len(graph.inputs), 1), "numbers of a program")
        self._last: bytes | None = None  # what these are

    def run(self, inputs: Sequence[DeviceArray | Array], outputs: Sequence[DeviceArray]) -> None:
        """Ask for a run on arrays; those of the host are numbers, which go along."""
        numbers = [each for each in inputs if not isinstance(each, DeviceArray)]
        if numbers:
            self._upload(numbers)
        at, pointers = self._numbers.address, []
        for each in inputs:
            if isinstance(each, DeviceArray):
                pointers.append(each.address)
            else:
                pointers.append(at)
                at += 8
        self.program.run([*pointers, *(each.address for each in outputs)])

    def _upload(self, numbers: Sequence[Array]) -> None:
        """Bring numbers to the GPU, all at once, if they are others than in the last run."""
        line = b"".join(number.tobytes().ljust(8, b"\0") for number in numbers)
        assert len(line) == 8 * len(numbers), "numbers are of at most 8 bytes"
        if line != self._last:
            self.gpu.write_bytes(self._numbers, line)
            self._last = line


def failure_of(compiled: CudaCompiled) -> Failure:
    """Return what makes the exception for a status."""

    def failure(status: int, value: int) -> BaseException:
        kind, text = compiled.stages.messages[status]
        return kind(text.replace("{value}", str(value)))

    return failure
