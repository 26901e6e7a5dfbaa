"""A graph as a native program in this process: where the front end meets compiler and runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jitnet.compiler.compiled import compile_graph
from jitnet.compiler.ir.errors import HostError
from jitnet.compiler.ir.graph import Graph
from jitnet.compiler.load import load
from jitnet.runtime.acts import Run
from jitnet.runtime.cpu import host_target
from jitnet.runtime.host import take_error
from jitnet.runtime.instruction import Instruction
from jitnet.runtime.layout import address_of
from jitnet.runtime.program import Program

from ..device import CPU
from ..trace import Traced
from .acting import Acts, backward_acts

if TYPE_CHECKING:
    from jitnet.compiler.pipeline import Stages

Array = np.ndarray[Any, Any]


class Native:
    """A graph, compiled and loaded; see Executable. `compiled` holds every stage on the way."""

    def __init__(self, graph: Graph) -> None:
        self.device = CPU
        self.compiled = compile_graph(graph, host_target())
        started = time.perf_counter()
        self._loaded = load(self.compiled)
        self.phases = {**self.compiled.phases, "load": time.perf_counter() - started}
        once = self.compiled.binary.once
        self._inputs = len(graph.inputs) + (len(once.kept) if once else 0)
        self._fresh = sum(output.into is None for output in graph.outputs)
        self._bound: dict[int, Array] = {}  # memory that the programs hold the address of

    @property
    def program(self) -> Program:
        """What runs in every call."""
        return self._loaded.always

    def acts(self, traced: Traced, finish: Callable[..., Any]) -> list[Instruction]:
        """Return what a call of a forward program does."""
        return Acts(traced, self, finish).instructions()

    def backward_acts(self) -> list[Instruction]:
        """Return what a call of a backward program does."""
        return backward_acts(self, self.compiled.graph)

    def first_try(self, call: Callable[..., Any], held: set[int]) -> Callable[..., Any]:
        """Return the call: native code sees all that it has to."""
        return call

    def bind(self, number: int, array: Array) -> None:
        """Let a graph input be this array in every call."""
        self._bound[number] = array
        for program in (self._loaded.always, self._loaded.once):
            if program is not None:
                program.bind(1 + number, address_of(array))

    def instruction(self, inputs: Sequence[int]) -> Run:
        """Return what runs it, given memory for each of these inputs and each fresh output."""
        first = 1 + self._inputs
        slots = [*(1 + number for number in inputs), *range(first, first + self._fresh)]
        return self.program.instruction(slots)

    def error(self, status: int) -> BaseException:
        """Return the exception for a status of the program."""
        return _error(self.compiled.stages, self.program, status)

    def preparation(self) -> Callable[[], None] | None:
        """Return what makes the values that last anew; None where there are none.

        It raises what the program's check finds, as the call would.
        """
        once = self._loaded.once
        if once is None:
            return None
        run = once.pointer_entry(())

        def prepare() -> None:
            status = run(())
            if status:
                stages = self.compiled.stages.once
                assert stages is not None
                raise _error(stages, once, status)

        return prepare


def _error(stages: Stages, program: Program, status: int) -> BaseException:
    kind, text = stages.messages[status]
    raised = take_error() if kind is HostError else None
    if raised is not None:
        return _at(raised, text)
    return kind(text.replace("{value}", str(program.status[1])))


def _at(raised: BaseException, line: str) -> BaseException:
    """Return what a host node raised with the user's line at the end of its message."""
    if line and len(raised.args) == 1 and isinstance(raised.args[0], str):
        raised.args = (f"{raised.args[0]}; {line}",)
    return raised
