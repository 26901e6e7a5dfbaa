"""From a Graph to CUDA: the passes that suit a GPU, then the same kernels, written for Numba."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.codegen.cuda.nests import SHARED_BYTES
from jitnet.compiler.codegen.cuda.program import CudaProgram, render_cuda, with_spare
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.passes.image_lanes import images_in_lanes
from jitnet.compiler.passes.memory import MemoryPlan
from jitnet.compiler.passes.panels import pack_operands
from jitnet.compiler.passes.turns import turn_once
from jitnet.compiler.passes.winograd import winograd
from jitnet.compiler.pipeline import GRAPH_PASSES, schedule
from jitnet.runtime.dataclass import dataclass

# What lays data out for a processor's registers and caches.
_FOR_PROCESSORS = (winograd, images_in_lanes, pack_operands, turn_once)
CUDA_PASSES = tuple(step for step in GRAPH_PASSES if step not in _FOR_PROCESSORS)


@dataclass(frozen=True)
class CudaStages:
    """What a graph becomes on the way to CUDA source; see Stages for what is alike."""

    optimized: Graph
    kernels: tuple[Kernel, ...]
    memory: MemoryPlan
    program: CudaProgram
    constants: tuple[NDArray[np.generic], ...]
    messages: dict[int, tuple[type[Exception], str]]


def lower_cuda(graph: Graph) -> CudaStages:
    """Return what a graph becomes, up to CUDA source."""
    for step in CUDA_PASSES:
        graph = step(graph)
    plan = Assembler(graph, SHARED_BYTES).plan()
    plan = replace(plan, kernels=tuple(map(with_spare, plan.kernels)))
    steps, memory = schedule(plan)
    kernels = tuple(step.kernel for step in steps)
    return CudaStages(
        graph,
        kernels,
        memory,
        render_cuda(kernels),
        tuple(np.ascontiguousarray(node.params["value"]) for node in plan.constants),
        dict(enumerate(plan.messages, start=1)),
    )
