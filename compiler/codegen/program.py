"""Renders kernels as one module: a function each, and the program that runs them in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitnet.compiler.ir.loops import Buffer, Contract, Kernel, walk
from jitnet.runtime.target import Target

from .contract import scratch_of
from .emitter import I64, PTR, Function, Module
from .kernel import KernelWriter

SYMBOL = "program"
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
    """One kernel of the program and whether all threads must have finished before it."""

    kernel: Kernel
    barrier: bool


@dataclass(frozen=True)
class Rendered:
    """LLVM IR of a program and what it needs of memory."""

    text: str
    scratch_bytes: int


def render(
    steps: Sequence[Step], offsets: dict[Buffer, int], scratch_bytes: int, target: Target
) -> Rendered:
    """Return the module's text."""
    module = Module(target)
    for step in steps:
        KernelWriter(module, step.kernel, offsets).write()
    _program(module, steps)
    tiles = [
        scratch_of(stmt, target)
        for step in steps
        for stmt in walk(step.kernel.body)
        if isinstance(stmt, Contract)
    ]
    return Rendered(module.text(), max([scratch_bytes, *tiles]))


def _program(module: Module, steps: Sequence[Step]) -> None:
    f = Function(module, SYMBOL, ARGS, internal=False)
    slots, arena, scratch, team, thread, threads = f.args
    module.declare("jitnet_barrier", "void", [PTR, I64])
    first = f.compare("icmp eq", thread, f.i64(0))
    position = 0
    while position < len(steps):
        step = steps[position]
        if step.barrier:
            f.call("jitnet_barrier", [team, threads])
        if not step.kernel.serial:
            f.call(step.kernel.name, [slots, arena, scratch, thread, threads])
            position += 1
            continue
        with f.when(first):
            while True:
                f.call(steps[position].kernel.name, [slots, arena, scratch, thread, threads])
                position += 1
                if position >= len(steps) or _breaks(steps[position - 1], steps[position]):
                    break
        if steps[position - 1].kernel.checks:
            _stop_if_failed(f)
    f.finish()


def _breaks(before: Step, step: Step) -> bool:
    """Whether a kernel cannot stand in the same one-thread run as the one before it."""
    leaves_checks = before.kernel.checks and not step.kernel.checks
    return not step.kernel.serial or step.barrier or leaves_checks


def _stop_if_failed(f: Function) -> None:
    """Return from the program, on every thread, if a check has set the status."""
    slots, _, _, team, _, threads = f.args
    f.call("jitnet_barrier", [team, threads])
    status = f.load(f.load(slots, PTR, 8), I64, 8)
    failed = f.compare("icmp ne", status, f.i64(0))
    f.return_when(failed)
