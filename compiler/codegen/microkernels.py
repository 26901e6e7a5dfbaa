"""The micro-kernel library: register tiles of C += A * B that every contraction shares.

A tile has up to `tile_rows` rows and `MAX_VECTORS` vectors of columns, all of it in registers.
A is read in place: one offset for each row, loaded once, and a table of offsets ("taps") for the
outer steps along K; inside a tap K advances by a fixed step. So one kernel serves matrices in any
layout and convolutions, and nothing is materialised. B is a panel whose rows are `b_step` apart.
A line tile reads B in place as well: each vector of columns has an offset of its own and may be
partly masked off. It is for few rows, which would not repay the packing of a panel.
Strides known only at run time and no unrolling cost nothing that could be measured, on registers of
256 and of 512 bits; so there is one kernel for each tile size, not one for each shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitnet.runtime.dtype import DType, float32, float64
from jitnet.runtime.target import Target

from .emitter import I32, I64, PTR, Function, Module, Value, mangle, vector

MAX_VECTORS = 2
DTYPES = (float32, float64)

# Rows that have a register for their pointer when B, the steps and the counters have theirs.
ROW_POINTERS = 12

_A = (
    ("a", PTR),  # base of A
    ("rows", PTR),  # i64 offset, in elements, of each row of the tile
    ("taps", PTR),  # i64 offset, in elements, of each run along K
    ("tap_count", I64),
    ("run", I64),  # steps along K in each tap
    ("a_step", I64),  # elements between steps of a run
)
_C = (
    ("c", PTR),
    ("c_step", I64),  # elements between rows of C
    ("accumulate", I64),  # 1 adds to C, 0 overwrites it
)
TILE_ARGUMENTS = (
    *_A,
    ("b", PTR),  # first row of the panel; rows follow one another through all taps
    ("b_step", I64),  # elements between rows of the panel
    *_C,
)
LINE_ARGUMENTS = (
    *_A,
    ("b", PTR),  # base of B
    ("lines", PTR),  # (offset in elements, lanes) of each vector of columns: pairs of i64
    ("b_taps", PTR),  # as taps
    ("b_step", I64),  # as a_step
    *_C,
)


@dataclass(frozen=True)
class Tile:
    """One kernel of the library."""

    dtype: DType
    rows: int
    vectors: int
    lines: bool = False

    def name(self, target: Target) -> str:
        """Return its symbol, such as jitnet_tile_f32_6x16."""
        kind = "lines" if self.lines else "tile"
        columns = self.vectors * target.lanes(self.dtype.size)
        return f"jitnet_{kind}_{self.dtype.short}_{self.rows}x{columns}"

    def declare(self, module: Module) -> str:
        """Declare it in a module that is going to call it; return its symbol."""
        arguments = LINE_ARGUMENTS if self.lines else TILE_ARGUMENTS
        name = self.name(module.target)
        module.declare(name, "void", [type_ for _, type_ in arguments])
        return name


def tile_rows(target: Target, vectors: int) -> int:
    """Return the most rows of a tile of `vectors` vectors that fits the registers.

    rows * vectors accumulators + vectors of B + one element of A, spread; LLVM spills beyond it.
    """
    return min(ROW_POINTERS, (target.vector_registers - 1 - vectors) // vectors)


def line_vectors(target: Target) -> int:
    """Return the most vectors of a line tile; 0 where the target cannot mask a load."""
    if target.vector_bytes < 32:
        return 0
    return 4 if target.vector_registers >= 32 else 2


def line_rows(target: Target) -> int:
    """Return the most rows of a line tile; masks take vector registers below 512 bits."""
    vectors = line_vectors(target)
    masks = vectors if target.vector_bytes < 64 else 0
    return (target.vector_registers - 1 - vectors - masks) // vectors if vectors else 0


def tiles(target: Target) -> list[Tile]:
    """Return every kernel of a target's library."""
    return [
        Tile(dtype, rows, vectors, lines)
        for dtype in DTYPES
        for lines in (False, True)
        for vectors in range(1, (line_vectors(target) if lines else MAX_VECTORS) + 1)
        for rows in range(1, (line_rows(target) if lines else tile_rows(target, vectors)) + 1)
    ]


def symbols(target: Target) -> tuple[str, ...]:
    """Return the names that `library` defines."""
    return tuple(tile.name(target) for tile in tiles(target))


def library(target: Target) -> str:
    """Return the LLVM IR of every tile kernel for a target."""
    module = Module(target)
    for tile in tiles(target):
        if tile.lines:
            emit_lines(module, tile)
        else:
            emit_tile(module, tile)
    return module.text()


def emit_tile(module: Module, tile: Tile) -> None:
    """Write a tile kernel whose B is a panel."""
    f = Function(module, tile.name(module.target), TILE_ARGUMENTS, internal=False)
    a, rows, taps, tap_count, run, a_step, b, b_step, *c = f.args
    element = tile.dtype.llvm
    pointers = [f.gep(a, _entry(f, rows, f.i64(row)), element) for row in range(tile.rows)]
    with f.loop(f.i64(0), tap_count, carried=[*_zeros(f, tile), b]) as tap:
        start = _entry(f, taps, tap.index)
        with f.loop(f.i64(0), run, carried=[*tap.carried, start], may_be_empty=True) as k:
            *sums, line, at = k.carried
            columns = _vectors(f, tile, line)
            sums = _multiply_add(f, tile, pointers, at, columns, sums)
            k.carry = [*sums, f.gep(line, b_step, element), f.add(at, a_step)]
        tap.carry = k.results[:-1]
    _write_tile(f, tile, tap.results[:-1], *c)
    f.finish()


