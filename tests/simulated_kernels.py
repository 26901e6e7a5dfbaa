"""What a simulated GPU does with kernels: Numba's simulator, the PTX machine, or nothing."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from jitnet.runtime.cuda import building
from jitnet.runtime.cuda.checks import STATUS_BYTES
from jitnet.runtime.cuda.driver import Code
from tests.ptx_machine.compiling import compiler
from tests.ptx_machine.memory import GlobalMemory
from tests.ptx_machine.run import Kernel


class Kernels(Protocol):
    """Builds and runs kernels; see Driver.

    fresh: the byte that memory is full of when it is new.
    """

    fresh: int

    def version(self) -> str:
        """Return what decides the code that `build` makes, besides its arguments."""

    def build(self, source: str, functions: Mapping[str, Sequence[str]]) -> dict[str, Code]:
        """Return the code of each function of a module."""

    def load(self, code: Code) -> Any:
        """Return a function that can be launched."""

    def launch(
        self,
        function: Any,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        memory: GlobalMemory,
    ) -> None:
        """Run a function."""


class _Source:
    """Source is kept as it is."""

    fresh = 0xA5

    def version(self) -> str:
        return "simulated"

    def build(self, source: str, functions: Mapping[str, Sequence[str]]) -> dict[str, Code]:
        return {
            name: Code(name, pickle.dumps((source, list(elements))))
            for name, elements in functions.items()
        }


class SourceKernels(_Source):
    """Numba's simulator runs the source."""

    def load(self, code: Code) -> Any:
        from tests.cuda_simulator import functions_of

        source, elements = pickle.loads(code.image)
        return functions_of(source)[code.symbol], ("int64", *elements)

    def launch(
        self,
        function: Any,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        memory: GlobalMemory,
    ) -> None:
        from tests.cuda_simulator import launch

        kernel, elements = function
        given = []
        for address, element in zip(pointers, elements, strict=True):
            dtype = np.dtype(element)
            found = memory.bytes_at(address) if address else np.empty(0, np.uint8)
            whole = len(found) // dtype.itemsize * dtype.itemsize
            given.append(found[:whole].view(dtype))
        launch(kernel, grid, block, given)


class NoKernels(_Source):
    """Kernels do nothing, and memory is 0 until something is copied.

    That shows where tensors go in programs that the simulator would take minutes for.
    """

    fresh = 0

    def load(self, code: Code) -> Any:
        return code.symbol

    def launch(
        self,
        function: Any,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        memory: GlobalMemory,
    ) -> None:
        pass


class PtxKernels:
    """The PTX machine runs what the real driver would assemble."""

    fresh = 0xA5

    def __init__(self, capability: tuple[int, int] = (8, 0)) -> None:
        self._capability = capability

    def version(self) -> str:
        return f"PTX for {self._capability}, {building.versions()}"

    def build(self, source: str, functions: Mapping[str, Sequence[str]]) -> dict[str, Code]:
        texts = compiler().ptx(source, functions, self._capability)
        return {name: Code(building.symbol_of(text), text.encode()) for name, text in texts.items()}

    def load(self, code: Code) -> Kernel:
        return Kernel(code.image.decode())

    def launch(
        self,
        function: Kernel,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        memory: GlobalMemory,
    ) -> None:
        status = range(pointers[0], pointers[0] + STATUS_BYTES)
        function.launch(memory, grid, block, pointers, unordered=status)
