"""Which elements each thread touches of a kernel's buffers, where threads take equal parts.

What one thread has written, the same thread may read without waiting for the others. So kernels
that follow one another and share out the same rows, or the same columns, need no barrier between
them. That depends on how many threads there are: parts are cut at multiples of units, and a kernel
of 4 units and one of 32 are cut at the same places for 2 and 4 threads, not for 3. Answers are
therefore sets of team sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.ir.index import Index, Var, of
from jitnet.compiler.ir.kernel import Code
from jitnet.compiler.ir.loops import Buffer, Contract, For, Load, Stmt, Store, loads, walk
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.target import Target

from .loops import parallel_chain, vector_share
from .team import Shared
from .turned_copies import turned_copy

LARGEST = 63  # teams of so many threads or more are one case, that of number 0
SIZES = range(2, LARGEST)
NOBODY = 0  # no team: a set of sizes is the bits of an int
Table = NDArray[Any]
EVERY = sum(1 << size for size in SIZES) | 1  # size 1 never waits


@dataclass(frozen=True)
class Split:
    """What threads share out: the places of some loops, counted through.

    starts: the place at which each index of the work begins, and the end of all.
    """

    variables: tuple[Var, ...]
    work: Shared
    starts: Sequence[int]

    @property
    def count(self) -> int:
        """Places."""
        return self.starts[-1]

    @cached_property
    def cuts(self) -> Table:
        """Where the part of each thread begins, in a row for each size; then the end of all."""
        threads, sizes = np.arange(LARGEST), np.array(SIZES)[:, None]
        units = np.minimum(threads, sizes) * self.work.units // sizes
        found: Table = np.array(self.starts)[np.minimum(units * self.work.unit, self.work.count)]
        return found

    def cuts_like(self, other: Split) -> bool:
        """Whether the parts of any number of threads are cut at the same places."""
        mine, its = self.work, other.work
        return (mine.count, mine.unit, *self.starts) == (its.count, its.unit, *other.starts)


@dataclass(frozen=True)
class Part:
    """The bytes that a thread touches: low .. high, `step` further on for each place of the split.

    period: the same may be touched any number of these further on; 0: it is not.
    """

    split: Split
    low: int
    high: int
    step: int
    period: int

    @property
    def wraps(self) -> bool:
        """Whether what lies in one period crosses its end."""
        return self.period > 0 and self.high + self.step * (self.split.count - 1) > self.period

    def moved(self, offset: int) -> Part:
        """Return the part with bytes counted from so many before the buffer."""
        low, high = self.low + offset, self.high + offset
        whole = low // self.period * self.period if self.period else 0
        return replace(self, low=low - whole, high=high - whole)

    def ranges(self) -> tuple[Table, Table, Table]:
        """Return the first byte of each thread, the one behind its last, and whether it has any."""
        cuts = self.split.cuts
        start, stop = cuts[:, :-1], cuts[:, 1:]
        return self.low + self.step * start, self.high + self.step * (stop - 1), start < stop


Parts = Mapping[Buffer, tuple[Part, ...] | None]  # None: any thread may touch anything


@lru_cache(maxsize=4096)
def sizes_that_meet(one: Part, other: Part) -> int:
    """Return the team sizes of which two threads touch the same bytes, each in its part."""
    if one.period != other.period or one.wraps or other.wraps:
        return EVERY
    cells = {place // one.step for part in (one, other) for place in (part.low, part.high - 1)}
    if one.step == other.step and len(cells) == 1 and one.split.cuts_like(other.split):
        return NOBODY
    ranges = one.ranges(), other.ranges()
    meet = _passes(*ranges) | _passes(*ranges[::-1])
    return sum(1 << size for size, each in zip(SIZES, meet, strict=True) if each) | 1


def _passes(some: tuple[Table, ...], others: tuple[Table, ...]) -> Table:
    """Return for each size whether a thread's range ends after one of a later thread begins."""
    _, stop, any_bytes = some
    reached = np.maximum.accumulate(np.where(any_bytes, stop, -1), axis=1)[:, :-1]
    start, _, wanted = (each[:, 1:] for each in others)
    found: Table = np.any(wanted & (reached > start), axis=1)
    return found


