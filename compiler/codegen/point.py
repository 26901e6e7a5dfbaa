"""The point of a kernel at which code is being written: its function, its loops, its names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.kernel import Code
from jitnet.compiler.ir.loops import Buffer, Local
from jitnet.runtime.dataclass import dataclass

from .emitter import I64, PTR, Function, Module, Value
from .team import Claims, Team

ARGS = [("status", PTR), ("scratch", PTR), ("thread", I64), ("threads", I64)]
CLAIM_ARGS = [("team", PTR), ("number", I64)]  # after those, where parts are claimed


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
    team: the threads that run it.  turns: how often they share work out.
    """

    def __init__(self, module: Module, code: Code, offsets: Mapping[Buffer, int]) -> None:
        self.code = code
        given = arguments(code)
        names = [(f"b{number}", PTR) for number in range(len(given))]
        comment = ", ".join(f"b{number} {buffer}" for number, buffer in enumerate(given))
        args = [*ARGS, *CLAIM_ARGS] if code.claims else ARGS
        self.f = Function(module, code.name, [*args, *names], comment=comment)
        self.status, self.scratch, thread, threads, *others = self.f.args
        pointers = others[len(args) - len(ARGS) :]
        self._pointers = dict(zip(given, pointers, strict=True))
        self._offsets = offsets
        self._one = Team(self.f.i64(0), self.f.i64(1))
        self.team = self._one if code.serial else Team(thread, threads)
        if code.claims:
            self.team = Claims(thread, threads, *others[:2])
        self.turns = 1
        self.vars: dict[Var, Value] = {}
        self.locals: dict[Local, Value] = {}
        self.lanes: Lanes | None = None

    def pointer(self, buffer: Buffer) -> Value:
        """Return where a parameter of the code begins."""
        if buffer.place == "scratch":
            return self.f.gep(self.scratch, self.f.i64(self._offsets[buffer]))
        return self._pointers[buffer]

    @contextmanager
    def along(self, lanes: Lanes | None) -> Iterator[None]:
        """Write what is inside for these lanes."""
        outer, self.lanes = self.lanes, lanes
        yield
        self.lanes = outer

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Write what one thread does by itself: what is inside is not shared out again."""
        team, self.team = self.team, self._one
        yield
        self.team = team

    def unflatten(self, variables: Sequence[Var], flat: Value) -> None:
        """Give loop variables their values from one number that counts through all of them."""
        for var in reversed(variables[1:]):
            size = self.f.i64(var.extent)
            self.vars[var] = self.f.urem(flat, size)
            flat = self.f.udiv(flat, size)
        if variables:
            self.vars[variables[0]] = flat


def arguments(code: Code) -> list[Buffer]:
    """Return the parameters whose memory callers give; the others lie in the thread's scratch."""
    return [buffer for buffer in code.parameters if buffer.place != "scratch"]
