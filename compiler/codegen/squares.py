"""Kernels that copy a matrix transposed, in squares that fit the vector registers.

They pack operands whose elements are adjacent along K into panels whose rows are steps along K.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.runtime.dtype import DType

from .emitter import I64, PTR, Function, Module, Value, vector
from .masks import has_masks, lane_mask, masked_load

SQUARE_ARGUMENTS = (
    ("to", PTR),
    ("width", I64),  # elements between rows of the result
    ("rows", PTR),  # i64: where the row of each step goes, for the kernel that asks
    ("source", PTR),
    ("column_step", I64),  # elements between columns of the source
    ("columns", I64),  # at most as many as a vector has lanes; zeros are written for the others
    ("count", I64),  # steps; adjacent in the source
)


def square_name(dtype: DType, by_table: bool) -> str:
    """Return a kernel's symbol: for rows in order, or for rows by a table."""
    return f"jitnet_squares_{dtype.short}{'_to_rows' if by_table else ''}"


def declare_squares(module: Module, dtype: DType, by_table: bool) -> str:
    """Declare a kernel in a module that is going to call it; return its symbol."""
    name = square_name(dtype, by_table)
    module.declare(name, "void", [type_ for _, type_ in SQUARE_ARGUMENTS])
    return name


def emit_squares(module: Module, dtype: DType, by_table: bool) -> None:
    """Write one kernel."""
    f = Function(module, square_name(dtype, by_table), SQUARE_ARGUMENTS, internal=False)
    _Squares(f, dtype, by_table).write()
    f.finish()


class _Squares:
    """Writes one kernel."""

    def __init__(self, f: Function, dtype: DType, by_table: bool) -> None:
        self.f = f
        self.to, self.width, self.rows, self.source, self.column_step, *rest = f.args
        self.columns, self.count = rest
        self.by_table = by_table
        self.element, self.size = dtype.llvm, dtype.size
        self.lanes = f.target.lanes(dtype.size)
        self.type = vector(self.element, self.lanes)

    def write(self) -> None:
        """Write whole squares, then what is left of the steps or all of them if columns lack."""
        f, lanes = self.f, self.lanes
        full = f.compare("icmp eq", self.columns, f.i64(lanes))
        whole = f.mul(f.udiv(self.count, f.i64(lanes)), f.i64(lanes))
        whole = f.select(full, whole, f.i64(0))
        with f.loop(f.i64(0), whole, lanes) as step:
            vectors = [
                f.load(self._from(lane, step.index), self.type, self.size) for lane in range(lanes)
            ]
            for lane in range(lanes):  # what comes next in these columns' place: others
                f.prefetch(self._from(lanes + lane, step.index), 2)
            for index, row in enumerate(transpose(f, vectors)):
                f.store(row, self._row(f.add(step.index, f.i64(index))), self.size)
        if has_masks(f.target):
            with f.loop(whole, self.count, lanes) as step:
                self._masked(step.index)
            return
        with f.loop(whole, self.count) as step:
            self._singly(step.index)

    def _from(self, lane: int, step: Value) -> Value:
        f = self.f
        column = f.gep(self.source, f.mul(f.i64(lane), self.column_step), self.element)
        return f.gep(column, step, self.element)

    def _row(self, step: Value) -> Value:
        f = self.f
        row = f.load(f.gep(self.rows, step, I64), I64, 8) if self.by_table else step
        return f.gep(self.to, f.mul(row, self.width), self.element)

    def _masked(self, step: Value) -> None:
        """Write a square of which some steps or columns are missing."""
        f, lanes = self.f, self.lanes
        left = f.minimum(f.i64(lanes), f.sub(self.count, step))
        some = lane_mask(f, lanes, left)
        none = Value("zeroinitializer", some.type)
        vectors = []
        for lane in range(lanes):
            exists = f.compare("icmp slt", f.i64(lane), self.columns)
            mask = f.select(exists, some, none)
            vectors.append(masked_load(f, self._from(lane, step), mask, self.type, self.size))
        for index, row in enumerate(transpose(f, vectors)):
            with f.when(f.compare("icmp slt", f.i64(index), left)):
                f.store(row, self._row(f.add(step, f.i64(index))), self.size)

    def _singly(self, step: Value) -> None:
        """Write one row element by element."""
        f, row = self.f, self._row(step)
        f.store(f.const(self.type, 0.0), row, self.size)
        with f.loop(f.i64(0), self.columns) as lane:
            column = f.gep(self.source, f.mul(lane.index, self.column_step), self.element)
            value = f.load(f.gep(column, step, self.element), self.element, self.size)
            f.store(value, f.gep(row, lane.index, self.element), self.size)


def transpose(f: Function, rows: Sequence[Value]) -> list[Value]:
    """Transpose a square of as many vectors as each has lanes, by shuffles only."""
    lanes = len(rows)
    size = 4 if rows[0].element == "float" else 8
    inside = min(lanes, 16 // size)
    rows = list(rows)
    for first in range(0, lanes, inside):
        rows[first : first + inside] = _transpose_inside(f, rows[first : first + inside])
    distance = inside
    while distance < lanes:
        for index in range(lanes):
            if index & distance:
                continue
            low, high = rows[index], rows[index + distance]
            picks = [
                lane if not lane & distance else lanes + lane - distance for lane in range(lanes)
            ]
            rows[index] = f.shuffle(low, high, picks)
            rows[index + distance] = f.shuffle(low, high, [pick + distance for pick in picks])
        distance *= 2
    return rows


def _transpose_inside(f: Function, rows: Sequence[Value]) -> list[Value]:
    """Transpose within each 128 bits: 4 vectors of 32-bit elements or 2 of 64-bit ones."""
    lanes = rows[0].lanes

    def unpack(a: Value, b: Value, width: int, high: bool) -> Value:
        group = 4 if len(rows) == 4 else 2
        picks: list[int] = []
        for start in range(0, lanes, group):
            half = range(start + (group // 2 if high else 0), start + group, width)
            for at in list(half)[: max(1, group // 2 // width)]:
                picks += [at + lane for lane in range(width)]
                picks += [lanes + at + lane for lane in range(width)]
        return f.shuffle(a, b, picks)

    if len(rows) == 2:
        return [unpack(rows[0], rows[1], 1, high) for high in (False, True)]
    a, b, c, d = rows
    low = unpack(a, b, 1, False), unpack(c, d, 1, False)
    high = unpack(a, b, 1, True), unpack(c, d, 1, True)
    return [unpack(x, y, 2, part) for x, y in (low, high) for part in (False, True)]
