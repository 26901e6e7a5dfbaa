"""Runs a compiled graph on threads that take turns: one runs alone until it waits for the others.

What a thread reads before a barrier that another one writes before the same barrier is then seen:
in one order of turns it reads what was there before.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence

import numpy as np

from jitnet.compiler.binary import Binary
from jitnet.compiler.compiled import Compiled
from jitnet.compiler.load import _micro_kernels
from jitnet.runtime import cpu
from jitnet.runtime.memory import aligned_empty
from jitnet.runtime.pool_layout import BARRIER, CLAIM, LINE, SHARES_IN_TEAM
from jitnet.runtime.program import STATUS_WORDS
from jitnet.runtime.threads import pool

_WORDS = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 2
_BARRIER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
_PROGRAM = ctypes.CFUNCTYPE(None, *_WORDS)


class Turns:
    """Threads of which one runs at a time, in an order, each until it waits or ends."""

    def __init__(self, order: Sequence[int]) -> None:
        self.meetings = 0
        self._order = order
        self._go = [threading.Semaphore(0) for _ in order]
        self._back = threading.Semaphore(0)
        self._ended = [False for _ in order]
        self._own = threading.local()
        self.barrier = _BARRIER(self._wait)

    def _wait(self, team: int, threads: int) -> None:
        self._back.release()
        self._go[self._own.number].acquire()

    def run(self, program: ctypes._CFuncPtr, pointers: Sequence[Sequence[int]]) -> None:
        """Call the program on each thread with pointers of its own; return when all have ended."""

        def work(number: int) -> None:
            self._own.number = number
            self._go[number].acquire()
            program(*pointers[number], number, len(pointers))
            self._ended[number] = True
            self._back.release()

        workers = [threading.Thread(target=work, args=(each,)) for each in self._order]
        for worker in workers:
            worker.start()
        while not all(self._ended):
            self.meetings += 1
            before = list(self._ended)
            for number in self._order:
                if not before[number]:
                    self._go[number].release()
                    self._back.acquire()
            assert len(set(self._ended)) == 1, "some threads wait for one that has ended"
        for worker in workers:
            worker.join()


def run_in_turns(
    compiled: Compiled, arrays: Sequence[np.ndarray], order: Sequence[int]
) -> tuple[list[np.ndarray], int]:
    """Return the contents of all arguments and results after a run, and how often threads met.

    The arena and the results hold NaN before, as do scratch and what threads claim from.
    """
    binary, graph = compiled.binary, compiled.graph
    given = [array.copy() for array in arrays]
    kept = [aligned_empty((size,), np.dtype(np.uint8)) for size in _kept(binary)]
    if binary.once is not None:
        _run(binary.once.binary, compiled, [*given, *kept], order)
    fresh = [
        np.full(output.node.shape, 255, np.uint8).astype(output.node.dtype.numpy)
        for output in graph.outputs
        if output.into is None
    ]
    meetings = _run(binary, compiled, [*given, *kept, *fresh], order)
    return [*given, *fresh], meetings


def _kept(binary: Binary) -> tuple[int, ...]:
    return binary.once.kept if binary.once is not None else ()


def _run(
    binary: Binary, compiled: Compiled, arrays: Sequence[np.ndarray], order: Sequence[int]
) -> int:
    turns = Turns(order)
    imports = {
        **_micro_kernels(binary.imports, compiled.target),
        BARRIER: ctypes.cast(turns.barrier, ctypes.c_void_p).value or 0,
        CLAIM: pool().address(CLAIM),
    }
    module = cpu.load(binary.object_code, imports)
    program = _PROGRAM(module.address(binary.symbol))
    status = np.zeros(STATUS_WORDS, np.int64)
    slots = np.array([each.ctypes.data for each in (status, *arrays, *binary.constants)], np.uintp)
    arena = _garbage(binary.arena_bytes)
    team = np.zeros(SHARES_IN_TEAM + len(order) * LINE, np.uint8)
    scratch = [_garbage(binary.scratch_bytes) for _ in order]
    common = [slots.ctypes.data, arena.ctypes.data]
    turns.run(program, [[*common, each.ctypes.data, team.ctypes.data] for each in scratch])
    assert status[0] == 0, f"status {status}"
    return turns.meetings


def _garbage(size: int) -> np.ndarray:
    memory = aligned_empty((size + LINE,), np.dtype(np.uint8))
    memory.fill(255)
    return memory
