"""Plans the arena: which kernel results share memory, and what each kernel needs of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np

from jitnet.compiler.ir.index import Index, Var
from jitnet.compiler.ir.kernel import Code, Kernel
from jitnet.compiler.ir.loops import (
    Buffer,
    Contract,
    For,
    Load,
    Stmt,
    Store,
    loads,
    walk,
)
from jitnet.runtime.dataclass import dataclass

ALIGN = 64
SMALL = 1 << 16  # bytes of a value whose memory may wait for a barrier before it is used again
SLACK = 64  # bytes after each value that a vector load may touch without using them


@dataclass(frozen=True)
class MemoryPlan:
    """Byte offsets of arena and scratch buffers, and how much of each there must be.

    live_bytes: the most that is needed at one time, which no arena can be smaller than.
    """

    offsets: dict[Buffer, int]
    arena_bytes: int
    live_bytes: int
    scratch_bytes: int


@dataclass(eq=False)
class _Region:
    """A part of the arena: how many bytes, and the first and last kernel that need them."""

    size: int
    first: int
    last: int


def plan_memory(kernels: Sequence[Kernel], ends: Sequence[int] = ()) -> MemoryPlan:
    """Place every buffer; results take the memory of arguments that die with them, where they may.

    The largest regions are placed first, each at the lowest place that is free for its lifetime.
    ends: for each kernel the last one before the next barrier. What is small stays until then, lest
    using its memory again takes a barrier more.
    """
    region_of = _regions(kernels)
    regions = list(dict.fromkeys(region_of.values()))
    for region in regions if ends else ():
        if region.size <= SMALL:
            region.last = ends[region.last]
    regions.sort(key=lambda region: (-region.size, region.first))
    places = _places(regions)
    offsets = {buffer: places[region] for buffer, region in region_of.items()}
    arena = max((start + region.size for region, start in places.items()), default=0)
    scratch = max([0, *(_place_scratch(kernel, offsets) for kernel in kernels)])
    for buffer in (buffer for kernel in kernels for buffer in kernel.buffers):
        if buffer.place == "arena" and buffer.whole is not None:
            offsets[buffer] = offsets[buffer.whole] + buffer.offset * buffer.dtype.size
    return MemoryPlan(offsets, arena, _most_live(regions), scratch)


def _most_live(regions: Sequence[_Region]) -> int:
    """Return the bytes of the regions that are needed at the fullest time."""
    changes: dict[int, int] = defaultdict(int)
    for region in regions:
        changes[region.first] += region.size
        changes[region.last + 1] -= region.size
    return max(accumulate(changes[time] for time in sorted(changes)), default=0)


def _regions(kernels: Sequence[Kernel]) -> dict[Buffer, _Region]:
    """Return the region of each whole buffer in the arena."""
    last = {
        buffer.owner: number for number, kernel in enumerate(kernels) for buffer in kernel.buffers
    }
    heirs: dict[Code, list[tuple[int, int]]] = {}
    found: dict[Buffer, _Region] = {}
    for number, kernel in enumerate(kernels):
        if kernel.code not in heirs:
            heirs[kernel.code] = _heirs(kernel.code)
        touched = list(dict.fromkeys(buffer.owner for buffer in kernel.buffers))
        dying = {buffer for buffer in touched if last[buffer] == number}
        for one, other in heirs[kernel.code]:
            source, target = kernel.buffers[one], kernel.buffers[other]
            if source in dying and target not in found and _may_inherit(kernel, source, target):
                dying.remove(source)
                found[target] = found[source]
                found[target].last = last[target]
        for buffer in touched:
            if buffer.place == "arena" and buffer not in found:
                found[buffer] = _Region(_bytes(buffer), number, last[buffer])
    return found


def _may_inherit(kernel: Kernel, source: Buffer, target: Buffer) -> bool:
    """Whether a result fits the memory of an argument: both whole, of one size."""
    if source.place != "arena" or target.place != "arena":
        return False
    if target.whole is not None or _in_parts(source, kernel):
        return False
    return target.size == source.size and target.dtype.size == source.dtype.size


def _places(regions: Sequence[_Region]) -> dict[_Region, int]:
    """Return where each region begins, the first ones placed first."""
    places: dict[_Region, int] = {}
    first, last, start, end = np.zeros((4, len(regions)), np.int64)
    for number, region in enumerate(regions):
        meets = (first[:number] <= region.last) & (last[:number] >= region.first)
        low, high = start[:number][meets], end[:number][meets]
        order = np.argsort(low)
        taken = np.maximum.accumulate(np.concatenate(([0], high[order])))
        gaps = np.append(low[order], np.iinfo(np.int64).max) - taken
        place = int(taken[np.argmax(gaps >= region.size)])
        first[number], last[number] = region.first, region.last
        start[number], end[number] = place, place + region.size
        places[region] = place
    return places


def _place_scratch(kernel: Kernel, offsets: dict[Buffer, int]) -> int:
    """Place what a kernel needs of its own; return the bytes of all of it."""
    top = 0
    for buffer in kernel.buffers:
        if buffer.place == "scratch":
            offsets[buffer] = top
            top = _end(buffer, top)
    return top


def _bytes(buffer: Buffer) -> int:
    size = buffer.size * buffer.dtype.size + SLACK
    return -(-size // ALIGN) * ALIGN


def _end(buffer: Buffer, start: int) -> int:
    return start + _bytes(buffer)


def _in_parts(buffer: Buffer, kernel: Kernel) -> bool:
    """Whether a kernel also touches a buffer, or the one it is part of, by another name."""
    return sum(1 for each in kernel.buffers if each.owner is buffer.owner) > 1


@dataclass(frozen=True)
class _Visit:
    """One access of a buffer: the statement's number, where, in which loops.

    index: None for a read that is not of one element.
    """

    position: int
    index: Index | None
    loops: tuple[Var, ...]


def _heirs(code: Code) -> list[tuple[int, int]]:
    """Return which parameters may be read and written in one place: numbers (source, target).

    The source's elements must all be read before the target's are written there.
    """
    if any(isinstance(stmt, Contract) for stmt in walk(code.body)):
        return []
    reads: dict[Buffer, list[_Visit]] = {}
    stores: dict[Buffer, list[_Visit]] = {}
    for position, (stmt, loops) in enumerate(_visits(code.body, ())):
        if isinstance(stmt, Store):
            stores.setdefault(stmt.buffer, []).append(_Visit(position, stmt.index, loops))
        for load in loads((stmt,)):
            index = load.index if isinstance(load, Load) else None
            reads.setdefault(load.buffer, []).append(_Visit(position, index, loops))
    numbers = {buffer: number for number, buffer in enumerate(code.parameters)}
    return [
        (numbers[source], numbers[target])
        for source in code.parameters
        for target in code.parameters
        if target in stores
        and source not in stores
        and _read_before_written(reads.get(source, []), stores[target])
    ]


def _visits(
    body: tuple[Stmt, ...], around: tuple[Var, ...]
) -> Iterator[tuple[Stmt, tuple[Var, ...]]]:
    """Yield each statement, in order, with the loops around it."""
    for stmt in body:
        if isinstance(stmt, For):
            yield from _visits(stmt.body, (*around, stmt.var))
        else:
            yield stmt, around


def _read_before_written(reads: Sequence[_Visit], stores: Sequence[_Visit]) -> bool:
    """Whether each element of one buffer is read for the last time before it is written in another.

    So it is if one store writes the other, once for each element, every read is at that store's
    place, and none comes in a later statement.
    """
    if len(stores) != 1:
        return False
    (store,) = stores
    assert store.index is not None
    if any(var.extent > 1 and var not in store.index.vars for var in store.loops):
        return False
    return all(
        read.index == store.index and read.loops == store.loops and read.position <= store.position
        for read in reads
    )


def conflicts(a: Kernel, b: Kernel, offsets: Mapping[Buffer, int]) -> bool:
    """Return whether one kernel writes memory that the other touches."""
    return _overlap(a.writes, b.reads | b.writes, offsets) or _overlap(a.reads, b.writes, offsets)


def _overlap(
    some: frozenset[Buffer], others: frozenset[Buffer], offsets: Mapping[Buffer, int]
) -> bool:
    return any(common(one, other, offsets) for one in some for other in others)


def common(one: Buffer, other: Buffer, offsets: Mapping[Buffer, int]) -> tuple[int, int] | None:
    """Return where two buffers begin, in bytes of the memory that they share; None if none.

    offsets: of buffers in the arena; each of those that are missing is memory of its own.
    """
    if "scratch" in (one.place, other.place) or one.place != other.place or one.slot != other.slot:
        return None
    if one.place == "arena" and one not in offsets and one.owner is not other.owner:
        return None
    start, first = (_start(buffer, offsets) for buffer in (one, other))
    stop, last = start + one.size * one.dtype.size, first + other.size * other.dtype.size
    return (start, first) if start < last and first < stop else None


def _start(buffer: Buffer, offsets: Mapping[Buffer, int]) -> int:
    return offsets.get(buffer, buffer.offset * buffer.dtype.size)
