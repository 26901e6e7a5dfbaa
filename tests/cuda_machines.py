"""What runs CUDA kernels in tests: Numba's simulator their source, the PTX machine their PTX."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from jitnet.compiler.cuda import CudaStages
from jitnet.compiler.ir.graph import Graph

Array = np.ndarray


class Machine(Protocol):
    """Runs programs in memory of the host."""

    def run(self, graph: Graph, arrays: list[Array]) -> list[Array]:
        """Return the outputs of a graph; outputs into inputs overwrite the arrays."""

    def simulate(self, stages: CudaStages, pointers: list[Array]) -> int:
        """Run a program on arrays (inputs, then fresh outputs) and return its status."""


def machine_named(name: str) -> Any:
    """Return a machine."""
    if name == "ptx":
        from tests.ptx_machine import programs

        return programs
    from tests import cuda_simulator

    return cuda_simulator
