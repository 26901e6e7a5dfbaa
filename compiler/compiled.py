"""A graph's machine code: from the disk where it is kept, else through the pipeline.

The pipeline is imported when something has to be lowered: a process that finds all its programs
kept does without the passes and code generation, whose import would take longer than its loading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jitnet.compiler.binary import Binary
from jitnet.compiler.clock import Clock
from jitnet.compiler.identity import graph_key
from jitnet.compiler.ir.graph import Graph
from jitnet.runtime import cache
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.target import Target

if TYPE_CHECKING:
    from jitnet.compiler.pipeline import Stages


@dataclass(frozen=True)
class Compiled:
    """A graph's machine code, new or from the cache; `stages`, if need be, are gone through again.

    phases: seconds by step.
    """

    graph: Graph
    target: Target
    binary: Binary
    cached: bool
    phases: dict[str, float]
    _stages: list[Stages]  # none for code from the cache, until somebody looks

    @property
    def stages(self) -> Stages:
        """What the graph became on the way, for people to read."""
        if not self._stages:
            from jitnet.compiler import pipeline

            self._stages.append(pipeline.lower(self.graph, self.target))
        return self._stages[0]


def compile_graph(graph: Graph, target: Target) -> Compiled:
    """Return machine code for a graph; from the cache, with no step done, where it is there."""
    clock = Clock()
    key = graph_key(graph, target)
    clock.done("key")
    stages: list[Stages] = []

    def make() -> bytes:
        from jitnet.compiler import pipeline

        clock.done("import")
        stages.append(pipeline.lower(graph, target, clock))
        binary = pipeline.generate(stages[0], target)
        clock.done("llvm")
        return binary.to_bytes()

    data, cached = cache.keep(key, make)
    binary = Binary.from_bytes(data)
    clock.done("read from cache" if cached else "write to cache")
    return Compiled(graph, target, binary, cached, clock.phases, stages)
