"""Runs a kernel: of all lanes that can go on, those at the earliest instruction go first.

So lanes that a branch has parted meet again where their ways do. A meeting is over when all that
it asks for are there; if nobody can go on and none is over, that is an error, as on a GPU, where
it would wait for ever or do what nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import prod

import numpy as np

from tests.ptx_machine.access import Fault
from tests.ptx_machine.lanes import ENDED, RUNNING, WAITING, Lanes, Where
from tests.ptx_machine.link import Program, link
from tests.ptx_machine.memory import GlobalMemory
from tests.ptx_machine.parse import Instruction, Name, Number, PtxError
from tests.ptx_machine.steps import step_of
from tests.ptx_machine.warps import is_together, named, together_of

Array = np.ndarray

LANES_AT_A_TIME = 1 << 14
MOST_SHARED = 48 << 10  # bytes of a block, without asking the driver for more


class Kernel:
    """A kernel of some PTX, ready to run."""

    def __init__(self, text: str) -> None:
        self.program = link(text)
        self._steps = []
        self._kinds = []
        for instruction in self.program.code:
            kind = _kind(instruction)
            self._kinds.append(kind)
            if kind == "plain":
                self._steps.append(step_of(instruction))
            elif kind == "warp":
                self._steps.append(together_of(instruction))
            else:
                self._steps.append(_nothing)

    def launch(
        self,
        memory: GlobalMemory,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        unordered: range = range(0),
    ) -> None:
        """Run all blocks.

        unordered: addresses where threads may write over each other.
        """
        across, threads = tuple((*grid, 1, 1)[:3]), tuple((*block, 1, 1)[:3])
        self._check_launch(threads, pointers)
        total, each = prod(across), prod(threads)
        at_a_time = max(1, LANES_AT_A_TIME // each)
        first: int | None = None
        for begin in range(0, total, at_a_time):
            numbers = range(begin, min(begin + at_a_time, total))
            serials = np.array(list(islice(memory.serials, len(numbers))))
            first = int(serials[0]) if first is None else first
            lanes = Lanes(self.program, memory, across, threads, numbers, serials, first)
            lanes.unordered = unordered
            for name, value in zip(self.program.parameters, pointers, strict=True):
                lanes.set(name, np.full(lanes.count, value, np.uint64), None)
            with np.errstate(all="ignore"):
                _Run(self, lanes).run()

    def _check_launch(self, block: Sequence[int], pointers: Sequence[int]) -> None:
        program = self.program
        if len(pointers) != len(program.parameters):
            raise PtxError(
                f"{program.name} takes {len(program.parameters)} parameters, not {len(pointers)}"
            )
        used = sum(size for _, size in program.spaces["shared"].places.values())
        if used > MOST_SHARED or prod(block) > program.most_threads or block[2] > 64:
            raise PtxError(f"a block of {block} threads and {used} bytes is more than there can be")

    def step(self, pc: int) -> tuple[str, Instruction]:
        """Return the kind of an instruction, and the instruction."""
        return self._kinds[pc], self.program.code[pc]

    def do(self, pc: int, lanes: Lanes, where: Where) -> None:
        """Carry an instruction out."""
        try:
            self._steps[pc](lanes, where)
        except Fault as fault:
            raise self.error(pc, lanes, fault.lane, fault.problem) from None

    def error(self, pc: int, lanes: Lanes, lane: int, problem: str) -> PtxError:
        """Return an error that says where it happened."""
        block = [int(lanes.special(f"%ctaid.{axis}")[lane]) for axis in "xyz"]
        thread = [int(lanes.special(f"%tid.{axis}")[lane]) for axis in "xyz"]
        text = self.program.code[pc].text if pc < len(self.program.code) else "the end"
        return PtxError(
            f"{problem}; instruction {pc} ({text}) of thread {thread} of block {block} of "
            f"{self.program.name}"
        )


def _nothing(lanes: Lanes, where: Where) -> None:
    pass


def _kind(instruction: Instruction) -> str:
    """Return how an instruction is run: a branch, an end, a meeting, or all others."""
    parts = instruction.parts
    if parts[0] == "bra":
        return "branch"
    if parts[0] in ("ret", "exit"):
        return "end"
    if is_together(instruction):
        return "warp"
    if parts[0] in ("bar", "barrier"):
        number = instruction.operands[0] if instruction.operands else None
        if parts[1:] not in (["sync"], ["cta", "sync"]) or number != Number(0):
            raise PtxError(f"an instruction that this machine does not know: {instruction.text}")
        return "block"
    return "plain"


class _Run:
    """Lanes on their way through a kernel."""

    def __init__(self, kernel: Kernel, lanes: Lanes) -> None:
        self._kernel = kernel
        self._program: Program = kernel.program
        self._lanes = lanes

    def run(self) -> None:
        """Run all lanes to their end."""
        lanes = self._lanes
        while True:
            running = lanes.state == RUNNING
            if not running.any():
                if not (lanes.state == WAITING).any():
                    return
                self._release()
                continue
            pc = int(lanes.pc[running].min())
            here = running & (lanes.pc == pc)
            later = lanes.pc[running & ~here]
            limit = int(later.min()) if len(later) else len(self._program.code) + 1
            self._go(pc, None if here.all() else np.flatnonzero(here), limit)

    def _go(self, pc: int, where: Where, limit: int) -> None:
        """Run some lanes until others are due, or they part, end or wait."""
        lanes, kernel = self._lanes, self._kernel
        while pc < limit:
            if pc == len(self._program.code):
                self._leave(pc, where, ENDED)
                return
            kind, instruction = kernel.step(pc)
            if kind == "plain":
                some = self._guarded(instruction, where)
                if some is None or len(some):
                    kernel.do(pc, lanes, some)
                pc += 1
                continue
            if kind == "branch":
                taken = self._guarded(instruction, where)
                target = self._target(instruction)
                count = lanes.count if where is None else len(where)
                if taken is None or len(taken) == count:
                    pc = target
                    continue
                if len(taken) == 0:
                    pc += 1
                    continue
                self._leave(pc + 1, where, RUNNING)
                lanes.pc[taken] = target
                return
            if instruction.guard is not None:
                raise PtxError(f"{instruction.text}: a guard here is not known")
            if kind == "end":
                self._leave(pc, where, ENDED)
                return
            if not self._meet(kind, pc, where):
                self._leave(pc, where, WAITING)
                return
            pc += 1
        self._leave(pc, where, RUNNING)

    def _leave(self, pc: int, where: Where, state: int) -> None:
        chosen = self._lanes.chosen(where)
        self._lanes.pc[chosen] = pc
        self._lanes.state[chosen] = state

    def _target(self, instruction: Instruction) -> int:
        (label,) = instruction.operands
        assert isinstance(label, Name)
        return self._program.targets[label.name]

    def _guarded(self, instruction: Instruction, where: Where) -> Where:
        """Return which of some lanes an instruction is for."""
        if instruction.guard is None:
            return where
        name, negated = instruction.guard
        holds = self._lanes.register(name)
        if where is not None:
            holds = holds[where]
        holds = ~holds if negated else holds
        return where if holds.all() else self._lanes.chosen(where)[holds]

    # -- meetings -------------------------------------------------------------------------------

    def _meet(self, kind: str, pc: int, where: Where) -> bool:
        """Do what lanes do together, if all are here; return whether they were."""
        lanes = self._lanes
        if kind == "warp":
            own = lanes.chosen(where)
            if not self._ready(pc, own).all():
                return False
            self._kernel.do(pc, lanes, where)
            return True
        if where is not None:
            return False
        lanes.met(np.arange(lanes.blocks))
        return True

    def _ready(self, pc: int, own: Array) -> Array:
        """Return which lanes have all those here that they name and that have not ended."""
        lanes = self._lanes
        live = np.zeros(lanes.blocks * lanes.warps_each, np.uint32)
        here = np.zeros_like(live)
        bit = np.uint32(1) << lanes.lane.astype(np.uint32)
        alive = lanes.state != ENDED
        np.bitwise_or.at(live, lanes.warp[alive], bit[alive])
        np.bitwise_or.at(here, lanes.warp[own], bit[own])
        names = named(self._program.code[pc], lanes, own)
        if (names & bit[own] == 0).any():
            lane = int(own[np.flatnonzero(names & bit[own] == 0)[0]])
            raise self._kernel.error(pc, lanes, lane, "it does not name itself")
        return names & live[lanes.warp[own]] & ~here[lanes.warp[own]] == 0

    def _release(self) -> None:
        """Let lanes go on whose meeting is over; an error if there are none."""
        lanes = self._lanes
        waiting = lanes.state == WAITING
        gone = False
        for pc in np.unique(lanes.pc[waiting]):
            own = np.flatnonzero(waiting & (lanes.pc == pc))
            kind, _ = self._kernel.step(int(pc))
            if kind == "block":
                gone |= self._release_blocks(int(pc), own)
                continue
            own = own[self._ready(int(pc), own)]
            if len(own):
                self._kernel.do(int(pc), lanes, own)
                lanes.pc[own] = pc + 1
                lanes.state[own] = RUNNING
                gone = True
        if not gone:
            lane = int(np.flatnonzero(waiting)[0])
            others = lanes.block == lanes.block[lane]
            states = lanes.state[others]
            places = sorted({int(pc) for pc in lanes.pc[others & waiting]})
            raise self._kernel.error(
                int(lanes.pc[lane]),
                lanes,
                lane,
                f"a barrier that not all reach: {int((states == ENDED).sum())} threads of the "
                f"block have ended, others wait at instructions {places}",
            )

    def _release_blocks(self, pc: int, own: Array) -> bool:
        lanes = self._lanes
        here = np.bincount(lanes.block[own], minlength=lanes.blocks)
        full = np.flatnonzero(here == lanes.threads)
        if not len(full):
            return False
        lanes.met(full)
        free = own[np.isin(lanes.block[own], full)]
        lanes.pc[free] = pc + 1
        lanes.state[free] = RUNNING
        return True
