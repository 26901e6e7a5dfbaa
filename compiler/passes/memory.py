"""Plans the arena: which kernel results share memory, and what each kernel needs of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import (
    Buffer,
    Contract,
    For,
    Kernel,
    Load,
    Stmt,
    Store,
    loads,
    walk,
)

ALIGN = 64
SLACK = 64  # bytes after each value that a vector load may touch without using them


@dataclass(frozen=True)
class MemoryPlan:
    """Byte offsets of arena and scratch buffers, and how much of each there must be."""

    offsets: dict[Buffer, int]
    arena_bytes: int
    scratch_bytes: int


def plan_memory(kernels: Sequence[Kernel]) -> MemoryPlan:
    """Place every buffer, largest lifetime conflicts first come first placed."""
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for number, kernel in enumerate(kernels):
        for buffer in sorted(kernel.reads | kernel.writes, key=lambda item: item.name):
            first.setdefault(buffer, number)
            last[buffer] = number
    offsets: dict[Buffer, int] = {}
    for number, kernel in enumerate(kernels):
        _reuse_in_place(number, kernel, first, last, offsets)
        for buffer in sorted(kernel.writes, key=lambda item: (-item.size, item.name)):
            if buffer.place == "arena" and buffer not in offsets:
                offsets[buffer] = _lowest_gap(buffer, first, last, offsets)
    arena = max((_end(buffer, start) for buffer, start in offsets.items()), default=0)
    scratch = 0
    for kernel in kernels:
        top = 0
        for buffer in sorted(kernel.reads | kernel.writes, key=lambda item: item.name):
            if buffer.place == "scratch":
                offsets[buffer] = top
                top = _end(buffer, top)
        scratch = max(scratch, top)
    return MemoryPlan(offsets, arena, scratch)


def _bytes(buffer: Buffer) -> int:
    size = buffer.size * buffer.dtype.size + SLACK
    return -(-size // ALIGN) * ALIGN


def _end(buffer: Buffer, start: int) -> int:
    return start + _bytes(buffer)


def _lowest_gap(
    buffer: Buffer, first: dict[Buffer, int], last: dict[Buffer, int], offsets: dict[Buffer, int]
) -> int:
    """Return the lowest offset where buffer meets nobody who lives at the same time."""
    taken = sorted(
        (start, _end(other, start))
        for other, start in offsets.items()
        if other.place == "arena" and first[other] <= last[buffer] and last[other] >= first[buffer]
    )
    start = 0
    for low, high in taken:
        if start + _bytes(buffer) <= low:
            break
        start = max(start, high)
    return start


def _reuse_in_place(
    number: int,
    kernel: Kernel,
    first: dict[Buffer, int],
    last: dict[Buffer, int],
    offsets: dict[Buffer, int],
) -> None:
    """Give a result the memory of an argument that dies here, read only where it is written."""
    if any(isinstance(stmt, Contract) for stmt in walk(kernel.body)):
        return
    visits = list(_visits(kernel.body, ()))
    dying = [
        buffer
        for buffer in kernel.reads
        if buffer.place == "arena" and last[buffer] == number and buffer not in kernel.writes
    ]
    for buffer in sorted(dying, key=lambda item: item.name):
        for target in sorted(kernel.writes, key=lambda item: item.name):
            fits = target.place == "arena" and target not in offsets and first[target] == number
            same_size = target.size == buffer.size and target.dtype.size == buffer.dtype.size
            if fits and same_size and _read_before_written(visits, buffer, target):
                offsets[target] = offsets[buffer]
                break


def _visits(
    body: tuple[Stmt, ...], around: tuple[Var, ...]
) -> Iterator[tuple[Stmt, tuple[Var, ...]]]:
    """Yield each statement, in order, with the loops around it."""
    for stmt in body:
        if isinstance(stmt, For):
            yield from _visits(stmt.body, (*around, stmt.var))
        else:
            yield stmt, around


def _read_before_written(
    visits: list[tuple[Stmt, tuple[Var, ...]]], source: Buffer, target: Buffer
) -> bool:
    """Whether each element of source is read for the last time before it is written in target.

    So it is if one store writes target, once for each element, every read of source is at that
    store's place, and none comes in a later statement.
    """
    stores = [
        (position, stmt, around)
        for position, (stmt, around) in enumerate(visits)
        if isinstance(stmt, Store) and stmt.buffer is target
    ]
    if len(stores) != 1:
        return False
    position, store, around = stores[0]
    if any(var.extent > 1 and var not in store.index.vars for var in around):
        return False
    for number, (stmt, loops) in enumerate(visits):
        for load in loads((stmt,)):
            if load.buffer is not source:
                continue
            here = isinstance(load, Load) and load.index == store.index and loops == around
            if not here or number > position:
                return False
    return True


def conflicts(a: Kernel, b: Kernel, offsets: dict[Buffer, int]) -> bool:
    """Return whether one kernel writes memory that the other touches."""
    return _overlap(a.writes, b.reads | b.writes, offsets) or _overlap(a.reads, b.writes, offsets)


def _overlap(
    some: frozenset[Buffer], others: frozenset[Buffer], offsets: dict[Buffer, int]
) -> bool:
    for one in some:
        for other in others:
            if one is other:
                return one.place != "scratch"
            if one.place == other.place == "slot" and one.slot == other.slot:
                return True
            if one.place != "arena" or other.place != "arena":
                continue
            start, there = offsets[one], offsets[other]
            if start < _end(other, there) and there < _end(one, start):
                return True
    return False
