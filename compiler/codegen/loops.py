"""Loops: between threads, along vector lanes, unrolled or one turn after the other.

A vector loop's remainder is the same body once more with as many lanes as are left, so there are no
masks but those the program asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from jitnet.compiler.ir.loops import For, Stmt, walk
from jitnet.runtime.target import Target

from .emitter import Value
from .expressions import Expressions
from .partials import Partials, assign, values_of
from .point import Lanes, Point
from .team import Range, Shared
from .turned_copies import turned_copy, write_turned_copy
from .width import is_long, width_of

LEAST_SHARE = 64  # elements of a vector loop below which a thread's part is not cut


class Loops:
    """Writes loops at a point; statements: writes the statements of a body."""

    def __init__(
        self,
        point: Point,
        expressions: Expressions,
        partials: Partials,
        statements: Callable[[Sequence[Stmt]], None],
    ) -> None:
        self.f = point.f
        self._point = point
        self._expressions = expressions
        self._partials = partials
        self._statements = statements

    def write(self, loop: For) -> None:
        """Write a loop, and around it the start and the end of what it is first to accumulate."""
        waiting = self._partials.waiting(loop)
        lanes = self._point.lanes
        vector = None if lanes else _vector_loop(loop)
        width = lanes.count if lanes else 1
        if vector is not None and waiting:
            width = width_of(vector, self.f.target)
        for local in waiting:
            self._partials.start(local, width)
        self._counted(loop)
        for local in waiting:
            self._point.locals[local] = self._partials.finish(local, fold=vector is not None)

    def _counted(self, loop: For) -> None:
        zero, end = self.f.i64(0), self.f.i64(loop.var.extent)
        match loop.kind:
            case "serial":
                self._serial(loop, zero, end)
            case "unroll":
                for step in range(loop.var.extent):
                    self._turn(loop, self.f.i64(step))
            case "vector":
                self._full_vectors(loop, zero, end)
                self._remainder(loop)
            case "parallel":
                self._parallel(loop)
            case "parallel vector":
                self._parallel_vector(loop)
            case other:
                raise AssertionError(other)

    def _turn(self, loop: For, at: Value) -> None:
        with self._expressions.scope():
            self._point.vars[loop.var] = at
            self._statements(loop.body)

    def _serial(
        self, loop: For, start: Value, stop: Value, step: int = 1, lanes: Lanes | None = None
    ) -> None:
        """Write a loop that carries the accumulators which its body updates."""
        partials = self._partials.running(loop)
        long = lanes is not None and is_long(loop)
        with self.f.loop(start, stop, step, values_of(partials), interleave=long) as turns:
            assign(partials, turns.carried)
            with self._point.along(lanes or self._point.lanes):
                self._turn(loop, turns.index)
            turns.carry = values_of(partials)
        assign(partials, turns.results)

    # -- vectors ----------------------------------------------------------------------------

    def _full_vectors(self, loop: For, start: Value, stop: Value) -> None:
        """Write start .. stop, up to the last multiple of the width."""
        width = width_of(loop, self.f.target)
        whole = loop.var.extent - loop.var.extent % width
        if whole:
            stop = self.f.minimum(stop, self.f.i64(whole))
            multiple = math.gcd(width, max(width, LEAST_SHARE))
            self._serial(loop, start, stop, width, Lanes(loop.var, width, multiple))

    def _remainder(self, loop: For) -> None:
        """Write what is left after the last multiple of the width."""
        count = loop.var.extent % width_of(loop, self.f.target)
        if not count:
            return
        partials = self._partials.running(loop)
        before = [partial.values for partial in partials]
        for partial in partials:
            if partial.lanes != count:
                self._partials.restart(partial, count)
        first = loop.var.extent - count
        with self._point.along(Lanes(loop.var, count, first)):
            self._turn(loop, self.f.i64(first))
        for partial, values in zip(partials, before, strict=True):
            self._partials.join(partial, values)

    # -- threads ----------------------------------------------------------------------------

    def _parts(self, work: Shared) -> AbstractContextManager[Range]:
        """Write what is inside for this thread's parts of some work."""
        return self._point.team.parts(self.f, work, self.f.i64(0))

    def _parallel(self, loop: For) -> None:
        """Write nested parallel loops as one, split between the threads."""
        chain = parallel_chain(loop)
        copy = turned_copy(chain, self.f.target)
        if copy is not None:
            write_turned_copy(copy, self._point, self._expressions)
            return
        if self._point.code.serial:
            self._nested(chain)
            return
        variables = [item.var for item in chain]
        total = math.prod(var.extent for var in variables)
        if total == 0:
            return
        with (
            self._parts(Shared(total)) as part,
            self.f.loop(part.start, part.stop, may_be_empty=True) as turns,
            self._expressions.scope(),
        ):
            self._point.unflatten(variables, turns.index)
            with self._point.alone():
                self._statements(chain[-1].body)

    def _nested(self, chain: list[For]) -> None:
        """Write parallel loops one inside the other, for the one thread there is."""
        head, *rest = chain
        end = self.f.i64(head.var.extent)
        with self.f.loop(self.f.i64(0), end) as turns, self._expressions.scope():
            self._point.vars[head.var] = turns.index
            if rest:
                self._nested(rest)
            else:
                self._statements(head.body)

    def _parallel_vector(self, loop: For) -> None:
        """Write a vector loop split between the threads; who has the end does the remainder."""
        f, point = self.f, self._point
        width = width_of(loop, f.target)
        with self._parts(vector_share(loop, f.target)) as part:
            self._full_vectors(loop, part.start, part.stop)
            if point.code.serial:
                self._remainder(loop)
                return
            assert not self._partials.running(loop), "accumulators do not cross threads"
            if loop.var.extent % width:
                last = f.compare("icmp eq", part.stop, f.i64(loop.var.extent))
                with f.when(last):
                    self._remainder(loop)


def parallel_chain(loop: For) -> list[For]:
    """Return the parallel loops that threads share out as one: each the whole body of the last."""
    chain = [loop]
    while len(chain[-1].body) == 1:
        inner = chain[-1].body[0]
        if not isinstance(inner, For) or inner.kind != "parallel":
            break
        chain.append(inner)
    return chain


def vector_share(loop: For, target: Target) -> Shared:
    """Return how threads share out a parallel vector loop."""
    return Shared(loop.var.extent, max(width_of(loop, target), LEAST_SHARE))


def _vector_loop(loop: For) -> For | None:
    """Return the outermost vector loop of a loop, which may be itself."""
    return next((s for s in walk((loop,)) if isinstance(s, For) and s.kind == "vector"), None)
