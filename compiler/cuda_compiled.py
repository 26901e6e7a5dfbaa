"""A graph's machine code for a GPU: from the disk where it is kept, else through the passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jitnet.compiler.clock import Clock
from jitnet.compiler.identity import canonical_text, sources_digest
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.ops import matmul
from jitnet.runtime import cache
from jitnet.runtime.cuda.allocator import shown
from jitnet.runtime.cuda.driver import Driver
from jitnet.runtime.cuda.image import Image, Product, Step
from jitnet.runtime.cuda.program import ARENA
from jitnet.runtime.dataclass import dataclass

if TYPE_CHECKING:
    from jitnet.compiler.codegen.cuda.program import Launch, LibraryCall
    from jitnet.compiler.cuda import CudaStages
    from jitnet.compiler.ir.kernel import Kernel
    from jitnet.compiler.ir.loops import Buffer

LARGEST = 3  # values of the arena that an error names


@dataclass(frozen=True)
class CudaCompiled:
    """A graph as code for a GPU, new or from the cache; see Compiled for what is alike.

    capability: which instructions the GPU has.
    """

    graph: Graph
    image: Image
    cached: bool
    phases: dict[str, float]
    tf32: bool
    library: bool
    capability: tuple[int, int]
    _stages: list[CudaStages]

    @property
    def stages(self) -> CudaStages:
        """What the graph became on the way, for people to read."""
        if not self._stages:
            self._stages.append(_lowered(self.graph, self.tf32, self.library, self.capability))
        return self._stages[0]

    def failure(self, status: int, value: int) -> BaseException:
        """Return the exception for a status, and the value that it speaks of."""
        kind, text = self.stages.messages[status]
        return kind(text.replace("{value}", str(value)))

    def arena_said(self) -> str:
        """Return what the arena holds at most at once, its largest parts, and whose they are."""
        memory = self.stages.memory
        writers: dict[Buffer, Kernel] = {}
        for kernel in self.stages.kernels:
            for buffer in kernel.buffers:
                if buffer.place == "arena":
                    writers.setdefault(buffer.owner, kernel)
        largest = sorted(writers, key=lambda buffer: -buffer.size * buffer.dtype.size)[:LARGEST]
        parts = [
            f"{shown(each.size * each.dtype.size)} of {writers[each].name}"
            f"{''.join(f' ({line})' for line in writers[each].lines[:1])}"
            for each in largest
        ]
        return (
            f"The arena holds {shown(memory.live_bytes)} at once; the largest: {', '.join(parts)}"
        )


def compile_for(
    graph: Graph, driver: Driver, tf32: bool = False, library: bool = False
) -> CudaCompiled:
    """Return machine code for a graph; from the cache, with no step done, where it is there.

    tf32: whether products of float32 may round their operands to what tensor cores take.
    library: whether large products may be left to the vendor's library, where it is installed.
    """
    clock = Clock()
    version, capability = driver.version(), driver.properties.capability
    library = library and any(node.op is matmul for node in graph) and driver.has_library()
    key = cache.digest(
        "cuda", version, f"{tf32=} {library=}", sources_digest(), canonical_text(graph)
    )
    clock.done("key")
    stages: list[CudaStages] = []

    def make() -> bytes:
        stages.append(_lowered(graph, tf32, library, capability))
        clock.done("lower")
        data = _image(stages[0], driver).to_bytes()
        clock.done("nvvm")
        return data

    data, cached = cache.keep(key, make)
    image = Image.from_bytes(data)
    clock.done("read from cache" if cached else "write to cache")
    return CudaCompiled(graph, image, cached, clock.phases, tf32, library, capability, stages)


def _lowered(graph: Graph, tf32: bool, library: bool, capability: tuple[int, int]) -> CudaStages:
    from jitnet.compiler.cuda import lower_cuda

    return lower_cuda(graph, tf32, library, capability)


def _image(stages: CudaStages, driver: Driver) -> Image:
    """Return a program's code and launches."""
    program = stages.program
    functions = {each.name: each.elements for each in program.functions}
    codes = driver.build(program.source, functions)
    number = {name: place for place, name in enumerate(functions)}
    return Image(
        tuple(codes[name] for name in functions),
        tuple(_step(each, number, stages) for each in program.launches),
        stages.memory.arena_bytes,
        stages.constants,
        bool(stages.messages),
    )


def _step(
    each: Launch | LibraryCall, number: Mapping[str, int], stages: CudaStages
) -> Step | Product:
    from jitnet.compiler.codegen.cuda.program import Launch

    if isinstance(each, Launch):
        places = tuple(_place(buffer, stages) for buffer in each.buffers)
        return Step(number[each.function], each.grid, each.block, places)
    places = tuple(_place(buffer, stages, start) for buffer, start in each.operands)
    return Product(each.gemm, places)


def _place(buffer: Buffer, stages: CudaStages, start: int = 0) -> tuple[int, int]:
    """Return the slot of a buffer's element and how many bytes after its start that is."""
    after = start * buffer.dtype.size
    if buffer.place == "arena":
        return ARENA, stages.memory.offsets[buffer] + after
    return buffer.slot, buffer.offset * buffer.dtype.size + after
