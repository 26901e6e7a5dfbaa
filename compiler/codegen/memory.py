"""Loads and stores: one element, neighbouring ones as a vector, others lane by lane."""

from __future__ import annotations

from collections.abc import Iterator

from jitnet.compiler.ir.index import Index
from jitnet.compiler.ir.loops import Buffer, Fetch, Load, Store

from .emitter import I64, Function, Value, vector
from .indices import Indices
from .masks import masked_load
from .math import emit_scalar, from_memory, to_memory
from .point import Point
from .strided import load_every, load_repeated, spans, store_every, stores_span

LINE = 64  # bytes of a cache line


class Memory:
    """Writes the accesses at a point; bools and floats of 16 bits are computed with as others."""

    def __init__(self, point: Point, indices: Indices) -> None:
        self.f = point.f
        self._point = point
        self._indices = indices
        self._written = point.code.writes

    def address(self, buffer: Buffer, index: Index) -> Value:
        """Return the address of an element; parts known further out are added further out."""
        pointer = self._point.pointer(buffer)
        by_depth: dict[int, Value] = {}
        for atom, factor in index.terms:
            term = self.f.mul(self._indices.atom(atom), self.f.i64(factor))
            known = by_depth.get(term.depth)
            by_depth[term.depth] = term if known is None else self.f.add(known, term)
        for depth in sorted(by_depth):
            pointer = self.f.gep(pointer, by_depth[depth], buffer.dtype.llvm)
        return self.f.gep(pointer, self.f.i64(index.const), buffer.dtype.llvm)

    # -- loads ------------------------------------------------------------------------------

    def load(self, load: Load) -> Value:
        """Return what a Load reads: a vector where lanes differ, else a scalar."""
        mask = self._indices.mask(load.conditions)
        factor = self._indices.lane_factor(load.index)
        if factor == 0 and (mask is None or mask.lanes == 1):
            pointer = self._guarded(self.address(load.buffer, load.index), mask)
            loaded = self._plain(load, pointer, 1)
        elif factor == 1:
            loaded = self._neighbours(load, load.index, mask)
        elif factor == -1:
            first = load.index + (1 - self._count())
            backwards = None if mask is None else _reversed(self.f, mask)
            loaded = _reversed(self.f, self._neighbours(load, first, backwards))
        else:
            loaded = self._gather(load, mask, factor)
        return from_memory(self.f, loaded, load.dtype)

    def _count(self) -> int:
        assert self._point.lanes is not None
        return self._point.lanes.count

    def _plain(self, load: Load, pointer: Value, lanes: int) -> Value:
        constant = load.buffer not in self._written
        return self.f.load(pointer, vector(load.dtype.llvm, lanes), load.dtype.size, constant)

    def _neighbours(self, load: Load, first: Index, mask: Value | None) -> Value:
        """Load as many elements as there are lanes, in the order of memory."""
        lanes = self._count()
        pointer = self.address(load.buffer, first)
        if mask is None or mask.lanes == 1:
            return self._plain(load, self._guarded(pointer, mask), lanes)
        type_ = vector(load.dtype.llvm, lanes)
        return masked_load(self.f, pointer, mask, type_, load.dtype.size)

    def _gather(self, load: Load, mask: Value | None, factor: int | None) -> Value:
        """Load lanes that lie apart: within a short span together, else one by one."""
        f, lanes, dtype = self.f, self._count(), load.dtype
        constant = load.buffer not in self._written
        same = mask is None or mask.lanes == 1
        times = self._indices.lane_repeats(load.index) if factor is None and same else 1
        if times > 1:
            pointer = self._guarded(self.address(load.buffer, load.index), mask)
            return load_repeated(f, pointer, dtype, lanes, times, constant)
        if factor is not None and same and spans(dtype, lanes, factor):
            pointer = self._guarded(self.address(load.buffer, load.index), mask)
            return load_every(f, pointer, dtype, lanes, factor, constant)
        if factor is not None and same:
            pointers = [self.address(load.buffer, load.index + factor * k) for k in range(lanes)]
            pointers = [self._guarded(pointer, mask) for pointer in pointers]
        else:
            index = self._indices.vector(load.index)
            if mask is not None:
                index = f.select(f.splat(mask, lanes), index, f.const(index.type, 0))
            pointers = list(self._scattered(load.buffer, index))
        result = Value("poison", vector(load.dtype.llvm, lanes))
        for lane, pointer in enumerate(pointers):
            result = f.insert(result, self._plain(load, pointer, 1), lane)
        return result

    def _scattered(self, buffer: Buffer, index: Value) -> Iterator[Value]:
        """Yield one address for each lane of an index."""
        base = self._point.pointer(buffer)
        for lane in range(index.lanes):
            yield self.f.gep(base, self.f.extract(index, lane), buffer.dtype.llvm)

    def _guarded(self, pointer: Value, condition: Value | None) -> Value:
        """Return the pointer, or one to zeros where the condition does not hold."""
        if condition is None:
            return pointer
        zeros = self.f.module.constant_array(I64, [0] * 64)
        return self.f.select(condition, pointer, zeros)

    # -- stores -----------------------------------------------------------------------------

    def store(self, stmt: Store, value: Value) -> None:
        """Write what a Store does with the value of its expression."""
        point, f = self._point, self.f
        factor = self._indices.lane_factor(stmt.index)
        lanes = point.lanes.count if point.lanes and factor != 0 else 1
        value = f.splat(value, lanes)
        match factor:
            case 0 | 1:
                self._put(stmt, self.address(stmt.buffer, stmt.index), value)
            case -1:
                first = self.address(stmt.buffer, stmt.index + (1 - lanes))
                self._put(stmt, first, _reversed(f, value))
            case int() if not stmt.accumulate and stores_span(f, stmt.buffer.dtype, lanes, factor):
                stored = to_memory(f, value, stmt.buffer.dtype)
                pointer = self.address(stmt.buffer, stmt.index)
                store_every(f, stored, pointer, stmt.buffer.dtype, factor)
            case _:
                pointers = self._scattered(stmt.buffer, self._indices.vector(stmt.index))
                for lane, pointer in enumerate(pointers):
                    self._put(stmt, pointer, f.extract(value, lane))

    def _put(self, stmt: Store, pointer: Value, value: Value) -> None:
        f, dtype = self.f, stmt.buffer.dtype
        if stmt.accumulate:
            before = f.load(pointer, vector(dtype.llvm, value.lanes), dtype.size)
            value = emit_scalar(f, "add", [from_memory(f, before, dtype), value], dtype)
        f.store(to_memory(f, value, dtype), pointer, dtype.size)

    def fetch(self, stmt: Fetch) -> None:
        """Fetch the cache lines that the lanes, neighbours in memory, are going to write."""
        size = self._count() * stmt.buffer.dtype.size
        first = self.address(stmt.buffer, stmt.index)
        for start in range(0, size, LINE):
            self.f.prefetch(self.f.gep(first, self.f.i64(start)), write=True)


def _reversed(f: Function, value: Value) -> Value:
    return f.shuffle(value, None, list(reversed(range(value.lanes))))
