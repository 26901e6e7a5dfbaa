"""The ways to compute a contraction: how B reaches the tiles, and how large the blocks are.

B is read in place as a "matrix", or in place as "lines", one vector of columns at a time; or it is
"packed" in panels for all of K at once, or so by "blocks" of K. In "dots", lanes run along K; so
they do in "columns", of which each is read in one piece, as "rows" are where threads share batches.
Where B would be packed but comes from memory, A is, instead: the product is computed transposed,
rows of C in the lanes and columns of B read in place, and its sums are turned back. Each of them is
then read once, in long runs which tiles ask for ahead; and turning is less work than packing.
"""

from __future__ import annotations

from dataclasses import replace
from math import lcm, prod

from jitnet.runtime.target import Target

from .contraction_form import Contraction, canonical, has_whole_columns, merged, swapped
from .contraction_plan import KBlocks, Lines, Plan
from .masks import has_masks
from .microkernels import (
    MAX_VECTORS,
    dot_columns,
    dot_rows,
    line_rows,
    line_vectors,
    tile_rows,
    wide_vectors,
)
from .tiles_ahead import AHEAD_EVERY, AHEAD_LINES, CACHE_LINE

BLOCK_K_BYTES = 2048  # of one row of A: 512 float32,
PANEL_SHARE = 2  # of level 2 holds a packed panel: all of K, so that no sums wait in memory
TURNED_K_BYTES = 4096  # of one row of A, where products are turned

STREAM_VECTORS = 64  # columns of a block whose epilogue streams: the length of a run in memory
SHORTEST_TURNED = 2048  # bytes of a row that is read in place: shorter runs come slowly
TURNED_UNITS = 2  # of rows whose tiles and squares end together, in a block
DOT_K_BYTES = 4096  # of a row and of a column of a block of dot products
COLUMN_K_BYTES = 32768  # of the row that whole columns are multiplied by: it stays in level 1
COLUMN_TILE_BYTES = 8192  # of B that a call of a column tile reads, and more
ROW_VECTORS = 256  # of a row, and its sums, which stay in level 1
FEWEST_BATCHES = 8  # that threads share out whatever the products are
FEWEST_TILES = 8  # of rows that threads share out by choice: fewer leave some idle at the end


def ways(c: Contraction, target: Target, packs_b: bool, streams: bool) -> list[Plan]:
    """Return plans for a contraction; `plan` in contraction_choice.py tells of the arguments."""
    plain = canonical(c, keep_k_order=packs_b)
    if plain.limits:
        assert not packs_b and plain.b.free[-1:] == (1,), "limited sums are read in place"
        return [tile_plan(plain, target, packs_b, streams)]
    if not packs_b and _reads_rows(plain, target):
        return [row_plan(plain, target)]
    merged_columns = canonical(c, keep_k_order=packs_b, merge_columns=True)
    found = [tile_plan(plain, target, packs_b, streams)]
    if len(merged_columns.n) < len(plain.n):
        found.append(tile_plan(merged_columns, target, packs_b, single_columns=True))
    if not packs_b and _turns(swapped(plain), target):
        found.append(turned_plan(swapped(plain), target))
    elif not packs_b and dot_columns(target) and plain.k and plain.a.k[-1] == plain.b.k[-1] == 1:
        whole = plain.rows == len(plain.k) == len(plain.n) == 1
        found.append((column_plan if whole else dot_plan)(plain, target))
    return found


