"""The compiler on one page: what happens to a Graph, in order, and why.

    Graph -> simplified Graph -> kernels (loops) -> LLVM IR -> object code

Each step is a function that returns its result; `compile_graph` runs them, times them and, when
debugging, verifies what each made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.codegen.microkernels import library
from jitnet.compiler.codegen.program import SYMBOL, Step, render
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.ir.verify import verify
from jitnet.compiler.passes.assemble import Assembler, Plan
from jitnet.compiler.passes.decompose import decompose
from jitnet.compiler.passes.mask import mask_from_result
from jitnet.compiler.passes.memory import MemoryPlan, conflicts, plan_memory
from jitnet.compiler.passes.name import name_kernels
from jitnet.compiler.passes.share import share
from jitnet.compiler.passes.simplify import simplify
from jitnet.compiler.passes.transpose import transpose_products
from jitnet.compiler.passes.winograd import winograd
from jitnet.runtime import cache
from jitnet.runtime.target import Target

GRAPH_PASSES: tuple[Callable[[Graph], Graph], ...] = (
    simplify,  # algebra and constant folding, on the ops that the user named
    share,  # equal values once: forward recomputed by backward meets itself here
    transpose_products,  # gradients of weights come out in the weights' own layout
    mask_from_result,  # before fusion decides what to keep for the backward pass
    winograd,  # before padding is taken out of convolutions: it pads as its tiles want
    decompose,  # pools as windows, padding out of convolutions, long sums in two steps
    simplify,  # what decomposing left: reshapes of reshapes, casts, zeros
    share,  # both halves of a gradient often decompose into the same windows
)


@dataclass(frozen=True)
class Compiled:
    """All that became of a graph, from the trace to machine code.

    slots of the program: the status, one for each graph input, each fresh output, each constant.
    messages: status code -> the error that tells the user; {value} is the status's next word.
    phases: seconds by step.
    """

    graph: Graph
    optimized: Graph
    kernels: tuple[Kernel, ...]
    barriers: tuple[bool, ...]  # before each kernel
    llvm: str
    object_code: bytes
    cached: bool
    memory: MemoryPlan
    scratch_bytes: int
    constants: tuple[NDArray[np.generic], ...]
    messages: dict[int, tuple[type[Exception], str]]
    phases: dict[str, float]
    target: Target
    symbol: str = SYMBOL

    @property
    def arena_bytes(self) -> int:
        """Bytes of the memory that kernels share."""
        return self.memory.arena_bytes

    @property
    def library(self) -> str:
        """LLVM IR of the micro-kernels that the program calls: the same for every program."""
        return library(self.target)


def optimize(graph: Graph, after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Return the graph after all graph passes; `after` sees each one's result."""
    for step in GRAPH_PASSES:
        graph = step(graph)
        verify(graph)
        if after is not None:
            after(step.__name__, graph)
    return graph


def schedule(plan: Plan) -> tuple[tuple[Step, ...], MemoryPlan]:
    """Return the kernels with barriers where one touches what another has written, and memory."""
    kernels = name_kernels(plan.kernels)
    memory = plan_memory(kernels)
    steps: list[Step] = []
    since: list[Kernel] = []  # kernels that may still be running on some thread
    for kernel in kernels:
        waits = any(
            conflicts(kernel, other, memory.offsets)
            for other in since
            if not (kernel.serial and other.serial)
        )
        if waits:
            since = []
        steps.append(Step(kernel, waits))
        since.append(kernel)
    return tuple(steps), memory


def compile_graph(graph: Graph, target: Target) -> Compiled:
    """Return machine code for a graph, from the cache where it has been compiled before."""
    phases: dict[str, float] = {}
    started = time.perf_counter()

    def done(phase: str) -> None:
        nonlocal started
        now = time.perf_counter()
        phases[phase] = phases.get(phase, 0.0) + now - started
        started = now

    optimized = optimize(graph)
    done("graph passes")
    plan = Assembler(optimized).plan()
    done("kernels")
    steps, memory = schedule(plan)
    done("memory")
    rendered = render(steps, memory.offsets, memory.scratch_bytes, target)
    done("emit")
    object_code, cached = cache.compile_cached(rendered.text, target)
    done("load from cache" if cached else "llvm")
    return Compiled(
        graph=graph,
        optimized=optimized,
        kernels=tuple(step.kernel for step in steps),
        barriers=tuple(step.barrier for step in steps),
        llvm=rendered.text,
        object_code=object_code,
        cached=cached,
        memory=memory,
        scratch_bytes=rendered.scratch_bytes,
        constants=tuple(_arrays(plan)),
        messages=dict(enumerate(plan.messages, start=1)),
        phases=phases,
        target=target,
    )


def _arrays(plan: Plan) -> Sequence[NDArray[np.generic]]:
    return [np.ascontiguousarray(node.params["value"]) for node in plan.constants]
