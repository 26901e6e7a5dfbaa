"""The micro-kernel library: register tiles of C += A * B that every contraction shares.

A tile has up to `tile_rows` rows and `MAX_VECTORS` vectors of columns, all of it in registers.
A is read in place: one offset for each row, loaded once, and a table of offsets ("taps") for the
outer steps along K; inside a tap K advances by a fixed step. So one kernel serves matrices in any
layout and convolutions, and nothing is materialised. B is a panel whose rows are `b_step` apart.
Strides known only at run time and no unrolling cost nothing that could be measured, on registers of
256 and of 512 bits; so there is one kernel for each tile size, not one for each shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.runtime.dtype import DType, float32, float64
from jitnet.runtime.target import Target

from .emitter import I64, PTR, Function, Module, Value, vector

MAX_VECTORS = 2
DTYPES = (float32, float64)

# Rows that have a register for their pointer when B, the steps and the counters have theirs.
ROW_POINTERS = 12

ARGUMENTS = (
    ("a", PTR),  # base of A
    ("rows", PTR),  # i64 offset, in elements, of each row of the tile
    ("taps", PTR),  # i64 offset, in elements, of each run along K
    ("tap_count", I64),
    ("run", I64),  # steps along K in each tap
    ("a_step", I64),  # elements between steps of a run
    ("b", PTR),  # first row of the panel; rows follow one another through all taps
    ("b_step", I64),  # elements between rows of the panel
    ("c", PTR),
    ("c_step", I64),  # elements between rows of C
    ("accumulate", I64),  # 1 adds to C, 0 overwrites it
)


def tile_rows(target: Target, vectors: int) -> int:
    """Return the most rows of a tile of `vectors` vectors that fits the registers.

    rows * vectors accumulators + vectors of B + one element of A, spread; LLVM spills beyond it.
    """
    return min(ROW_POINTERS, (target.vector_registers - 1 - vectors) // vectors)


def tile_name(dtype: DType, target: Target, rows: int, vectors: int) -> str:
    """Return the symbol of a tile kernel, such as jitnet_tile_f32_6x16."""
    return f"jitnet_tile_{dtype.short}_{rows}x{vectors * target.lanes(dtype.size)}"


def declare_tile(module: Module, dtype: DType, rows: int, vectors: int) -> str:
    """Declare a tile kernel in a module that is going to call it; return its symbol."""
    name = tile_name(dtype, module.target, rows, vectors)
    module.declare(name, "void", [type_ for _, type_ in ARGUMENTS])
    return name


def tile_sizes(target: Target) -> list[tuple[DType, int, int]]:
    """Return (dtype, rows, vectors) of every tile in the library."""
    return [
        (dtype, rows, vectors)
        for dtype in DTYPES
        for vectors in range(1, MAX_VECTORS + 1)
        for rows in range(1, tile_rows(target, vectors) + 1)
    ]


def symbols(target: Target) -> tuple[str, ...]:
    """Return the names that `library` defines."""
    return tuple(
        tile_name(dtype, target, rows, vectors) for dtype, rows, vectors in tile_sizes(target)
    )


def library(target: Target) -> str:
    """Return the LLVM IR of every tile kernel for a target."""
    module = Module(target)
    for dtype, rows, vectors in tile_sizes(target):
        emit_tile(module, dtype, rows, vectors)
    return module.text()


def emit_tile(module: Module, dtype: DType, rows: int, vectors: int) -> None:
    """Write one tile kernel."""
    name = tile_name(dtype, module.target, rows, vectors)
    f = Function(module, name, ARGUMENTS, internal=False)
    a, row_table, taps, tap_count, run, a_step, b, b_step, c, c_step, accumulate = f.args
    zero = f.const(vector(dtype.llvm, module.target.lanes(dtype.size)), 0.0)
    pointers = [f.gep(a, _load_i64(f, row_table, f.i64(row)), dtype.llvm) for row in range(rows)]
    with f.loop(f.i64(0), tap_count, carried=[zero] * (rows * vectors) + [b]) as tap:
        start = _load_i64(f, taps, tap.index)
        with f.loop(f.i64(0), run, carried=[*tap.carried, start], may_be_empty=True) as k:
            *sums, row_of_b, at = k.carried
            sums = _multiply_add(f, dtype, pointers, at, row_of_b, sums)
            k.carry = [*sums, f.gep(row_of_b, b_step, dtype.llvm), f.add(at, a_step)]
        tap.carry = k.results[:-1]
    _write_tile(f, dtype, tap.results[:-1], vectors, (c, c_step, accumulate))
    f.finish()


def _load_i64(f: Function, table: Value, index: Value) -> Value:
    return f.load(f.gep(table, index, I64), I64, 8)


def _multiply_add(
    f: Function, dtype: DType, rows: Sequence[Value], at: Value, b: Value, sums: Sequence[Value]
) -> list[Value]:
    """Write one step along K for the whole tile; return the new sums."""
    lanes = sums[0].lanes
    vectors = len(sums) // len(rows)
    columns = [
        f.load(f.gep(b, f.i64(v * lanes), dtype.llvm), sums[0].type, dtype.size)
        for v in range(vectors)
    ]
    result = []
    for row, pointer in enumerate(rows):
        spread = f.splat(f.load(f.gep(pointer, at, dtype.llvm), dtype.llvm, dtype.size), lanes)
        for v, column in enumerate(columns):
            result.append(_fused(f, spread, column, sums[row * vectors + v]))
    return result


def _fused(f: Function, a: Value, b: Value, c: Value) -> Value:
    """Return a * b + c, rounded once where the target can do that in one instruction."""
    if f.target.has_fma:
        return f.fma(a, b, c)
    return f.binary("fadd", f.binary("fmul", a, b), c)


def _write_tile(
    f: Function,
    dtype: DType,
    sums: Sequence[Value],
    vectors: int,
    destination: tuple[Value, Value, Value],
) -> None:
    """Store the sums in C, or add them to it."""
    c, c_step, accumulate = destination
    lanes = sums[0].lanes
    places = []
    for index in range(len(sums)):
        row = f.gep(c, f.mul(f.i64(index // vectors), c_step), dtype.llvm)
        places.append(f.gep(row, f.i64(index % vectors * lanes), dtype.llvm))
    # A loop of no turn or one: what it results in is the sums, or the sums added to C.
    with f.loop(f.i64(0), accumulate, carried=list(sums), may_be_empty=True) as once:
        once.carry = [
            f.fadd(f.load(place, total.type, dtype.size), total)
            for place, total in zip(places, once.carried, strict=True)
        ]
    for place, total in zip(places, once.results, strict=True):
        f.store(total, place, dtype.size)
