"""The micro-kernel library: register tiles of C += A * B that every contraction shares.

A tile has up to `tile_rows` rows and `MAX_VECTORS` vectors of columns, all of it in registers.
A is read in place: one offset for each row, loaded once, and a table of offsets ("taps") for the
outer steps along K; inside a tap K advances by a fixed step. So one kernel serves matrices in any
layout and convolutions, and nothing is materialised. B is a panel whose rows are `b_step` apart.
While it multiplies, a listed tile asks for memory at listed addresses, if there are any; a plain
one for what lies at even distances, such as the next panel; a copying one, whose rows of A lie side
by side, copies what the tiles of the next block are going to read.
A broad tile has half the rows and up to twice the vectors: level 1 keeps its rows where these are
long ones, read in place, while all panels pass.
A wide tile has one row and many vectors: with few rows, B is read once, in runs that long.
A line tile reads B in place as well: each vector of columns has an offset of its own and may be
partly masked off, where the target can. It is for few rows, which would not repay the packing of a
panel.
A dot tile (dot_tiles.py) reads both in place along K, whose lanes are added up only at the end.
Tiles of a single row (vector_tiles.py) read whole columns, or whole rows, one after the other.
Strides known only at run time and no unrolling cost nothing that could be measured, on registers of
256 and of 512 bits; so there is one kernel for each tile size, not one for each shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType, float32, float64
from jitnet.runtime.target import Target

from .emitter import I64, PTR, Function, Module, Value, vector
from .masks import has_masks, lane_mask, masked_load
from .tiles_ahead import AHEAD_EVERY, ASKING

MAX_VECTORS = 2
ROWS_AHEAD = 4  # of B, that a wide tile asks for before it reads them
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
    ("ahead", PTR),  # what is going to be read after the panel, or after the rows of A:
    ("ahead_line", I64),  # bytes between the cache lines to ask for in each part along K,
    ("ahead_part", I64),  # and between parts
    *_C,
)
LISTED_ARGUMENTS = (
    *TILE_ARGUMENTS[:-6],
    ("ahead", PTR),  # table of addresses
    ("ahead_count", I64),  # how many of them to ask for in each part along K
    ("ahead_last", I64),  # number of the last of all
    *_C,
)
COPYING_ARGUMENTS = (
    *TILE_ARGUMENTS[:-6],
    ("ahead", PTR),  # the first of some steps to copy: AHEAD_LINES cache lines of each,
    ("ahead_step", I64),  # so many bytes apart,
    ("to", PTR),  # to here,
    ("to_step", I64),  # so many bytes apart;
    ("each", I64),  # how many of them in each part along K,
    ("ahead_count", I64),  # and of all
    ("every", I64),  # steps along K of a part
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


DOT_ARGUMENTS = (
    *_A,  # a_step must be 1
    ("b", PTR),  # base of B
    ("columns", PTR),  # (offset in elements, anything) of each column of all panels: pairs of i64
    ("panels", I64),  # side by side
    ("b_taps", PTR),
    ("b_step", I64),  # must be 1
    *_C,
)
RUN_ARGUMENTS = (
    *_A,  # tap_count must be 1, and a_step where whole columns are read
    ("b", PTR),  # first column, or first row, whose elements are adjacent
    ("b_step", I64),  # elements between columns, or rows
    ("ahead", I64),  # elements from what is read to what is asked for meanwhile
    ("count", I64),  # columns
    *_C,
)
ARGUMENTS = {
    "tile": TILE_ARGUMENTS,
    "listed": LISTED_ARGUMENTS,
    "copying": COPYING_ARGUMENTS,
    "broad": TILE_ARGUMENTS,
    "wide": TILE_ARGUMENTS,
    "lines": LINE_ARGUMENTS,
    "dots": DOT_ARGUMENTS,
    "columns": RUN_ARGUMENTS,
    "rows": RUN_ARGUMENTS,
}


@dataclass(frozen=True)
class Tile:
    """One kernel of the library."""

    dtype: DType
    rows: int
    vectors: int  # of columns; of dot tiles, columns; 1 where whole ones are read
    kind: str = "tile"

    def name(self, target: Target) -> str:
        """Return its symbol, such as jitnet_tile_f32_6x16."""
        columns = self.vectors * (
            1 if self.kind in ("dots", "columns", "rows") else target.lanes(self.dtype.size)
        )
        return f"jitnet_{self.kind}_{self.dtype.short}_{self.rows}x{columns}"

    def declare(self, module: Module) -> str:
        """Declare it in a module that is going to call it; return its symbol."""
        name = self.name(module.target)
        module.declare(name, "void", [type_ for _, type_ in ARGUMENTS[self.kind]])
        return name


def tile_rows(target: Target, vectors: int) -> int:
    """Return the most rows of a tile of `vectors` vectors that fits the registers.

    rows * vectors accumulators + vectors of B + one element of A, spread; LLVM spills beyond it.
    """
    return min(ROW_POINTERS, (target.vector_registers - 1 - vectors) // vectors)


def wide_vectors(target: Target) -> int:
    """Return the most vectors of a tile of one row, for the product of a vector and a matrix."""
    return target.vector_registers // 2


def line_vectors(target: Target) -> int:
    """Return the most vectors of a line tile, and of a broad one."""
    return 4 if target.vector_registers >= 32 else 2


def line_rows(target: Target) -> int:
    """Return the most rows of a line tile.

    Below 512 bits, masks take vector registers; where there are none, products do, before they are
    added.
    """
    vectors = line_vectors(target)
    masks = vectors if target.vector_bytes < 64 else 0
    return (target.vector_registers - 1 - vectors - masks) // vectors


def dot_columns(target: Target) -> int:
    """Return the most columns of a dot tile; 0 where the target cannot mask a load."""
    if not has_masks(target):
        return 0
    return 4 if target.vector_registers >= 32 else 3


def dot_rows(target: Target) -> int:
    """Return the most rows of a dot tile: rows * columns sums, the columns and one row of A."""
    columns = dot_columns(target)
    return (target.vector_registers - 2 - columns) // columns if columns else 0


def sizes(target: Target, kind: str) -> list[tuple[int, int]]:
    """Return (most rows, vectors) for each number of vectors that tiles of a kind may have."""
    match kind:
        case "lines":
            return [(line_rows(target), v + 1) for v in range(line_vectors(target))]
        case "dots":
            return [(dot_rows(target), v + 1) for v in range(dot_columns(target))]
        case "broad":
            return [(tile_rows(target, v + 1), v + 1) for v in range(line_vectors(target))]
        case "wide":
            return [(1, v) for v in range(MAX_VECTORS + 1, wide_vectors(target) + 1)]
        case "columns" | "rows":
            return [(1 if has_masks(target) else 0, 1)]
        case _:
            return [(tile_rows(target, v + 1), v + 1) for v in range(MAX_VECTORS)]


def emit_tile(module: Module, tile: Tile) -> None:
    """Write a tile kernel whose B is a panel."""
    f = Function(module, tile.name(module.target), ARGUMENTS[tile.kind], internal=False)
    a, rows, taps, tap_count, run, a_step, b, b_step, *ask, c, c_step, accumulate = f.args
    every = ask.pop() if tile.kind == "copying" else f.i64(AHEAD_EVERY)
    ahead, ask_for_more = ASKING[tile.kind](f, *ask)
    wide = tile.kind == "wide"
    element = tile.dtype.llvm
    offsets = [f.i64(row) for row in range(tile.rows)]
    if tile.kind != "copying":  # whose rows are packed side by side: one register finds them all
        offsets = [entry(f, rows, row) for row in offsets]
    pointers = [f.gep(a, offset, element) for offset in offsets]
    with f.loop(f.i64(0), tap_count, carried=[*zeros(f, tile), b, ahead]) as tap:
        *carried, ahead = tap.carried
        start = entry(f, taps, tap.index)
        carried = [*carried, start, ahead]
        parts = f.udiv(f.add(run, f.sub(every, f.i64(1))), every)
        with f.loop(f.i64(0), parts, carried=carried, may_be_empty=False) as part:
            *carried, ahead = part.carried
            if not wide:
                ahead = ask_for_more(ahead)
            steps = f.minimum(every, f.sub(run, f.mul(part.index, every)))
            with f.loop(f.i64(0), steps, carried=carried, may_be_empty=False) as k:
                *sums, line, at = k.carried
                columns = _vectors(f, tile, line)
                if wide:
                    _ask_ahead(f, tile, line, b_step)
                sums = _multiply_add(f, tile, pointers, at, columns, sums)
                k.carry = [*sums, f.gep(line, b_step, element), f.add(at, a_step)]
            part.carry = [*k.results, ahead]
        *carried, _, ahead = part.results
        tap.carry = [*carried, ahead]
    _write_tile(f, tile, tap.results[:-2], c, c_step, accumulate)
    f.finish()


@dataclass(frozen=True)
class Meanwhile:
    """What is written between parts of a run, so many steps each, given the number of the part."""

    steps: int
    write: Callable[[Value], None]


def emit_run(
    f: Function,
    tile: Tile,
    rows: Sequence[Value],
    a_step: Value,
    b: Value,
    b_step: Value,
    steps: int,
    meanwhile: Meanwhile | None = None,
) -> list[Value]:
    """Write the multiply-adds of a tile along one run of K; return its sums, row by row."""
    start = [*zeros(f, tile), b, f.i64(0)]
    if meanwhile is None:
        return _steps(f, tile, rows, a_step, b_step, f.i64(steps), start)[:-2]
    part = meanwhile.steps
    with f.loop(f.i64(0), f.i64(-(-steps // part)), carried=start) as turn:
        meanwhile.write(turn.index)
        left = f.sub(f.i64(steps), f.mul(turn.index, f.i64(part)))
        count = f.i64(part) if steps % part == 0 else f.minimum(f.i64(part), left)
        turn.carry = _steps(f, tile, rows, a_step, b_step, count, turn.carried)
    return turn.results[:-2]


def _steps(
    f: Function,
    tile: Tile,
    rows: Sequence[Value],
    a_step: Value,
    b_step: Value,
    steps: Value,
    start: Sequence[Value],
) -> list[Value]:
    """Write steps along K; start is the sums, B's row and A's offset at the first of them."""
    with f.loop(f.i64(0), steps, carried=start, may_be_empty=False) as k:
        *sums, line, at = k.carried
        sums = _multiply_add(f, tile, rows, at, _vectors(f, tile, line), sums)
        k.carry = [*sums, f.gep(line, b_step, tile.dtype.llvm), f.add(at, a_step)]
    return k.results


def _ask_ahead(f: Function, tile: Tile, line: Value, b_step: Value) -> None:
    """Ask for a later row of a panel: rows lie far apart, which the hardware does not foresee."""
    ahead = f.gep(line, f.mul(b_step, f.i64(ROWS_AHEAD)), tile.dtype.llvm)
    lanes = f.target.lanes(tile.dtype.size)
    for v in range(tile.vectors):
        f.prefetch(f.gep(ahead, f.i64(v * lanes), tile.dtype.llvm))


def emit_lines(module: Module, tile: Tile) -> None:
    """Write a tile kernel that reads B in place, vector by vector: whole ones without masks."""
    f = Function(module, tile.name(module.target), LINE_ARGUMENTS, internal=False)
    a, rows, taps, tap_count, run, a_step, b, lines, b_taps, b_step, *c = f.args
    element = tile.dtype.llvm
    pointers = [f.gep(a, entry(f, rows, f.i64(row)), element) for row in range(tile.rows)]
    sources = [f.gep(b, entry(f, lines, f.i64(2 * v)), element) for v in range(tile.vectors)]
    lanes = f.target.lanes(tile.dtype.size)
    masks: list[Value | None] = [None] * tile.vectors
    if has_masks(f.target):
        counts = [entry(f, lines, f.i64(2 * v + 1)) for v in range(tile.vectors)]
        masks = [lane_mask(f, lanes, count) for count in counts]
    with f.loop(f.i64(0), tap_count, carried=zeros(f, tile), may_be_empty=True) as tap:
        starts = [entry(f, table, tap.index) for table in (taps, b_taps)]
        with f.loop(f.i64(0), run, carried=[*tap.carried, *starts], may_be_empty=True) as k:
            *sums, at, b_at = k.carried
            columns = [
                part_of(f, tile, f.gep(source, b_at, element), mask)
                for source, mask in zip(sources, masks, strict=True)
            ]
            sums = _multiply_add(f, tile, pointers, at, columns, sums)
            k.carry = [*sums, f.add(at, a_step), f.add(b_at, b_step)]
        tap.carry = k.results[:-2]
    _write_tile(f, tile, tap.results, *c)
    f.finish()


def part_of(f: Function, tile: Tile, pointer: Value, mask: Value | None) -> Value:
    """Load a vector, or what a mask lets through of it."""
    size = tile.dtype.size
    type_ = vector(tile.dtype.llvm, f.target.lanes(size))
    if mask is None:
        return f.load(pointer, type_, size)
    return masked_load(f, pointer, mask, type_, size)


def entry(f: Function, table: Value, index: Value) -> Value:
    """Load an entry of a table of i64."""
    return f.load(f.gep(table, index, I64), I64, 8)


def zeros(f: Function, tile: Tile) -> list[Value]:
    """Return the sums of a tile before its first products."""
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
            result.append(fused(f, spread, column, sums[row * tile.vectors + v]))
    return result


def fused(f: Function, a: Value, b: Value, c: Value) -> Value:
    """Return a * b + c, rounded once where the target can do that in one instruction."""
    if f.target.has_fma:
        return f.fma(a, b, c)
    return f.binary("fadd", f.binary("fmul", a, b), c)


def _write_tile(
    f: Function, tile: Tile, sums: Sequence[Value], c: Value, c_step: Value, accumulate: Value
) -> None:
    """Store the sums of a tile in C, or add them to it."""
    element = tile.dtype.llvm
    lanes = sums[0].lanes
    places = []
    for index in range(len(sums)):
        row = f.gep(c, f.mul(f.i64(index // tile.vectors), c_step), element)
        places.append(f.gep(row, f.i64(index % tile.vectors * lanes), element))
    put(f, sums, places, tile.dtype.size, accumulate)


def put(
    f: Function, sums: Sequence[Value], places: Sequence[Value], size: int, accumulate: Value
) -> None:
    """Store sums, or add them to what is in their places."""
    # A loop of no turn or one: what it results in is the sums, or the sums added to C.
    with f.loop(f.i64(0), accumulate, carried=list(sums), may_be_empty=True) as once:
        once.carry = [
            f.fadd(f.load(place, total.type, size), total)
            for place, total in zip(places, once.carried, strict=True)
        ]
    for place, total in zip(places, once.results, strict=True):
        f.store(total, place, size)
