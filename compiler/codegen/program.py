"""Renders a program as one module: a function for each code, and the one that calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from jitnet.compiler.ir.host import HostCall
from jitnet.compiler.ir.kernel import Code, Kernel
from jitnet.compiler.ir.loops import Buffer, Contract, walk
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.pool_layout import BARRIER, MOST_NUMBERS
from jitnet.runtime.target import Target

from .emitter import I1, I64, PTR, Function, Module, Value
from .kernel import CodeWriter, own_scratch
from .shares import EVERY, LARGEST, NOBODY

SYMBOL = "program"
MOST_STEPS = 128  # of a function that calls kernels, before it is cut
ARGS = [
    ("slots", PTR),
    ("arena", PTR),
    ("scratch", PTR),
    ("team", PTR),
    ("thread", I64),
    ("threads", I64),
]


@dataclass(frozen=True)
class Step:
    """One kernel of the program and which teams must all have finished before it.

    waits: the sizes of those teams (see shares.py).
    number: of the first of what it shares out, where threads claim parts of it.
    """

    kernel: Kernel
    waits: int
    number: int = 0

    @property
    def barrier(self) -> bool:
        """Whether any team waits."""
        return self.waits != NOBODY


@dataclass(frozen=True)
class Rendered:
    """LLVM IR of a program and what it needs of memory."""

    text: str
    imports: tuple[str, ...]  # micro-kernels that it calls
    host_calls: tuple[HostCall, ...]
    scratch_bytes: int


def render(
    steps: Sequence[Step], offsets: Mapping[Buffer, int], scratch_bytes: int, target: Target
) -> Rendered:
    """Return the module's text."""
    module = Module(target)
    codes = dict.fromkeys(step.kernel.code for step in steps)
    turns = {code: CodeWriter(module, code, offsets).write() for code in codes}
    _write_program(module, numbered(steps, turns), offsets)
    tiles = [own_scratch(code, offsets) + tile for code in codes for tile in _scratch(code, target)]
    return Rendered(
        module.text(),
        module.micro_kernels(),
        tuple(module.host_calls),
        max([scratch_bytes, *tiles]),
    )


def numbered(steps: Sequence[Step], turns: Mapping[Code, int]) -> list[Step]:
    """Return the steps with numbers for all that threads claim parts of, from 1 on."""
    result, number = [], 1
    for step in steps:
        result.append(replace(step, number=number))
        if step.kernel.code.claims:
            number += turns[step.kernel.code]
    assert number <= MOST_NUMBERS, "a program has more claimed work than there are numbers"
    return result


def _scratch(code: Code, target: Target) -> list[int]:
    """Return the bytes of scratch that each product of a code needs."""
    products = [stmt for stmt in walk(code.body) if isinstance(stmt, Contract)]
    if not products:
        return []
    from .contract import scratch_of  # late, as in kernel.py

    return [scratch_of(stmt, target) for stmt in products]


def _write_program(module: Module, steps: Sequence[Step], offsets: Mapping[Buffer, int]) -> None:
    """Write the function that runs the kernels in order.

    What comes after the last check, from where nobody returns early, is cut into functions of their
    own: to compile thousands of calls in one takes LLVM longer than as many in several.
    """
    module.declare(BARRIER, "void", [PTR, I64])
    program = Function(module, SYMBOL, ARGS, internal=False)
    first, *others = parts_of(steps)
    _Part(program, first, offsets).write()
    for number, part in enumerate(others, start=1):
        f = Function(module, f"{SYMBOL}{number}", ARGS)
        _Part(f, part, offsets).write()
        f.finish()
        program.call(f"{SYMBOL}{number}", program.args)
    program.finish()


def parts_of(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """Return the steps in parts of about MOST_STEPS, all checks in the first."""
    checks = [number for number, step in enumerate(steps, start=1) if step.kernel.code.checks]
    cuts = [0]
    for at in range(1, len(steps)):
        may_cut = not steps[at - 1].kernel.serial or _breaks(steps[at - 1], steps[at])
        if may_cut and at >= max(cuts[-1] + MOST_STEPS, *checks, 0):
            cuts.append(at)
    return [steps[start:stop] for start, stop in pairwise([*cuts, len(steps)])]


class _Part:
    """Writes kernels in order into a function."""

    def __init__(
        self, function: Function, steps: Sequence[Step], offsets: Mapping[Buffer, int]
    ) -> None:
        self.f = function
        self._steps = steps
        self._offsets = offsets
        self._slots, self._arena, self._scratch, self._team, self._thread, self._threads = (
            self.f.args
        )

    def write(self) -> None:
        """Write it all."""
        f, steps = self.f, self._steps
        status = self._slot(0)
        first = f.compare("icmp eq", self._thread, f.i64(0))
        position = 0
        while position < len(steps):
            step = steps[position]
            if step.barrier:
                with f.when(self._has_size_of(step.waits)):
                    self._wait()
            if not step.kernel.serial:
                self._call(step, status)
                position += 1
                continue
            with f.when(first):
                while True:
                    self._call(steps[position], status)
                    position += 1
                    if position >= len(steps) or _breaks(steps[position - 1], steps[position]):
                        break
            if steps[position - 1].kernel.code.checks:
                self._stop_if_failed(status)

    def _call(self, step: Step, status: Value) -> None:
        kernel = step.kernel
        pointers = [self._pointer(buffer) for buffer in kernel.buffers if buffer.place != "scratch"]
        args = [status, self._scratch, self._thread, self._threads]
        if kernel.code.claims:
            args += [self._team, self.f.i64(step.number)]
        self.f.call(kernel.code.name, [*args, *pointers])

    def _pointer(self, buffer: Buffer) -> Value:
        """Return where a buffer is, looked up right before its use: there may be thousands."""
        if buffer.place == "slot":
            start = self._slot(buffer.slot)
            if not buffer.offset:
                return start
            skipped = buffer.offset * buffer.dtype.size
            return self.f.emit_here(f"getelementptr inbounds i8, {start}, i64 {skipped}", PTR)
        place = f"getelementptr inbounds i8, {self._arena}, i64 {self._offsets[buffer]}"
        return self.f.emit_here(place, PTR)

    def _slot(self, number: int) -> Value:
        entry = self.f.emit_here(f"getelementptr inbounds ptr, {self._slots}, i64 {number}", PTR)
        return self.f.load(entry, PTR, 8)

    def _has_size_of(self, sizes: int) -> Value | None:
        """Return whether the team has one of these sizes; None if it does anyway."""
        if sizes == EVERY:
            return None
        f, threads = self.f, self._threads
        number = f.select(f.compare("icmp ult", threads, f.i64(LARGEST)), threads, f.i64(0))
        return f.convert("trunc", f.binary("lshr", f.i64(sizes), number), I1)

    def _wait(self) -> None:
        self.f.call(BARRIER, [self._team, self._threads])

    def _stop_if_failed(self, status: Value) -> None:
        """Return from the program, on every thread, if a check has set the status."""
        f = self.f
        self._wait()
        failed = f.compare("icmp ne", f.load(status, I64, 8), f.i64(0))
        f.return_when(failed)


def _breaks(before: Step, step: Step) -> bool:
    """Whether a kernel cannot stand in the same one-thread run as the one before it."""
    leaves_checks = before.kernel.code.checks and not _only_checks(before, step)
    return not step.kernel.serial or step.barrier or leaves_checks


def _only_checks(*steps: Step) -> bool:
    """Whether kernels look at data and do nothing that relies on it."""
    return all(each.kernel.code.checks and not each.kernel.code.host_calls for each in steps)
