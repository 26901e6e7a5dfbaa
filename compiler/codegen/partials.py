"""Open accumulators: each is begun empty, starts at the loop that feeds it, and ends after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from jitnet.compiler.ir.loops import Accumulate, Begin, For, Local, walk
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

from . import accumulate
from .emitter import Function, Value


@dataclass
class Partial:
    """An accumulator's values so far, as accumulate.py defines them; none before its loop."""

    fn: str
    dtype: DType
    values: list[Value] = field(default_factory=list)

    @property
    def lanes(self) -> int:
        """How many results are accumulated side by side."""
        return self.values[0].lanes


class Partials:
    """The accumulators that are open at a point, by the name of their result."""

    def __init__(self, f: Function) -> None:
        self.f = f
        self._open: dict[Local, Partial] = {}

    def begin(self, stmt: Begin) -> None:
        """Open an accumulator."""
        self._open[stmt.local] = Partial(stmt.fn, stmt.dtype)

    def waiting(self, loop: For) -> list[Local]:
        """Return what a loop accumulates into that has not started."""
        return [local for local in self._fed(loop) if not self._open[local].values]

    def running(self, loop: For) -> list[Partial]:
        """Return what a loop accumulates into that has started."""
        return [self._open[local] for local in self._fed(loop) if self._open[local].values]

    def _fed(self, loop: For) -> Iterator[Local]:
        found = dict.fromkeys(s.local for s in walk((loop,)) if isinstance(s, Accumulate))
        return (local for local in found if local in self._open)

    def start(self, local: Local, lanes: int) -> None:
        """Set an accumulator to that of nothing yet."""
        self.restart(self._open[local], lanes)

    def restart(self, partial: Partial, lanes: int) -> None:
        """Set an accumulator back to that of nothing yet."""
        partial.values = accumulate.start(self.f, partial.fn, partial.dtype, lanes)

    def add(self, local: Local, items: Sequence[Value]) -> None:
        """Accumulate a value (and its position), spread to the lanes there are."""
        partial = self._open[local]
        spread = [self.f.splat(item, partial.lanes) for item in items]
        partial.values = accumulate.combine(
            self.f, partial.fn, partial.values, spread, partial.dtype
        )

    def join(self, partial: Partial, before: list[Value]) -> None:
        """Put what a remainder's fewer lanes have accumulated together with what was before."""
        lanes, rest = before[0].lanes, partial.lanes
        if lanes == rest:
            return
        nothing = accumulate.start(self.f, partial.fn, partial.dtype, rest)
        picks = [*range(rest), *([rest] * (lanes - rest))]
        values = [
            self.f.shuffle(value, empty, picks)
            for value, empty in zip(partial.values, nothing, strict=True)
        ]
        partial.values = accumulate.combine(self.f, partial.fn, before, values, partial.dtype)

    def finish(self, local: Local, fold: bool) -> Value:
        """Close an accumulator and return its result; fold: put its lanes together."""
        partial = self._open.pop(local)
        if fold:
            partial.values = accumulate.fold(self.f, partial.fn, partial.values, partial.dtype)
        return partial.values[-1]


def values_of(partials: Sequence[Partial]) -> list[Value]:
    """Return the values of all, one after the other, as a loop carries them."""
    return [value for partial in partials for value in partial.values]


def assign(partials: Sequence[Partial], values: Sequence[Value]) -> None:
    """Set the values of all from `values_of` of them."""
    rest = iter(values)
    for partial in partials:
        partial.values = [next(rest) for _ in partial.values]
