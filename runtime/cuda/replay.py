"""A program's launches as one graph, which the driver launches at once when calls repeat.

A graph holds addresses. What stays where it is (parameters, optimizer state, gradients, the arena)
it uses in place; what a call brings is copied to a place that stays before, and what it returns is
copied from one after. So any call with the same state is the same graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from .allocator import Memory
from .program import DeviceProgram

FEWEST = 4  # launches more than copies, from which on a graph pays
MOST = 4  # graphs of one program: for so many places of its state, the oldest goes then

Moves = Sequence[tuple[int, int]]  # which pointer, and how many bytes lie there


class Replay:
    """Runs a program, as a graph from the second call on that finds its state in one place.

    entering, leaving: what a call brings and is not written, and what it returns.
    pays: whether it has so many launches that a graph is worth it.
    """

    def __init__(self, program: DeviceProgram, entering: Moves, leaving: Moves) -> None:
        self._graphs: dict[tuple[int, ...], int] = {}
        self._program = program
        self._entering, self._leaving = entering, leaving
        self._moved = {place for place, _ in (*entering, *leaving)}
        launches = len(program.image.steps)
        self.pays = launches >= FEWEST + len(self._moved)
        self._seen: tuple[int, ...] | None = None
        self._places: dict[int, Memory] = {}

    def __del__(self) -> None:
        for graph in self._graphs.values():
            self._unused(graph)

    def _unused(self, graph: int) -> None:
        """Let a graph be closed; the driver waits for launches of it that are under way."""
        self._program.gpu.unused.append((self._program.gpu.driver.close_graph, graph))

    def run(self, pointers: Sequence[int]) -> None:
        """Ask for a run, given the addresses of inputs and fresh outputs."""
        with self._program.lock:
            self._run(pointers)

    def _run(self, pointers: Sequence[int]) -> None:
        if not self.pays:
            self._program.run(pointers)
            return
        stays = [at for place, at in enumerate(pointers) if place not in self._moved]
        state = (self._program.gpu.stream, *stays)  # the library works in memory of the stream
        graph = self._graphs.get(state)
        if graph is None:
            repeats, self._seen = state == self._seen, state
            if not repeats:
                self._program.run(pointers)
                return
            if len(self._graphs) == MOST:
                oldest = next(iter(self._graphs))
                self._unused(self._graphs.pop(oldest))
            graph = self._graphs[state] = self._captured(pointers)
        self._launch(graph, pointers)

    def _captured(self, pointers: Sequence[int]) -> int:
        """Return the program as a graph that finds what moves in places of its own."""
        gpu = self._program.gpu
        for place, size in (*self._entering, *self._leaving):
            if place not in self._places:
                self._places[place] = gpu.memory(size, "what a graph takes and gives")
                self._program.held.append(self._places[place])
        fixed = list(pointers)
        for place, memory in self._places.items():
            fixed[place] = memory.address
        self._program.enter()
        stream = gpu.driver.begin_capture()
        try:
            self._program.launch(fixed, stream)
        except BaseException:
            gpu.driver.abandon_capture(stream)
            raise
        return gpu.driver.end_capture(stream)

    def _launch(self, graph: int, pointers: Sequence[int]) -> None:
        driver, stream = self._program.gpu.driver, self._program.enter()
        for place, size in self._entering:
            driver.copy(self._places[place].address, pointers[place], size, stream)
        driver.launch_graph(graph, stream)
        for place, size in self._leaving:
            driver.copy(pointers[place], self._places[place].address, size, stream)
        self._program.launched(stream)