def emit_lines(module: Module, tile: Tile) -> None:
    """Write a tile kernel that reads B in place, vector by vector."""
    f = Function(module, tile.name(module.target), LINE_ARGUMENTS, internal=False)
    a, rows, taps, tap_count, run, a_step, b, lines, b_taps, b_step, *c = f.args
    element = tile.dtype.llvm
    pointers = [f.gep(a, _entry(f, rows, f.i64(row)), element) for row in range(tile.rows)]
    sources = [f.gep(b, _entry(f, lines, f.i64(2 * v)), element) for v in range(tile.vectors)]
    masks = [_mask(f, tile, _entry(f, lines, f.i64(2 * v + 1))) for v in range(tile.vectors)]
    with f.loop(f.i64(0), tap_count, carried=_zeros(f, tile)) as tap:
        starts = [_entry(f, table, tap.index) for table in (taps, b_taps)]
        with f.loop(f.i64(0), run, carried=[*tap.carried, *starts], may_be_empty=True) as k:
            *sums, at, b_at = k.carried
            columns = [
                _masked_load(f, f.gep(source, b_at, element), mask, sums[0].type, tile.dtype.size)
                for source, mask in zip(sources, masks, strict=True)
            ]
            sums = _multiply_add(f, tile, pointers, at, columns, sums)
            k.carry = [*sums, f.add(at, a_step), f.add(b_at, b_step)]
        tap.carry = k.results[:-2]
    _write_tile(f, tile, tap.results, *c)
    f.finish()


def _entry(f: Function, table: Value, index: Value) -> Value:
    return f.load(f.gep(table, index, I64), I64, 8)


def _zeros(f: Function, tile: Tile) -> list[Value]:
    lanes = f.target.lanes(tile.dtype.size)
    return [f.const(vector(tile.dtype.llvm, lanes), 0.0)] * (tile.rows * tile.vectors)


def _vectors(f: Function, tile: Tile, line: Value) -> list[Value]:
    """Load one row of a panel."""
    element, size = tile.dtype.llvm, tile.dtype.size
    lanes = f.target.lanes(size)
    return [
        f.load(f.gep(line, f.i64(v * lanes), element), vector(element, lanes), size)
        for v in range(tile.vectors)
    ]


def _mask(f: Function, tile: Tile, count: Value) -> Value:
    """Return the mask of the first `count` lanes."""
    lanes = f.target.lanes(tile.dtype.size)
    index = f.lanes_constant(I32, range(lanes))
    return f.compare("icmp ult", index, f.splat(f.convert("trunc", count, I32), lanes))


def _masked_load(f: Function, pointer: Value, mask: Value, type_: str, align: int) -> Value:
    """Load the lanes of a mask, and zeros; what is masked off is not touched."""
    name = f"llvm.masked.load.{mangle(type_)}.p0"
    f.module.declare(name, type_, [PTR, I32, mask.type, type_])
    arguments = [pointer, Value(str(align), I32), mask, Value("zeroinitializer", type_)]
    loaded = f.call(name, arguments, type_)
    assert loaded is not None
    return loaded


def _multiply_add(
    f: Function,
    tile: Tile,
    rows: Sequence[Value],
    at: Value,
    columns: Sequence[Value],
    sums: Sequence[Value],
) -> list[Value]:
    """Write one step along K for the whole tile; return the new sums."""
    element, size = tile.dtype.llvm, tile.dtype.size
    result = []
    for row, pointer in enumerate(rows):
        spread = f.splat(f.load(f.gep(pointer, at, element), element, size), sums[0].lanes)
        for v, column in enumerate(columns):
            result.append(_fused(f, spread, column, sums[row * tile.vectors + v]))
    return result


def _fused(f: Function, a: Value, b: Value, c: Value) -> Value:
    """Return a * b + c, rounded once where the target can do that in one instruction."""
    if f.target.has_fma:
        return f.fma(a, b, c)
    return f.binary("fadd", f.binary("fmul", a, b), c)


def _write_tile(
    f: Function, tile: Tile, sums: Sequence[Value], c: Value, c_step: Value, accumulate: Value
) -> None:
    """Store the sums in C, or add them to it."""
    element, size = tile.dtype.llvm, tile.dtype.size
    lanes = sums[0].lanes
    places = []
    for index in range(len(sums)):
        row = f.gep(c, f.mul(f.i64(index // tile.vectors), c_step), element)
        places.append(f.gep(row, f.i64(index % tile.vectors * lanes), element))
    # A loop of no turn or one: what it results in is the sums, or the sums added to C.
    with f.loop(f.i64(0), accumulate, carried=list(sums), may_be_empty=True) as once:
        once.carry = [
            f.fadd(f.load(place, total.type, size), total)
            for place, total in zip(places, once.carried, strict=True)
        ]
    for place, total in zip(places, once.results, strict=True):
        f.store(total, place, size)
