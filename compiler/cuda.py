"""From a Graph to CUDA: the passes that suit a GPU, then the same kernels, written for Numba."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.codegen.cuda.nests import SHARED_BYTES
from jitnet.compiler.codegen.cuda.program import CudaProgram, render_cuda, with_spare
from jitnet.compiler.codegen.cuda.splitting import Splitter
from jitnet.compiler.codegen.cuda.tiling import cores_of
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.passes.decompose import decompose
from jitnet.compiler.passes.image_lanes import images_in_lanes
from jitnet.compiler.passes.lines import cut_lines
from jitnet.compiler.passes.memory import MemoryPlan
from jitnet.compiler.passes.narrow_moves import narrow_moves
from jitnet.compiler.passes.panels import pack_operands
from jitnet.compiler.passes.sorted_adds import add_sorted
from jitnet.compiler.passes.turns import turn_once
from jitnet.compiler.passes.winograd import winograd
from jitnet.compiler.pipeline import GRAPH_PASSES
from jitnet.compiler.schedule import schedule
from jitnet.runtime.cuda.building import COMPUTE_CAPABILITY
from jitnet.runtime.dataclass import dataclass

# What lays data out for a processor's registers and caches.
_FOR_PROCESSORS = (winograd, images_in_lanes, pack_operands, turn_once)
_AFTER: dict[object, tuple[Callable[[Graph], Graph], ...]] = {
    decompose: (add_sorted, cut_lines, narrow_moves)
}
CUDA_PASSES = tuple(
    each
    for step in GRAPH_PASSES
    if step not in _FOR_PROCESSORS
    for each in (step, *_AFTER.get(step, ()))
)


@dataclass(frozen=True)
class CudaStages:
    """What a graph becomes on the way to CUDA source; see Stages for what is alike."""

    optimized: Graph
    kernels: tuple[Kernel, ...]
    memory: MemoryPlan
    program: CudaProgram
    constants: tuple[NDArray[np.generic], ...]
    messages: dict[int, tuple[type[Exception], str]]


def lower_cuda(
    graph: Graph,
    tf32: bool = False,
    library: bool = False,
    capability: tuple[int, int] = COMPUTE_CAPABILITY,
) -> CudaStages:
    """Return what a graph becomes, up to CUDA source.

    tf32: whether products of float32 may round their operands to what tensor cores take.
    library: whether large products may be left to the vendor's library.
    capability: which instructions the GPU has.
    """
    cores = cores_of(capability, tf32)
    for step in CUDA_PASSES:
        graph = step(graph)
    plan = Assembler(graph, SHARED_BYTES, narrow_operands=True, early_apart=False).plan()
    guarded = any(kernel.code.checks for kernel in plan.kernels)
    splitter = Splitter(cores, library, guarded)
    ready = tuple(each for kernel in plan.kernels for each in splitter.split(with_spare(kernel)))
    steps, memory = schedule(replace(plan, kernels=ready))
    kernels = tuple(step.kernel for step in steps)
    return CudaStages(
        graph,
        kernels,
        memory,
        render_cuda(kernels, cores),
        tuple(np.ascontiguousarray(node.params["value"]) for node in plan.constants),
        dict(enumerate(plan.messages, start=1)),
    )