def tile_plan(
    c: Contraction,
    target: Target,
    packs_b: bool,
    streams: bool = False,
    single_columns: bool = False,
) -> Plan:
    """Return a plan whose lanes are columns; single_columns where they cross the end of a dim."""
    lanes = target.lanes(c.dtype.size)
    inner = c.n[-1] if c.n else 1
    lines = Lines(lanes, inner, c.columns // inner)
    source = _source(c, target, lines, packs_b)
    if source == "lines":
        vectors = -(-lines.count // -(-lines.count // line_vectors(target)))
        rows = line_rows(target)
    elif source == "matrix" and c.rows == 1 and len(c.n) == 1 and _wide(lines, target):
        vectors, rows = _wide(lines, target), 1
    else:
        vectors = min(MAX_VECTORS, lines.count)
        rows = tile_rows(target, vectors)
    k = _cut_k(c, source == "lines", c.depth * c.dtype.size if c.limits else BLOCK_K_BYTES)
    packs_a = _packs_a(c, k, lanes * vectors, source)
    if source == "packed" and not packs_a:
        k = _cut_k(c, False, target.cache_bytes // PANEL_SHARE // (lanes * vectors))
    foresees = "panel" if lines.count > vectors and _foresees_panel(c, target, source) else ""
    line_block = _line_block(c, k, target, lines, vectors, source)
    if foresees and source == "packed":
        line_block = vectors  # a panel is packed when it has come
    if streams:
        line_block = min(line_block, STREAM_VECTORS // vectors * vectors)
    sums = line_block * lanes if source == "blocks" or streams else 0
    per_row = max(sums, k.longest if source != "blocks" else 0)
    found = Plan(
        c=c,
        lines=lines,
        vectors=vectors,
        rows=rows,
        k=k,
        source=source,
        width=lanes,
        split=_split(c, -(-c.rows // rows), -(-lines.count // vectors), source, packs_a),
        row_block=_row_block(c, target, rows, per_row),
        line_block=line_block,
        packs_a=packs_a,
        single_columns=single_columns,
        streams=streams,
        foresees=foresees,
    )
    return _foreseeing_a(found, target) if packs_a and not foresees else found


def dot_plan(c: Contraction, target: Target) -> Plan:
    """Return a plan whose lanes are steps along K, adjacent in both operands."""
    lanes, most, rows = target.lanes(c.dtype.size), dot_columns(target), dot_rows(target)
    split = _split(c, -(-c.rows // rows), -(-c.columns // most), "dots", False)
    vectors = _dot_vectors(-(-c.columns // 2) if split == "columns" else c.columns, most)
    k = _cut_k(c, True, DOT_K_BYTES)
    near = c.batches * c.depth * c.columns * c.dtype.size <= target.cache_bytes
    panels = -(-c.columns // vectors)
    line_block = (panels if near else min(panels, 16)) * vectors
    return Plan(
        c=c,
        lines=Lines(1, c.columns, 1),
        vectors=vectors,
        rows=rows,
        k=k,
        source="dots",
        width=1,
        k_lanes=lanes,
        split=split,
        row_block=_row_block(c, target, rows, k.longest),
        line_block=line_block,
        packs_a=False,
        single_columns=True,
        streams=False,
        foresees="",
        rows_stay=near,
    )


def _dot_vectors(columns: int, most: int) -> int:
    """Return how many columns a dot tile is to have, so that few are missing in the last one."""
    fewest = -(-2 * most // 3)  # enough sums to keep the multipliers busy
    if columns <= fewest:
        return columns
    return min(range(most, fewest - 1, -1), key=lambda width: -(-columns // width) * width)


def column_plan(c: Contraction, target: Target) -> Plan:
    """Return a plan for one row, whose lanes are steps along K, and which reads whole columns."""
    lanes = target.lanes(c.dtype.size)
    lines = Lines(lanes, c.columns, 1)
    k = _cut_k(c, True, COLUMN_K_BYTES)
    wanted = COLUMN_TILE_BYTES // (lanes * k.longest * c.dtype.size)
    vectors = min(max(wanted, 1), lines.count)
    whole = -(-lines.count // vectors) * vectors
    return Plan(
        c=c,
        lines=lines,
        vectors=vectors,
        rows=1,
        k=k,
        source="columns",
        width=lanes,
        k_lanes=lanes,
        split=_split(c, 1, -(-lines.count // vectors), "columns", False),
        row_block=1,
        line_block=whole if k.count == 1 else min(whole, 256 // vectors * vectors),
        packs_a=False,
        single_columns=False,
        streams=False,
        foresees="",
    )


def row_plan(c: Contraction, target: Target) -> Plan:
    """Return a plan for one row of A and whole rows of B."""
    lanes = target.lanes(c.dtype.size)
    lines = Lines(lanes, c.columns, 1)
    vectors = -(-lines.count // -(-lines.count // ROW_VECTORS))
    return Plan(
        c=c,
        lines=lines,
        vectors=vectors,
        rows=1,
        k=_cut_k(c, True, c.depth * c.dtype.size),
        source="rows",
        width=lanes,
        split="batch",
        row_block=1,
        line_block=vectors,
        packs_a=False,
        single_columns=False,
        streams=False,
        foresees="",
    )


def _reads_rows(c: Contraction, target: Target) -> bool:
    """Return whether to read whole rows of B: one row of A, and more of B than a tile is wide."""
    alone = c.rows == len(c.k) == len(c.n) == 1 and c.b.free == (1,) and has_masks(target)
    wide = c.columns > wide_vectors(target) * target.lanes(c.dtype.size)
    far = c.batches * c.depth * c.columns * c.dtype.size > 2 * target.cache_bytes
    return alone and wide and far and c.batches >= FEWEST_BATCHES


def turned_plan(c: Contraction, target: Target) -> Plan:
    """Return a plan whose lanes are rows of the caller's C: `c` is the caller's, exchanged.

    A, the caller's B, comes from memory, read in place by each tile for all panels; tiles ask for
    the rows of the next. B, the caller's A, is packed: it is small.
    """
    lanes = target.lanes(c.dtype.size)
    lines = Lines(lanes, c.columns, 1)
    vectors = -(-lines.count // -(-lines.count // line_vectors(target)))
    rows = tile_rows(target, vectors)
    return Plan(
        c=c,
        lines=lines,
        vectors=vectors,
        rows=rows,
        k=_cut_k(c, False, _turned_bytes(c, target)),
        source="packed",
        width=lanes,
        split="rows",
        row_block=TURNED_UNITS * lcm(rows, lanes),
        line_block=-(-lines.count // vectors) * vectors,
        packs_a=False,
        single_columns=False,
        streams=False,
        foresees="rows",
        turned=True,
    )


def _turns(c: Contraction, target: Target) -> bool:
    """Return whether a product may be computed transposed; c is the caller's, exchanged.

    That is for rows that lie whole and come from memory. What B has in a block of K must fit level
    2 besides.
    """
    whole_rows = c.a.k == c.b.k == (1,) and len(c.m) == len(c.n) == 1 and c.batches == 1
    size = c.dtype.size
    near = _turned_bytes(c, target) >= min(c.depth * size, SHORTEST_TURNED)
    far = c.rows * c.depth * size > 2 * target.cache_bytes
    return whole_rows and near and far and c.columns >= 2 * target.lanes(size)


def _turned_bytes(c: Contraction, target: Target) -> int:
    """Return the bytes of a row in a block of K of a turned product."""
    return min(TURNED_K_BYTES, target.cache_bytes // 2 // c.columns)


def _source(c: Contraction, target: Target, lines: Lines, packs_b: bool) -> str:
    """Choose how B reaches the tiles."""
    if c.limits:
        return "lines"
    size = c.dtype.size
    panel = lines.lanes * min(MAX_VECTORS, lines.count)
    # Transposing run by run, which only "packed" can, is worth a panel as large as the cache.
    steps = len(merged(zip(c.k, c.b.k, strict=True)))
    in_runs = not packs_b and c.b.free[-1:] != (1,) and steps > 1
    fitting = target.cache_bytes if in_runs else target.cache_bytes // PANEL_SHARE
    packed = "packed" if c.depth * panel * size <= fitting else "blocks"
    if packs_b or not c.n or c.b.free[-1] != 1:
        return packed
    whole = len(c.n) == 1 or lines.inner % (lines.lanes * MAX_VECTORS) == 0  # panels, that is
    if whole and not lines.tail and steps <= 1:
        step = abs(c.b.k[-1]) * size if c.k else 0
        near = c.depth * c.columns * size <= target.cache_bytes // 2 or step <= 1024
        if near or (c.rows == 1 and _wide(lines, target)):
            return "matrix"
    in_place = c.rows <= 16 * line_rows(target) and (has_masks(target) or not lines.tail)
    return "lines" if in_place else packed


def _wide(lines: Lines, target: Target) -> int:
    """Return the vectors of wide tiles that cover the columns, or 0 where none does."""
    widths = range(wide_vectors(target), MAX_VECTORS, -1)
    return next((width for width in widths if lines.count % width == 0), 0)


def _cut_k(c: Contraction, joint: bool, block_bytes: int) -> KBlocks:
    """Cut K into blocks of near-equal length: at most `block_bytes` of a row of A.

    Runs have a constant step in A, and in B as well where `joint`.
    """
    if joint:
        dims = list(zip(c.k, c.a.k, c.b.k, strict=True))
    else:
        dims = [(size, step, 0) for size, step in merged(zip(c.k, c.a.k, strict=True))]
    *outer, (run, a_step, b_step) = dims or [(1, 1, 1)]
    sizes, a_strides, b_strides = (tuple(dim[i] for dim in outer) for i in range(3))
    size = c.dtype.size
    most = block_bytes // size
    pieces = -(-run // most)
    piece = -(-run // pieces)
    pieces = -(-run // piece)
    blocks = -(-prod(sizes) // max(1, most // run))
    taps = -(-prod(sizes) // blocks) if pieces == 1 else 1
    return KBlocks(sizes, a_strides, b_strides, run, a_step, b_step, pieces, piece, taps)


def _split(c: Contraction, tiles: int, panels: int, source: str, packs_a: bool) -> str:
    """Choose what threads share out: whole products, else columns unless there are few of them.

    Sharing columns, each thread reads all of A, which may be more than all of B: then rows. Where
    B is read in place, results count as well: rows of them lie in one piece, whose cache lines one
    thread keeps. Those of a weight's update it packs in the next step; columns had to come from the
    other core, and where that was far away took an update of 128 x 784 from 35 to 60 us.
    """
    if c.batches >= FEWEST_BATCHES or (c.batches > 1 and c.batches >= max(panels, tiles)):
        return "batch"
    if panels < min(tiles, 4):
        return "rows"
    whole_a = c.rows * c.depth * (2 if packs_a else 1)
    whole_b = c.columns * c.depth * (3 if source in ("packed", "blocks") else 1)
    results = c.rows * c.columns if source == "matrix" else 0
    return "rows" if tiles >= FEWEST_TILES and whole_b < whole_a + results else "columns"


def _line_block(
    c: Contraction, k: KBlocks, target: Target, lines: Lines, vectors: int, source: str
) -> int:
    """Return the vectors that are packed, or summed, before others are begun: whole panels."""
    whole = -(-lines.count // vectors) * vectors
    if source == "matrix" and k.count == 1:
        return whole
    if source == "lines":
        return min(whole, 256 // vectors * vectors)
    depth = c.depth if source == "packed" else k.longest
    # Packed for all of K, they may spill to level 3: each panel is read once for a block of rows.
    budget = 2 * target.cache_bytes if source == "packed" else target.cache_bytes // 2
    fitting = budget // (depth * c.dtype.size) // lines.lanes
    return min(whole, max(1, fitting // vectors) * vectors)


def _foreseeing_a(plan: Plan, target: Target) -> Plan:
    """Return the plan with tiles that ask for the next block of A, where it is not in cache.

    Its rows are parts of longer ones, a few lines each, which the hardware does not foresee: as
    many as a part of a tile asks for. B must not be packed again for each of these smaller blocks.
    """
    c, size = plan.c, plan.c.dtype.size
    rows = AHEAD_LINES * CACHE_LINE // size // plan.rows * plan.rows
    tiles = rows // plan.rows * (plan.line_block // plan.vectors)
    one_run = not plan.k.sizes and plan.source != "blocks"
    far = c.rows * c.depth * size > 2 * target.cache_bytes
    pays = one_run and far and tiles >= AHEAD_EVERY and rows <= plan.row_block
    return replace(plan, row_block=rows, foresees="block") if pays else plan


def _foresees_panel(c: Contraction, target: Target, source: str) -> bool:
    """Return whether tiles ask for the next panel of B: it lies in one piece, but not in cache.

    In one piece are whole columns, and rows of what are panels already. Asking for what is in
    cache cost the steps of an LSTM 3 %: its weights stay there. Whole columns are then packed
    panel by panel, and A is read for each: so not where A is the longer one.
    """
    whole_columns = has_whole_columns(c) and c.rows <= c.columns
    in_one_piece = whole_columns if source == "packed" else len(c.n) == 2
    size = c.batches * c.depth * c.columns * c.dtype.size
    return source in ("packed", "matrix") and in_one_piece and size > 2 * target.cache_bytes


def _row_block(c: Contraction, target: Target, rows: int, per_row: int) -> int:
    """Return the rows of which `per_row` elements each stay in cache: whole tiles.

    These are A's, while the columns pass; but where B is packed block by block, more rows mean
    less packing, and only their sums must fit.
    """
    fitting = max(6, target.cache_bytes // 4 // (per_row * c.dtype.size) // rows)
    tiles = -(-c.rows // rows)
    return -(-tiles // -(-tiles // fitting)) * rows  # blocks of equal size, not a thin last one


def _packs_a(c: Contraction, k: KBlocks, panel: int, source: str) -> bool:
    """Return whether A is copied, K-major: its rows are adjacent, its steps along K far."""
    far = k.a_step * c.dtype.size >= 512 and k.longest >= 64 and source != "lines"
    return far and c.a.free == (1,) and c.columns >= 2 * panel and c.rows >= 8
