"""A graph as a native program in this process: where the front end meets compiler and runtime."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.load import load
from jitnet.compiler.pipeline import compile_graph
from jitnet.runtime.acts import Run
from jitnet.runtime.cpu import host_target
from jitnet.runtime.layout import address_of

Array = np.ndarray[Any, Any]


class Native:
    """A graph, compiled and loaded; `compiled` holds every stage on the way."""

    def __init__(self, graph: Graph) -> None:
        self.compiled = compile_graph(graph, host_target())
        started = time.perf_counter()
        self.program = load(self.compiled)
        self.phases = {**self.compiled.phases, "load": time.perf_counter() - started}
        self._inputs = len(graph.inputs)
        self._fresh = sum(output.into is None for output in graph.outputs)
        self._bound: dict[int, Array] = {}  # memory that the program holds the address of

    def bind(self, number: int, array: Array) -> None:
        """Let a graph input be this array in every call."""
        self._bound[number] = array
        self.program.bind(1 + number, address_of(array))

    def instruction(self, inputs: Sequence[int]) -> Run:
        """Return what runs it, given memory for each of these inputs and each fresh output."""
        first = 1 + self._inputs
        slots = [*(1 + number for number in inputs), *range(first, first + self._fresh)]
        return self.program.instruction(slots)

    def error(self, status: int) -> Exception:
        """Return the exception for a status of the program."""
        kind, text = self.compiled.stages.messages[status]
        return kind(text.replace("{value}", str(self.program.status[1])))
