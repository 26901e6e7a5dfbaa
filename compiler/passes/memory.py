"""Plans the arena: which kernel results share memory, and what each kernel needs of its own."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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

ALIGN = 64
SLACK = 64  # bytes after each value that a vector load may touch without using them


@dataclass(frozen=True)
class MemoryPlan:
    """Byte offsets of arena and scratch buffers, and how much of each there must be."""

    offsets: dict[Buffer, int]
    arena_bytes: int
    scratch_bytes: int


def plan_memory(kernels: Sequence[Kernel]) -> MemoryPlan:
    """Place every buffer: each in the lowest gap there is when it is first written."""
    last = {
        buffer.owner: number for number, kernel in enumerate(kernels) for buffer in kernel.buffers
    }
    offsets: dict[Buffer, int] = {}
    arena = _Arena()
    heirs: dict[Code, list[tuple[int, int]]] = {}
    for number, kernel in enumerate(kernels):
        if kernel.code not in heirs:
            heirs[kernel.code] = _heirs(kernel.code)
        touched = {buffer.owner for buffer in kernel.buffers}
        dying = {buffer for buffer in touched if last[buffer] == number}
        inherited = _reuse_in_place(kernel, heirs[kernel.code], dying, offsets)
        written = {buffer.owner for buffer in kernel.writes}
        for buffer in sorted(written, key=lambda item: (-item.size, item.name)):
            if buffer.place == "arena" and buffer not in offsets:
                offsets[buffer] = arena.take(_bytes(buffer))
        for buffer in dying - inherited:
            if buffer.place == "arena":
                arena.give_back(offsets[buffer], _end(buffer, offsets[buffer]))
    scratch = max([0, *(_place_scratch(kernel, offsets) for kernel in kernels)])
    for buffer in (buffer for kernel in kernels for buffer in kernel.buffers):
        if buffer.place == "arena" and buffer.whole is not None:
            offsets[buffer] = offsets[buffer.whole] + buffer.offset * buffer.dtype.size
    return MemoryPlan(offsets, arena.size, scratch)


def _place_scratch(kernel: Kernel, offsets: dict[Buffer, int]) -> int:
    """Place what a kernel needs of its own; return the bytes of all of it."""
    top = 0
    for buffer in kernel.buffers:
        if buffer.place == "scratch":
            offsets[buffer] = top
            top = _end(buffer, top)
    return top


class _Arena:
    """Memory of which parts are taken and given back."""

    def __init__(self) -> None:
        self.size = 0
        self._gaps: list[tuple[int, int]] = []  # free parts below size, (start, end), in order

    def take(self, size: int) -> int:
        """Return the lowest place where so many bytes are free."""
        for number, (start, end) in enumerate(self._gaps):
            if end - start >= size:
                self._gaps[number : number + 1] = (
                    [(start + size, end)] if end - start > size else []
                )
                return start
        start = self.size
        if self._gaps and self._gaps[-1][1] == self.size:
            start, _ = self._gaps.pop()
        self.size = start + size
        return start

    def give_back(self, start: int, end: int) -> None:
        """Free a part; it joins neighbours that are free."""
        first = after = bisect(self._gaps, (start, end))
        if first and self._gaps[first - 1][1] == start:
            first -= 1
            start = self._gaps[first][0]
        if after < len(self._gaps) and self._gaps[after][0] == end:
            end = self._gaps[after][1]
            after += 1
        self._gaps[first:after] = [(start, end)]


def _bytes(buffer: Buffer) -> int:
    size = buffer.size * buffer.dtype.size + SLACK
    return -(-size // ALIGN) * ALIGN


def _end(buffer: Buffer, start: int) -> int:
    return start + _bytes(buffer)


def _reuse_in_place(
    kernel: Kernel,
    heirs: Sequence[tuple[int, int]],
    dying: set[Buffer],
    offsets: dict[Buffer, int],
) -> set[Buffer]:
    """Give results the memory of arguments that die here; return these arguments."""
    inherited: set[Buffer] = set()
    for one, other in heirs:
        source, target = kernel.buffers[one], kernel.buffers[other]
        if source.place != "arena" or source not in dying or source in inherited:
            continue
        if target.whole is not None or _in_parts(source, kernel):
            continue
        same_size = target.size == source.size and target.dtype.size == source.dtype.size
        if target.place == "arena" and target not in offsets and same_size:
            offsets[target] = offsets[source]
            inherited.add(source)
    return inherited


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
            if one.place != other.place or one.slot != other.slot or one.place == "scratch":
                continue
            (start, end), (first, last) = _span(one, offsets), _span(other, offsets)
            if start < last and first < end:
                return True
    return False


def _span(buffer: Buffer, offsets: dict[Buffer, int]) -> tuple[int, int]:
    """Return the bytes of the arena, or of its slot, from which to which a buffer lies."""
    start = offsets[buffer] if buffer.place == "arena" else buffer.offset * buffer.dtype.size
    return start, start + buffer.size * buffer.dtype.size
