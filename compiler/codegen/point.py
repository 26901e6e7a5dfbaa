"""The point of a kernel at which code is being written: its function, its loops, its names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import Buffer, Kernel, Local

from .emitter import I64, PTR, Function, Module, Value

ARGS = [("slots", PTR), ("arena", PTR), ("scratch", PTR), ("thread", I64), ("threads", I64)]


@dataclass(frozen=True)
class Lanes:
    """The vector loop around a point: `count` values of var, counted up from the one it has.

    multiple: a number that divides the first of them; 0 if that is 0.
    """

    var: Var
    count: int
    multiple: int = 1


class Point:
    """What is known where the next instruction goes.

    vars: the loop variables; in a vector loop the value of lane 0.
    locals: the kernel's named scalars, as far as they are computed.
    thread, threads: which of how many threads run the kernel.
    """

    def __init__(self, module: Module, kernel: Kernel, offsets: dict[Buffer, int]) -> None:
        self.kernel = kernel
        self.offsets = offsets
        self.f = Function(module, kernel.name, ARGS, comment=_comment(kernel))
        self.slots, self.arena, self.scratch, self.thread, self.threads = self.f.args
        if kernel.serial:
            self.thread, self.threads = self.f.i64(0), self.f.i64(1)
        self.vars: dict[Var, Value] = {}
        self.locals: dict[Local, Value] = {}
        self.lanes: Lanes | None = None

    @contextmanager
    def along(self, lanes: Lanes | None) -> Iterator[None]:
        """Write what is inside for these lanes."""
        outer, self.lanes = self.lanes, lanes
        yield
        self.lanes = outer

    def unflatten(self, variables: Sequence[Var], flat: Value) -> None:
        """Give loop variables their values from one number that counts through all of them."""
        for var in reversed(variables[1:]):
            size = self.f.i64(var.extent)
            self.vars[var] = self.f.urem(flat, size)
            flat = self.f.udiv(flat, size)
        if variables:
            self.vars[variables[0]] = flat


def _comment(kernel: Kernel) -> str:
    lines = [f"from {', '.join(kernel.lines[:4])}"] if kernel.lines else []
    return "\n".join([*lines, f"fuses {' '.join(kernel.fused)}"])
