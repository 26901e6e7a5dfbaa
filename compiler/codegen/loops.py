"""Renders a Kernel as one LLVM function: loops, vectors, accumulators, loads and stores.

Inside a vector loop an expression is a vector if its elements differ between lanes and a scalar if
they do not; scalars are spread only where they meet vectors. A loop's remainder is the same body
once more with as many lanes as are left, so there are no masks but those the program asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from jitnet.compiler.ir.index import Atom, FloorDiv, Index, Lookup, Mod, Var
from jitnet.compiler.ir.loops import (
    Accumulate,
    Apply,
    Begin,
    Bound,
    Buffer,
    Check,
    Const,
    Contract,
    Define,
    Expr,
    For,
    Holds,
    Kernel,
    Load,
    Local,
    Position,
    Stmt,
    Store,
    expressions,
    loads,
    subexpressions,
    walk,
)
from jitnet.runtime.dtype import DType, int64

from . import accumulate
from .accumulate import memory_free_type
from .contract import as_loops, uses_tiles
from .contraction import emit_contraction
from .emitter import I1, I8, I64, PTR, Function, Module, Value, mangle, vector
from .math import emit_cast, emit_scalar
from .orientation import contraction_of, lane_var, oriented
from .random import emit_random

LIGHT = 6  # operations in a reduction's body up to which four partial sums hide its latency


@dataclass(frozen=True)
class Lanes:
    """The vector loop around the code being written: var is base + 0, base + 1, ... count - 1."""

    var: Var
    base: Value
    count: int


@dataclass
class Partial:
    """An accumulator: its value so far (and, for argmax, the position of it)."""

    fn: str
    dtype: DType
    values: list[Value]


class KernelWriter:
    """Writes one kernel into a module."""

    def __init__(self, module: Module, kernel: Kernel, offsets: dict[Buffer, int]) -> None:
        self.kernel = kernel
        self.target = module.target
        args = [("slots", PTR), ("arena", PTR), ("scratch", PTR), ("thread", I64), ("threads", I64)]
        self.f = Function(module, kernel.name, args, comment=_head(kernel))
        self._offsets = offsets
        self._written = kernel.writes
        self._vars: dict[Var, Value] = {}
        self._locals: dict[Local, Value] = {}
        self._partials: dict[Local, Partial] = {}
        self._memo: list[dict[int, Value]] = [{}]
        self._lanes: Lanes | None = None

    def write(self) -> None:
        """Write the whole function."""
        self._statements(self.kernel.body)
        self.f.finish()

    # -- statements -------------------------------------------------------------------------

    def _statements(self, body: Sequence[Stmt]) -> None:
        for stmt in body:
            match stmt:
                case For():
                    self._loop(stmt)
                case Define():
                    self._locals[stmt.local] = self.value(stmt.expr)
                case Begin():
                    self._partials[stmt.local] = Partial(stmt.fn, stmt.dtype, [])
                case Accumulate():
                    self._accumulate(stmt)
                case Store():
                    self._store(stmt)
                case Check():
                    self._check(stmt)
                case Contract():
                    self._contract(stmt)
                case _:
                    assert_never(stmt)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self._memo.append({})
        yield
        self._memo.pop()

    def _loop(self, stmt: For) -> None:
        started = [
            inner.local
            for inner in walk((stmt,))
            if isinstance(inner, Accumulate)
            and inner.local in self._partials
            and not self._partials[inner.local].values
        ]
        width = self._lanes.count if self._lanes else 1
        fold = self._lanes is None and any(
            isinstance(inner, For) and inner.kind == "vector" for inner in walk((stmt,))
        )
        if fold and started:
            width = self._width(_vector_loop(stmt))
        for local in dict.fromkeys(started):
            self._start(self._partials[local], width)
        self._counted(stmt)
        for local in dict.fromkeys(started):
            self._finish(local, fold)

    def _counted(self, stmt: For) -> None:
        match stmt.kind:
            case "parallel":
                self._parallel(stmt)
            case "vector":
                zero, end = self.f.i64(0), self.f.i64(stmt.var.extent)
                self._vector(stmt, zero, end, last=None)
            case "parallel vector":
                self._parallel_vector(stmt)
            case "unroll":
                for step in range(stmt.var.extent):
                    self._turn(stmt, self.f.i64(step))
            case "serial":
                self._serial(stmt, self.f.i64(0), self.f.i64(stmt.var.extent), 1, None)
            case other:
                raise AssertionError(other)

    def _turn(self, stmt: For, at: Value) -> None:
        with self._scope():
            self._vars[stmt.var] = at
            self._statements(stmt.body)

    def _updated(self, stmt: For) -> list[Partial]:
        locals_ = dict.fromkeys(s.local for s in walk((stmt,)) if isinstance(s, Accumulate))
        return [
            self._partials[local]
            for local in locals_
            if local in self._partials and self._partials[local].values
        ]

    def _serial(self, stmt: For, start: Value, stop: Value, step: int, lanes: int | None) -> None:
        """Write a loop that carries the accumulators which its body updates."""
        partials = self._updated(stmt)
        carried = [value for partial in partials for value in partial.values]
        with self.f.loop(start, stop, step, carried) as loop:
            self._assign(partials, loop.carried)
            outer = self._lanes
            if lanes is not None:
                self._lanes = Lanes(stmt.var, loop.index, lanes)
            self._turn(stmt, loop.index)
            self._lanes = outer
            loop.carry = [value for partial in partials for value in partial.values]
        self._assign(partials, loop.results)

    @staticmethod
    def _assign(partials: Sequence[Partial], values: Sequence[Value]) -> None:
        rest = iter(values)
        for partial in partials:
            partial.values = [next(rest) for _ in partial.values]

    def _vector(self, stmt: For, start: Value, stop: Value, last: Value | None) -> None:
        """Write the full vectors of start .. stop, then what is left (where `last` holds)."""
        width = self._width(stmt)
        extent = stmt.var.extent
        whole = extent - extent % width
        if whole:
            self._serial(stmt, start, self.f.minimum(stop, self.f.i64(whole)), width, width)
        rest = extent - whole
        if not rest:
            return
        partials = self._updated(stmt)
        full = [partial.values for partial in partials]
        if last is None:
            self._remainder(stmt, whole, rest, partials)
        else:
            assert not partials, "accumulators do not cross threads"
            with self.f.when(last):
                self._remainder(stmt, whole, rest, partials)
        for partial, before in zip(partials, full, strict=True):
            partial.values = self._merge_remainder(partial, before)

    def _remainder(self, stmt: For, start: int, count: int, partials: list[Partial]) -> None:
        outer = self._lanes
        for partial in partials:
            if partial.values[0].lanes != count:
                self._start(partial, count)
        self._lanes = Lanes(stmt.var, self.f.i64(start), count)
        self._turn(stmt, self.f.i64(start))
        self._lanes = outer

    def _merge_remainder(self, partial: Partial, before: list[Value]) -> list[Value]:
        lanes, rest = before[0].lanes, partial.values[0].lanes
        if lanes == rest:
            return partial.values
        wide = Partial(partial.fn, partial.dtype, [])
        self._start(wide, rest)
        picks = [*range(rest), *([rest] * (lanes - rest))]
        values = [
            self.f.shuffle(value, empty, picks)
            for value, empty in zip(partial.values, wide.values, strict=True)
        ]
        return accumulate.combine(self.f, partial.fn, before, values, partial.dtype)

    def _share(self, total: int, unit: int = 1) -> tuple[Value, Value]:
        """Return this thread's part of 0 .. total in multiples of unit."""
        f = self.f
        if self.kernel.serial:
            return f.i64(0), f.i64(total)
        thread, threads = f.args[3], f.args[4]
        units = -(-total // unit)
        per = f.udiv(f.add(f.i64(units - 1), threads), threads)
        start = f.minimum(f.mul(f.mul(thread, per), f.i64(unit)), f.i64(total))
        stop = f.minimum(f.add(start, f.mul(per, f.i64(unit))), f.i64(total))
        return start, stop

    def _parallel(self, stmt: For) -> None:
        """Write nested parallel loops as one, split between the threads."""
        chain = [stmt]
        while len(chain[-1].body) == 1:
            inner = chain[-1].body[0]
            if not isinstance(inner, For) or inner.kind != "parallel":
                break
            chain.append(inner)
        if self.kernel.serial:
            self._serial_chain(chain)
            return
        total = 1
        for item in chain:
            total *= item.var.extent
        if total == 0:
            return
        start, stop = self._share(total)
        with self.f.loop(start, stop, may_be_empty=True) as loop, self._scope():
            flat = loop.index
            for item in reversed(chain[1:]):
                size = self.f.i64(item.var.extent)
                self._vars[item.var] = self.f.urem(flat, size)
                flat = self.f.udiv(flat, size)
            self._vars[chain[0].var] = flat
            self._statements(chain[-1].body)

    def _serial_chain(self, chain: list[For]) -> None:
        head, *rest = chain
        with self.f.loop(self.f.i64(0), self.f.i64(head.var.extent)) as loop, self._scope():
            self._vars[head.var] = loop.index
            if rest:
                self._serial_chain(rest)
            else:
                self._statements(head.body)

    def _parallel_vector(self, stmt: For) -> None:
        width = self._width(stmt)
        start, stop = self._share(stmt.var.extent, max(width, 64))
        last = None
        if not self.kernel.serial:
            end = self.f.sub(self.f.args[4], self.f.i64(1))
            last = self.f.compare("icmp eq", self.f.args[3], end)
        self._vector(stmt, start, stop, last)

    def _width(self, stmt: For) -> int:
        """Return the lanes of a vector loop."""
        sizes = [s.buffer.dtype.size for s in walk(stmt.body) if isinstance(s, Store)]
        sums = [s for s in walk(stmt.body) if isinstance(s, Accumulate)]
        sizes.extend(s.local.dtype.size for s in sums)
        sizes.extend(access.buffer.dtype.size for access in loads(stmt.body))
        lanes = self.target.lanes(8 if sizes and min(sizes) == 8 else 4)
        inside = any(isinstance(s, Begin) for s in walk(stmt.body))
        if sums and not inside and _operations(stmt.body) <= LIGHT:
            lanes *= 4
        while lanes > 1 and lanes > stmt.var.extent and lanes // 2 >= stmt.var.extent:
            lanes //= 2
        return min(lanes, max(stmt.var.extent, 1))

    # -- accumulators -----------------------------------------------------------------------

    def _start(self, partial: Partial, lanes: int) -> None:
        partial.values = accumulate.start(self.f, partial.fn, partial.dtype, lanes)

    def _accumulate(self, stmt: Accumulate) -> None:
        partial = self._partials[stmt.local]
        lanes = partial.values[0].lanes
        items = [self.f.splat(self.value(stmt.expr), lanes)]
        if stmt.at is not None:
            items.append(self.f.splat(self._position(stmt.at), lanes))
        partial.values = accumulate.combine(
            self.f, partial.fn, partial.values, items, stmt.expr.dtype
        )

    def _finish(self, local: Local, fold: bool) -> None:
        partial = self._partials.pop(local)
        values = partial.values
        if fold:
            values = accumulate.fold(self.f, partial.fn, values, partial.dtype)
        self._locals[local] = values[-1]

    # -- memory -----------------------------------------------------------------------------

    def _pointer(self, buffer: Buffer) -> Value:
        f = self.f
        match buffer.place:
            case "slot":
                entry = f.gep(f.args[0], f.i64(buffer.slot), PTR)
                return f.load(entry, PTR, 8, constant=True)
            case "arena":
                return f.gep(f.args[1], f.i64(self._offsets[buffer]))
            case "scratch":
                return f.gep(f.args[2], f.i64(self._offsets[buffer]))
            case other:
                raise AssertionError(other)

    def address(self, buffer: Buffer, index: Index) -> Value:
        """Return the address of an element; parts known further out are added further out."""
        pointer = self._pointer(buffer)
        by_depth: dict[int, Value] = {}
        for atom, factor in index.terms:
            term = self.f.mul(self._atom(atom), self.f.i64(factor))
            known = by_depth.get(term.depth)
            by_depth[term.depth] = term if known is None else self.f.add(known, term)
        for depth in sorted(by_depth):
            pointer = self.f.gep(pointer, by_depth[depth], buffer.dtype.llvm)
        return self.f.gep(pointer, self.f.i64(index.const), buffer.dtype.llvm)

    def _load(self, load: Load) -> Value:
        mask = self._mask(load.conditions)
        factor = self._lane_factor(load.index)
        dtype = load.dtype
        constant = load.buffer not in self._written
        if factor == 0 and (mask is None or mask.lanes == 1):
            pointer = self._guarded(self.address(load.buffer, load.index), mask)
            return self._from_memory(self.f.load(pointer, dtype.llvm, dtype.size, constant), dtype)
        assert self._lanes is not None
        count = self._lanes.count
        if factor in (1, -1):
            shift = 1 - count if factor == -1 else 0
            pointer = self.address(load.buffer, load.index + shift)
            type_ = vector(dtype.llvm, count)
            if mask is not None and mask.lanes > 1:
                if factor == -1:
                    mask = self._reversed(mask)
                loaded = self._masked_load(pointer, type_, dtype.size, mask)
            else:
                pointer = self._guarded(pointer, mask)
                loaded = self.f.load(pointer, type_, dtype.size, constant)
            return self._from_memory(self._reversed(loaded) if factor == -1 else loaded, dtype)
        return self._gather(load, mask, factor, constant)

    def _gather(self, load: Load, mask: Value | None, factor: int | None, constant: bool) -> Value:
        """Load lanes that lie apart, one by one."""
        assert self._lanes is not None
        dtype = load.dtype
        lanes = self._lanes.count
        result = Value("poison", vector(dtype.llvm, lanes))
        if factor is not None and (mask is None or mask.lanes == 1):
            pointers = [self.address(load.buffer, load.index + factor * k) for k in range(lanes)]
            pointers = [self._guarded(pointer, mask) for pointer in pointers]
        else:
            index = self._vector_index(load.index)
            if mask is not None:
                zero = self.f.const(index.type, 0)
                index = self.f.select(self.f.splat(mask, lanes), index, zero)
            base = self._pointer(load.buffer)
            pointers = [
                self.f.gep(base, self.f.extract(index, k), dtype.llvm) for k in range(lanes)
            ]
        for lane, pointer in enumerate(pointers):
            element = self.f.load(pointer, dtype.llvm, dtype.size, constant)
            result = self.f.insert(result, element, lane)
        return self._from_memory(result, dtype)

    def _masked_load(self, pointer: Value, type_: str, align: int, mask: Value) -> Value:
        f = self.f
        zero = f.const(type_, 0)
        name = f"llvm.masked.load.{mangle(type_)}.p0"
        f.module.declare(name, type_, [PTR, "i32", mask.type, type_])
        rhs = f"call {type_} @{name}({pointer}, i32 {align}, {mask}, {zero})"
        return f.emit_here(rhs, type_)

    def _guarded(self, pointer: Value, condition: Value | None) -> Value:
        """Return the pointer, or one to zeros where the condition does not hold."""
        if condition is None:
            return pointer
        zeros = self.f.module.constant_array(I64, [0] * 64)
        return self.f.select(condition, pointer, zeros)

    def _reversed(self, value: Value) -> Value:
        return self.f.shuffle(value, None, list(reversed(range(value.lanes))))

    def _from_memory(self, value: Value, dtype: DType) -> Value:
        if dtype.kind != "bool":
            return value
        return self.f.compare("icmp ne", value, self.f.const(value.type, 0))

    def _to_memory(self, value: Value, dtype: DType) -> Value:
        return self.f.convert("zext", value, I8) if dtype.kind == "bool" else value

    def _store(self, stmt: Store) -> None:
        f = self.f
        dtype = stmt.buffer.dtype
        value = self.value(stmt.expr)
        factor = self._lane_factor(stmt.index)
        lanes = self._lanes.count if self._lanes and factor != 0 else 1
        value = f.splat(value, lanes)
        if factor in (0, 1, -1):
            shift = 1 - lanes if factor == -1 else 0
            pointer = self.address(stmt.buffer, stmt.index + shift)
            if factor == -1:
                value = self._reversed(value)
            if stmt.accumulate:
                before = self._from_memory(
                    f.load(pointer, vector(dtype.llvm, lanes), dtype.size), dtype
                )
                value = emit_scalar(f, "add", [before, value], dtype)
            f.store(self._to_memory(value, dtype), pointer, dtype.size)
            return
        index = self._vector_index(stmt.index)
        base = self._pointer(stmt.buffer)
        for lane in range(lanes):
            pointer = f.gep(base, f.extract(index, lane), dtype.llvm)
            element = f.extract(value, lane)
            if stmt.accumulate:
                before = self._from_memory(f.load(pointer, dtype.llvm, dtype.size), dtype)
                element = emit_scalar(f, "add", [before, element], dtype)
            f.store(self._to_memory(element, dtype), pointer, dtype.size)

    # -- indices ----------------------------------------------------------------------------

    def _lane_factor(self, index: Index) -> int | None:
        """Return how far apart neighbouring lanes lie; None if they are not equally spaced."""
        if self._lanes is None:
            return 0
        return index.coefficient(self._lanes.var)

    def _atom(self, atom: Atom) -> Value:
        """Return an atom's value; in a vector loop that of lane 0 where lanes differ."""
        f = self.f
        match atom:
            case Var():
                return self._vars[atom]
            case FloorDiv():
                return f.udiv(self._scalar_index(atom.value), f.i64(atom.by))
            case Mod():
                return f.urem(self._scalar_index(atom.value), f.i64(atom.by))
            case Lookup():
                value = emit_cast(f, self.value(atom.expr), atom.expr.dtype, int64)
                return value if value.lanes == 1 else f.extract(value, 0)
            case _:
                assert_never(atom)

    def _scalar_index(self, index: Index) -> Value:
        total = self.f.i64(0)
        terms = [self.f.mul(self._atom(atom), self.f.i64(factor)) for atom, factor in index.terms]
        for term in sorted(terms, key=lambda value: value.depth):
            total = self.f.add(total, term)
        return self.f.add(total, self.f.i64(index.const))

    def _vector_index(self, index: Index) -> Value:
        """Return an index as one i64 for each lane."""
        assert self._lanes is not None
        f, lanes = self.f, self._lanes.count
        total = f.const(vector(I64, lanes), index.const)
        for atom, factor in index.terms:
            term = self._vector_atom(atom)
            if factor != 1:
                term = f.binary("mul nsw", term, f.const(term.type, factor))
            total = f.binary("add nsw", total, term)
        return total

    def _vector_atom(self, atom: Atom) -> Value:
        assert self._lanes is not None
        f, lanes = self.f, self._lanes
        match atom:
            case Var():
                base = f.splat(self._vars[atom], lanes.count)
                if atom != lanes.var:
                    return base
                steps = f.lanes_constant(I64, range(lanes.count))
                return f.binary("add nsw", base, steps) if lanes.count > 1 else base
            case FloorDiv():
                value = self._vector_index(atom.value)
                return f.binary("udiv", value, f.const(value.type, atom.by))
            case Mod():
                value = self._vector_index(atom.value)
                return f.binary("urem", value, f.const(value.type, atom.by))
            case Lookup():
                value = emit_cast(f, self.value(atom.expr), atom.expr.dtype, int64)
                return f.splat(value, lanes.count)
            case _:
                assert_never(atom)

    def _position(self, index: Index) -> Value:
        if self._lane_factor(index) == 0:
            return self._scalar_index(index)
        return self._vector_index(index)

    def _mask(self, bounds: Sequence[Bound]) -> Value | None:
        """Return whether all bounds hold: nothing if always, else i1 or one i1 for each lane."""
        result: Value | None = None
        for bound in bounds:
            low, high = bound.index.bounds
            if low >= bound.low and high < bound.high:
                continue
            position = self._position(bound.index)
            shifted = self.f.binary("sub", position, self.f.const(position.type, bound.low))
            limit = self.f.const(position.type, bound.high - bound.low)
            holds = self.f.compare("icmp ult", shifted, limit)
            if result is None:
                result = holds
                continue
            lanes = max(result.lanes, holds.lanes)
            result = self.f.binary("and", self.f.splat(result, lanes), self.f.splat(holds, lanes))
        return result

    # -- expressions ------------------------------------------------------------------------

    def value(self, expr: Expr) -> Value:
        """Return an expression's value: a vector where lanes differ, else a scalar."""
        for known in reversed(self._memo):
            if id(expr) in known:
                return known[id(expr)]
        value = self._compute(expr)
        self._memo[-1][id(expr)] = value
        return value

    def _compute(self, expr: Expr) -> Value:
        match expr:
            case Const():
                return self.f.const(memory_free_type(expr.dtype), expr.value)
            case Load():
                return self._load(expr)
            case Local():
                return self._locals[expr]
            case Position():
                return emit_cast(self.f, self._position(expr.index), int64, expr.dtype)
            case Holds():
                mask = self._mask(expr.bounds)
                return self.f.const(I1, True) if mask is None else mask
            case Apply():
                return self._apply(expr)
            case _:
                assert_never(expr)

    def _apply(self, expr: Apply) -> Value:
        args = [self.value(arg) for arg in expr.args]
        if expr.fn == "cast":
            return emit_cast(self.f, args[0], expr.args[0].dtype, expr.dtype)
        lanes = max(arg.lanes for arg in args)
        if expr.fn.startswith("random"):
            return emit_random(
                self.f, expr.fn, self.f.splat(args[0], lanes), args[1], args[2], expr.dtype
            )
        args = [self.f.splat(arg, lanes) for arg in args]
        return emit_scalar(self.f, expr.fn, args, expr.args[-1].dtype)

    # -- checks and contractions ------------------------------------------------------------

    def _check(self, stmt: Check) -> None:
        f = self.f
        value = emit_cast(f, self.value(stmt.expr), stmt.expr.dtype, int64)
        shifted = f.binary("sub", value, f.const(value.type, stmt.low))
        bad = f.compare("icmp uge", shifted, f.const(value.type, stmt.high - stmt.low))
        with f.when(accumulate.any_lane(f, bad)):
            status = f.load(f.args[0], PTR, 8)
            f.store(f.i64(stmt.code), status, 8)

    def _contract(self, stmt: Contract) -> None:
        f = self.f
        if not uses_tiles(stmt, f.target):
            self._statements([as_loops(stmt)])
            return
        stmt = oriented(stmt, f.target)
        thread, threads = f.args[3], f.args[4]
        if self.kernel.serial:
            thread, threads = f.i64(0), f.i64(1)
        emit_contraction(
            f,
            contraction_of(stmt),
            self._pointer(stmt.a.buffer),
            self._pointer(stmt.b.buffer),
            f.args[2],
            thread,
            threads,
            self._epilogue(stmt),
        )

    def _epilogue(self, stmt: Contract) -> Callable[..., None]:
        """Return what runs for each vector of results: bind the loop variables, run the body."""
        column = lane_var(stmt)

        def run(
            f: Function, batch: Value, row: Value, first: Value, lanes: int, result: Value
        ) -> None:
            assert f is self.f
            with self._scope():
                self._unflatten(stmt.batch, batch)
                self._unflatten(stmt.rows, row)
                self._unflatten(stmt.columns, first)
                outer = self._lanes
                self._lanes = Lanes(column, self._vars[column], lanes)
                self._locals[stmt.result] = result
                self._statements(stmt.body)
                self._lanes = outer

        return run

    def _unflatten(self, variables: Sequence[Var], flat: Value) -> None:
        for var in reversed(variables[1:]):
            size = self.f.i64(var.extent)
            self._vars[var] = self.f.urem(flat, size)
            flat = self.f.udiv(flat, size)
        if variables:
            self._vars[variables[0]] = flat


def _vector_loop(stmt: For) -> For:
    return next(s for s in walk((stmt,)) if isinstance(s, For) and s.kind == "vector")


def _operations(body: Sequence[Stmt]) -> int:
    seen: set[int] = set()
    for stmt in walk(tuple(body)):
        for expr in expressions(stmt):
            seen.update(id(inner) for inner in subexpressions(expr) if isinstance(inner, Apply))
    return len(seen)


def _head(kernel: Kernel) -> str:
    lines = [f"from {', '.join(kernel.lines[:4])}"] if kernel.lines else []
    return "\n".join([*lines, f"fuses {' '.join(kernel.fused)}"])
