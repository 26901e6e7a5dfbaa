"""Decides, once and statically, how a contraction is blocked, packed and shared among threads.

Nothing here depends on the number of threads: each element of C is the sum of the same blocks of K
in the same order whoever computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from jitnet.runtime.target import Target

from .contraction_form import Contraction, Sizes, canonical, merged
from .microkernels import MAX_VECTORS, line_rows, line_vectors, tile_rows

TABLE_ENTRIES = 1024  # longer offset tables are filled at run time
BLOCK_K_BYTES = 1536  # of one row of A: 384 float32
WHOLE_K_BYTES = 2048  # a K no longer than this stays whole


@dataclass(frozen=True)
class KBlocks:
    """How K is cut into blocks, each a few taps (runs of constant step) or a part of one."""

    sizes: Sizes  # dims outside the run
    a_strides: Sizes
    b_strides: Sizes  # where B is read through taps as well, else empty
    run: int
    a_step: int
    b_step: int
    pieces: int  # a run longer than a block is cut into this many
    piece: int  # steps of a piece; the last may be shorter
    taps: int  # taps of a block; the last block may have fewer

    @property
    def tap_count(self) -> int:
        """Runs in the whole of K."""
        return prod(self.sizes)

    @property
    def count(self) -> int:
        """Blocks in the whole of K."""
        return self.tap_count * self.pieces if self.pieces > 1 else -(-self.tap_count // self.taps)

    @property
    def longest(self) -> int:
        """Steps along K of the longest block."""
        return self.piece if self.pieces > 1 else self.taps * self.run


@dataclass(frozen=True)
class Lines:
    """How columns fall into vectors: each row of the last n dim begins a new one."""

    lanes: int
    inner: int  # columns of the last n dim
    outer: int  # of the others together

    @property
    def chunks(self) -> int:
        """Vectors for each row of the last n dim."""
        return -(-self.inner // self.lanes)

    @property
    def tail(self) -> int:
        """Lanes used of the last of them where that is not all, else 0."""
        return self.inner % self.lanes

    @property
    def count(self) -> int:
        """Vectors altogether."""
        return self.outer * self.chunks


@dataclass(frozen=True)
class Plan:
    """Every static decision about one contraction on one target."""

    c: Contraction  # canonical
    lines: Lines
    vectors: int  # of a full panel of columns
    rows: int  # of a full tile
    k: KBlocks
    source: str  # of B: "matrix" or "lines" in place, "packed" for all of K at once or by "blocks"
    split: str  # what threads share out: "batch", "rows" or "columns"
    row_block: int
    line_block: int  # vectors of columns that are begun together; whole panels
    packs_a: bool
    single_columns: bool  # vectors cross the ends of n dims, so the epilogue gets one at a time

    @property
    def panel(self) -> int:
        """Columns of a full panel, padding included."""
        return self.lines.lanes * self.vectors

    @property
    def tail_vectors(self) -> int:
        """Vectors of the last panel where it is not full, else 0."""
        return self.lines.count % self.vectors

    @property
    def packed_row(self) -> int:
        """Elements between rows of a packed block of A; odd in cache lines, against conflicts."""
        lines = -(-self.row_block * self.c.dtype.size // 64) | 1
        return lines * 64 // self.c.dtype.size

    @property
    def runtime_rows(self) -> bool:
        """Whether the table of row offsets is filled at run time."""
        return not self.packs_a and self.c.rows > TABLE_ENTRIES

    @property
    def runtime_taps(self) -> bool:
        """Whether the table of taps is filled at run time."""
        return not self.packs_a and self.k.tap_count * self.k.pieces > TABLE_ENTRIES

    @property
    def runtime_lines(self) -> bool:
        """Whether the table of B's lines is filled at run time."""
        return self.source == "lines" and self.lines.count > TABLE_ENTRIES

    @property
    def scratch_bytes(self) -> int:
        """Scratch that one thread needs."""
        return sum(-(-length // 64) * 64 for _, length in self.regions.values())

    @property
    def regions(self) -> dict[str, tuple[int, int]]:
        """Return (first byte, bytes) of each part of a thread's scratch; all 64-byte aligned."""
        size, many = self.c.dtype.size, self.k.count > 1
        columns = self.line_block * self.lines.lanes
        depth = {"packed": self.c.depth, "blocks": self.k.longest}.get(self.source, 0)
        wanted = {
            "sums": (self.row_block * columns if many else self.rows * self.panel) * size,
            "b": depth * columns * size,
            "a": self.k.longest * self.packed_row * size if self.packs_a else 0,
            "rows": 8 * self.row_block if self.runtime_rows else 0,
            "taps": 8 * self.k.taps if self.runtime_taps else 0,
            "b_taps": 8 * self.k.taps if self.runtime_taps and self.source == "lines" else 0,
            "lines": 16 * self.line_block if self.runtime_lines else 0,
        }
        result, at = {}, 0
        for name, length in wanted.items():
            result[name] = (at, length)
            at += -(-length // 64) * 64
        return result


def make_plan(c: Contraction, target: Target, packs_b: bool, merge_columns: bool) -> Plan:
    """Return how to compute a contraction; packs_b where B is computed while it is packed.

    merge_columns lets vectors run across n dims; the epilogue then gets single columns.
    """
    scalar = merge_columns and len(canonical(c, merge_columns=True).n) < len(canonical(c).n)
    c = canonical(c, packs_b, merge_columns)
    lanes = target.lanes(c.dtype.size)
    inner = c.n[-1] if c.n else 1
    lines = Lines(lanes, inner, c.columns // inner)
    source = _source(c, target, lines, packs_b)
    most = line_vectors(target) if source == "lines" else MAX_VECTORS
    panels = -(-lines.count // most)
    vectors = -(-lines.count // panels) if source == "lines" else min(most, lines.count)
    rows = line_rows(target) if source == "lines" else tile_rows(target, vectors)
    k = _cut_k(c, joint=source == "lines")
    columns = _line_block(c, k, target, lines, vectors, source)
    return Plan(
        c=c,
        lines=lines,
        vectors=vectors,
        rows=rows,
        k=k,
        source=source,
        split=_split(c, -(-c.rows // rows), -(-lines.count // vectors)),
        row_block=_row_block(c, k, target, rows, columns * lanes, source),
        line_block=columns,
        packs_a=_packs_a(c, k, lanes * vectors, source),
        single_columns=scalar,
    )


def _source(c: Contraction, target: Target, lines: Lines, packs_b: bool) -> str:
    """Choose how B reaches the tiles."""
    size = c.dtype.size
    panel = lines.lanes * min(MAX_VECTORS, lines.count)
    packed = "packed" if c.depth * panel * size <= target.cache_bytes else "blocks"
    if packs_b or not c.n or c.b.free[-1] != 1:
        return packed
    one_step = len(merged(zip(c.k, c.b.k, strict=True))) <= 1
    if len(c.n) == 1 and not lines.tail and one_step:
        step = abs(c.b.k[-1]) * size if c.k else 0
        if c.depth * c.columns * size <= target.cache_bytes // 2 or step <= 1024:
            return "matrix"
    return "lines" if c.rows <= 16 * line_rows(target) else packed


def _cut_k(c: Contraction, joint: bool) -> KBlocks:
    """Cut K into blocks of near-equal length, at most BLOCK_K_BYTES of a row of A.

    Runs have a constant step in A, and in B as well where `joint`.
    """
    if joint:
        dims = list(zip(c.k, c.a.k, c.b.k, strict=True))
    else:
        dims = [(size, step, 0) for size, step in merged(zip(c.k, c.a.k, strict=True))]
    *outer, (run, a_step, b_step) = dims or [(1, 1, 1)]
    sizes, a_strides, b_strides = (tuple(dim[i] for dim in outer) for i in range(3))
    size = c.dtype.size
    most = (BLOCK_K_BYTES if c.depth * size > WHOLE_K_BYTES else WHOLE_K_BYTES) // size
    pieces = -(-run // most)
    piece = -(-run // pieces)
    pieces = -(-run // piece)
    blocks = -(-prod(sizes) // max(1, most // run))
    taps = -(-prod(sizes) // blocks) if pieces == 1 else 1
    return KBlocks(sizes, a_strides, b_strides, run, a_step, b_step, pieces, piece, taps)


def _split(c: Contraction, tiles: int, panels: int) -> str:
    """Choose what threads share out: whole products, else columns unless there are few of them."""
    if c.batches >= 8 or (c.batches > 1 and c.batches >= max(panels, tiles)):
        return "batch"
    return "columns" if panels >= min(tiles, 4) else "rows"


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
    fitting = target.cache_bytes // 2 // (depth * c.dtype.size) // lines.lanes
    return min(whole, max(1, fitting // vectors) * vectors)


def _row_block(
    c: Contraction, k: KBlocks, target: Target, rows: int, columns: int, source: str
) -> int:
    """Return the rows that stay in cache while the columns pass: whole tiles.

    Where B is packed block by block, more rows mean less packing, and only their sums must fit.
    """
    per_row = (columns if source == "blocks" else k.longest) * c.dtype.size
    fitting = max(6, target.cache_bytes // 4 // per_row // rows) * rows
    return min(-(-c.rows // rows) * rows, fitting)


def _packs_a(c: Contraction, k: KBlocks, panel: int, source: str) -> bool:
    """Return whether A is copied, K-major: its rows are adjacent, its steps along K far."""
    far = k.a_step * c.dtype.size >= 512 and k.longest >= 64 and source != "lines"
    return far and c.a.free == (1,) and c.columns >= 2 * panel and c.rows >= 8
