"""The compiler on one page: what happens to a Graph, in order, and why.

    Graph -> simplified Graph -> kernels (loops) -> LLVM IR -> object code

What depends on lasting inputs alone becomes a program of its own, which need not run in every call.

Each step is a function that returns its result. `compile_graph` (compiled.py) runs and times them,
unless a program of the same graph is kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.binary import Binary, Once
from jitnet.compiler.clock import Clock
from jitnet.compiler.codegen.program import SYMBOL, render
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ir.host import HostCall
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.ir.verify import verify
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.passes.complex_pairs import complex_pairs
from jitnet.compiler.passes.crop import crop
from jitnet.compiler.passes.decompose import decompose
from jitnet.compiler.passes.image_lanes import images_in_lanes
from jitnet.compiler.passes.join import join_parts
from jitnet.compiler.passes.mask import mask_from_result
from jitnet.compiler.passes.memory import MemoryPlan
from jitnet.compiler.passes.overlap import share_parts
from jitnet.compiler.passes.panels import pack_operands
from jitnet.compiler.passes.prepare import halve
from jitnet.compiler.passes.share import share
from jitnet.compiler.passes.simplify import simplify
from jitnet.compiler.passes.sums import join_sums
from jitnet.compiler.passes.transpose import transpose_products
from jitnet.compiler.passes.turns import turn_once
from jitnet.compiler.passes.widen import widen
from jitnet.compiler.passes.winograd import winograd
from jitnet.compiler.schedule import schedule
from jitnet.runtime import cpu
from jitnet.runtime.cpu import debugging
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.target import Target

GRAPH_PASSES: tuple[Callable[[Graph], Graph], ...] = (
    complex_pairs,  # before all: complex values become real and imaginary parts
    widen,  # first: the others need not know that 16-bit floats are computed with as float32
    simplify,  # algebra and constant folding, on the ops that the user named
    share,  # equal values once: forward recomputed by backward meets itself here
    crop,  # after these: equal values are one, which knows all that is read of it
    join_sums,  # before transposes: a weight's gradient over many time steps is one product
    transpose_products,  # gradients of weights come out in the weights' own layout
    mask_from_result,  # before fusion decides what to keep for the backward pass
    images_in_lanes,  # before pools are windows: of these, it need know nothing
    winograd,  # before padding is taken out of convolutions: it pads as its tiles want
    decompose,  # pools as windows, padding out of convolutions, long sums in two steps
    simplify,  # what decomposing left: reshapes of reshapes, casts, zeros
    share,  # both halves of a gradient often decompose into the same windows
    share_parts,  # states after all steps and before them overlap: slices of one concatenation
    pack_operands,  # when all products are there: weights that last lie as tiles read them
    turn_once,  # after these, which would pack it again: weights of a loop, once before it
    join_parts,  # last: what steps of a loop compute is written right where it is gathered
)


@dataclass(frozen=True)
class Stages:
    """What a graph becomes on the way to machine code.

    messages: status code -> the error that tells the user; {value} is the status's next word.
    once: the stages of what lasting inputs alone decide, if there is such.
    """

    optimized: Graph
    kernels: tuple[Kernel, ...]
    barriers: tuple[int, ...]  # before each kernel: the sizes of the teams that wait
    memory: MemoryPlan
    llvm: str
    imports: tuple[str, ...]  # micro-kernels that it calls
    host_calls: tuple[HostCall, ...]
    scratch_bytes: int
    constants: tuple[NDArray[np.generic], ...]
    messages: dict[int, tuple[type[Exception], str]]
    once: Stages | None = None


def optimize(graph: Graph, after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Return the graph after all graph passes; `after` sees each one's result."""
    for step in GRAPH_PASSES:
        graph = step(graph)
        if debugging():
            verify(graph)
        if after is not None:
            after(step.__name__, graph)
    return graph


def lower(graph: Graph, target: Target, clock: Clock | None = None) -> Stages:
    """Return what a graph becomes, up to LLVM IR."""
    clock = clock or Clock()
    halves = halve(optimize(graph))
    clock.done("graph passes")
    stages = _lower(halves.always, target, clock)
    if halves.once is None:
        return stages
    return replace(stages, once=_lower(halves.once, target, clock))


def _lower(optimized: Graph, target: Target, clock: Clock) -> Stages:
    plan = Assembler(optimized).plan()
    clock.done("kernels")
    steps, memory = schedule(plan, target)
    clock.done("memory")
    rendered = render(steps, memory.offsets, memory.scratch_bytes, target)
    clock.done("emit")
    return Stages(
        optimized,
        tuple(step.kernel for step in steps),
        tuple(step.waits for step in steps),
        memory,
        rendered.text,
        rendered.imports,
        rendered.host_calls,
        rendered.scratch_bytes,
        tuple(np.ascontiguousarray(node.params["value"]) for node in plan.constants),
        dict(enumerate(plan.messages, start=1)),
    )


def generate(stages: Stages, target: Target) -> Binary:
    """Return the machine code of lowered stages."""
    return Binary(
        cpu.compile_object(stages.llvm, target),
        SYMBOL,
        stages.imports,
        stages.host_calls,
        all(kernel.serial for kernel in stages.kernels),
        stages.memory.arena_bytes,
        stages.scratch_bytes,
        stages.constants,
        None if stages.once is None else Once(generate(stages.once, target), _kept(stages.once)),
    )


def _kept(once: Stages) -> tuple[int, ...]:
    return tuple(output.node.type.nbytes for output in once.optimized.outputs)