@lru_cache(maxsize=4096)
def parts_of(code: Code, target: Target) -> Parts:
    """Return which part of each parameter a thread touches."""
    unknown: Parts = dict.fromkeys(code.parameters)
    if code.serial or code.claims or len(code.body) != 1:
        return unknown
    (stmt,) = code.body
    found = _shared_out(stmt, target)
    if found is None:
        return unknown
    split, stmt = found
    parts: dict[Buffer, list[Part] | None] = {}
    for buffer, index in _accesses(stmt):
        part = None if index is None else _part(split, index, buffer.dtype.size)
        known = parts.setdefault(buffer, [])
        if part is None:
            parts[buffer] = None
        elif known is not None:
            known.append(part)
    return {
        buffer: None if each is None else tuple(dict.fromkeys(each))
        for buffer, each in parts.items()
    }


def _shared_out(stmt: Stmt, target: Target) -> tuple[Split, Stmt] | None:
    """Return what threads share out of a statement, and the statement that is then written."""
    if isinstance(stmt, Contract):
        from .contract import as_loops, uses_tiles  # late: loading it takes 5 ms

        if uses_tiles(stmt, target):
            return _shared_tiles(stmt, target)
        stmt = as_loops(stmt)
    if not isinstance(stmt, For):
        return None
    if stmt.kind == "parallel":
        chain = parallel_chain(stmt)
        if turned_copy(chain, target) is not None:
            return None  # squares are shared out, not places of the loops
        variables = tuple(loop.var for loop in chain)
        count = prod(var.extent for var in variables)
        return Split(variables, Shared(count), range(count + 1)), stmt
    if stmt.kind == "parallel vector":
        return Split((stmt.var,), vector_share(stmt, target), range(stmt.var.extent + 1)), stmt
    return None


def _shared_tiles(stmt: Contract, target: Target) -> tuple[Split, Stmt]:
    from .contract import streams
    from .contraction_affine import first_columns
    from .contraction_choice import plan
    from .orientation import contraction_of, oriented

    stmt = oriented(stmt, target)
    decided = plan(contraction_of(stmt), target, streams=streams(stmt, target))
    work, _ = decided.shared(decided.split)
    sides = {"batch": stmt.batch, "rows": stmt.rows, "columns": stmt.columns}
    if decided.turned:
        sides |= {"rows": stmt.columns, "columns": stmt.rows}
    by_line = decided.split == "columns"
    starts = first_columns(decided.lines) if by_line else range(work.count + 1)
    return Split(sides[decided.split], work, starts), stmt


def _accesses(stmt: Stmt) -> Iterator[tuple[Buffer, Index | None]]:
    """Yield what a statement touches of memory that threads share, and where; None: anywhere."""
    for part in walk((stmt,)):
        if isinstance(part, Store) and part.buffer.place != "scratch":
            yield part.buffer, part.index
    for load in loads((stmt,)):
        if load.buffer.place == "scratch":
            continue
        if isinstance(load, Load):
            yield load.buffer, load.index
        elif not isinstance(stmt, Contract) or load.buffer not in (stmt.a.buffer, stmt.b.buffer):
            yield load.buffer, None
    if isinstance(stmt, Contract):
        for item, outer in ((stmt.a, stmt.rows), (stmt.b, stmt.columns)):
            variables = (*stmt.batch, *outer, *stmt.inner)
            steps = (*item.batch, *item.outer, *item.inner)
            index = Index(item.offset)
            for var, step in zip(variables, steps, strict=True):
                index = index + of(var) * step
            yield item.buffer, index


def _part(split: Split, index: Index, size: int) -> Part | None:
    """Return the part of a buffer that an access touches; None if parts of threads may meet."""
    step = _step(split.variables, index)
    if step is None or step <= 0:
        return None
    others = [(atom, factor) for atom, factor in index.terms if atom not in split.variables]
    span = step * split.count
    far = [factor for _, factor in others if abs(factor) >= span]
    near = Index(index.const, tuple(term for term in others if abs(term[1]) < span))
    low, high = near.bounds
    period = gcd(*far)
    if high - low >= step or (period and span + high - low - step >= period):
        return None
    return Part(split, low * size, (high + 1) * size, step * size, period * size)


def _step(variables: Sequence[Var], index: Index) -> int | None:
    """Return by how much an index grows for each place of a split; None if it is not even."""
    step, places = None, 1
    for var in reversed(variables):
        if var.extent == 1:
            continue
        factor = index.coefficient(var)
        if factor is None:
            return None
        if step is None:
            step, places = factor, var.extent
        elif factor != step * places:
            return None
        else:
            places *= var.extent
    return step
