"""How threads share the work of a kernel: in equal parts, or claimed part by part as they work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.pool_layout import CLAIM, MOST_UNITS

from .emitter import I64, PTR, Function, Value


@dataclass(frozen=True)
class Range:
    """A range of flat indices: from start, before stop."""

    start: Value
    stop: Value


@dataclass(frozen=True)
class Shared:
    """Work that threads share: 0 .. count, cut at multiples of a unit.

    least, most: units that are claimed together: fewer cost too much, more are not begun together.
    """

    count: int
    unit: int = 1
    least: int = 1
    most: int = MOST_UNITS

    @property
    def units(self) -> int:
        """How many there are; the last may be smaller."""
        return -(-self.count // self.unit)


@dataclass(frozen=True)
class Team:
    """The threads of a kernel, each of which takes an equal part."""

    thread: Value
    threads: Value

    @property
    def claims(self) -> bool:
        """Whether parts are claimed."""
        return False

    @contextmanager
    def parts(self, f: Function, work: Shared, turn: Value) -> Iterator[Range]:
        """Write what is inside for this thread's part; turn: how often threads have shared before.

        Turns count up to what `expect` was told. What claims write is a loop, and so may run often
        or never; a part may be empty.
        """

        def cut(index: Value) -> Value:
            at = f.udiv(f.mul(f.i64(work.units), index), self.threads)  # as Split.cuts says
            return f.minimum(f.mul(at, f.i64(work.unit)), f.i64(work.count))

        yield Range(cut(self.thread), cut(f.add(self.thread, f.i64(1))))


@dataclass(frozen=True)
class Claims(Team):
    """Threads that claim parts while they work, so that one which is held up gets less.

    Each begins with the part that it would have of equal ones, and goes on with what others have
    not begun (runtime/claim_ir.py). number: of the kernel's first turn among those of a program.
    """

    team: Value
    number: Value

    @property
    def claims(self) -> bool:
        """Whether parts are claimed."""
        return True

    @contextmanager
    def parts(self, f: Function, work: Shared, turn: Value) -> Iterator[Range]:
        """Write a loop over the parts that this thread claims."""
        coarser = -(-work.units // MOST_UNITS)
        unit, units = work.unit * coarser, -(-work.units // coarser)
        f.module.declare(CLAIM, I64, [PTR, *[I64] * 6])
        bounds = [f.i64(units), f.i64(work.least), f.i64(min(work.most, units))]
        which = f.add(self.number, turn)

        def claim() -> Value:
            asked = [self.team, which, *bounds, self.thread, self.threads]
            claimed = f.call(CLAIM, asked, I64)
            assert claimed is not None
            return claimed

        def some(state: list[Value]) -> Value:
            return f.compare("icmp ne", state[0], f.i64(0))

        with f.while_(some, [claim()]) as turns:
            start = f.binary("and", turns.carried[0], f.i64((1 << 32) - 1))
            stop = f.binary("lshr", turns.carried[0], f.i64(32))
            end = f.minimum(f.mul(stop, f.i64(unit)), f.i64(work.count))
            yield Range(f.mul(start, f.i64(unit)), end)
            turns.carry = [claim()]
