"""Decides, once and statically, how a contraction is blocked, packed and shared among threads.

Nothing here depends on the number of threads: each element of C is the sum of the same blocks of K
in the same order whoever computes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from jitnet.runtime.target import Target

from .contraction_form import Contraction, Sizes, canonical, merged
from .microkernels import MAX_VECTORS, tile_rows

TABLE_ENTRIES = 1024  # longer offset tables are filled at run time
BLOCK_K_BYTES = 1536  # of one row of A: 384 float32


@dataclass(frozen=True)
class KBlocks:
    """How K is cut into blocks, each a few taps (runs of constant step in A) or a part of one."""

    sizes: Sizes  # dims outside the run
    strides: Sizes  # of A
    run: int
    step: int  # of A, inside the run
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

    def offsets(self) -> list[int]:
        """Return A's offset for each tap, or for each piece of each tap."""
        result = [0]
        for size, stride in zip(self.sizes, self.strides, strict=True):
            result = [base + index * stride for base in result for index in range(size)]
        length = self.piece * self.step
        return [base + piece * length for base in result for piece in range(self.pieces)]


@dataclass(frozen=True)
class Plan:
    """Every static decision about one contraction on one target."""

    c: Contraction  # canonical
    lanes: int
    vectors: int  # of a full panel of columns
    rows: int  # of a full tile
    k: KBlocks
    split: str  # what threads share out: "batch", "rows" or "columns"
    row_block: int
    column_block: int
    pack_b: str  # "no": read in place; "all" of K at once; "block" by block
    pack_a: bool

    @property
    def panel(self) -> int:
        """Columns of a full panel."""
        return self.lanes * self.vectors

    @property
    def tail(self) -> int:
        """Columns of the last panel where it is not full, else 0."""
        return self.c.columns % self.panel

    @property
    def packed_row(self) -> int:
        """Elements between rows of a packed block of A; odd in cache lines, against conflicts."""
        lines = -(-self.row_block * self.c.dtype.size // 64) | 1
        return lines * 64 // self.c.dtype.size

    @property
    def runtime_rows(self) -> bool:
        """Whether the table of row offsets is filled at run time."""
        return not self.pack_a and self.c.rows > TABLE_ENTRIES

    @property
    def runtime_taps(self) -> bool:
        """Whether the table of taps is filled at run time."""
        return not self.pack_a and self.k.tap_count * self.k.pieces > TABLE_ENTRIES

    @property
    def regions(self) -> dict[str, tuple[int, int]]:
        """Return (first byte, bytes) of each part of a thread's scratch; all 64-byte aligned."""
        size, k_rows = self.c.dtype.size, self.c.depth if self.pack_b == "all" else self.k.longest
        rows = self.row_block if self.k.count > 1 else self.rows
        columns = self.column_block if self.k.count > 1 else self.panel
        wanted = {
            "sums": rows * columns * size,
            "b": k_rows * self.column_block * size if self.pack_b != "no" else 0,
            "a": self.k.longest * self.packed_row * size if self.pack_a else 0,
            "rows": 8 * self.row_block if self.runtime_rows else 0,
            "taps": 8 * self.k.taps if self.runtime_taps else 0,
        }
        result, at = {}, 0
        for name, length in wanted.items():
            result[name] = (at, length)
            at += -(-length // 64) * 64
        return result


def scratch_bytes(c: Contraction, target: Target, packs_b: bool = False) -> int:
    """Return the scratch that one thread needs; packs_b where a producer is fused into packing."""
    return sum(-(-length // 64) * 64 for _, length in plan(c, target, packs_b).regions.values())


@lru_cache(maxsize=1024)
def plan(c: Contraction, target: Target, packs_b: bool = False) -> Plan:
    """Return how to compute a contraction; packs_b where B is computed while it is packed."""
    c = canonical(c, keep_k_order=packs_b)
    lanes = target.lanes(c.dtype.size)
    vectors = min(MAX_VECTORS, -(-c.columns // lanes))
    rows = tile_rows(target, vectors)
    panel = lanes * vectors
    k = _cut_k(c)
    pack_b = _packing(c, k, target, panel, packs_b)
    columns = _column_block(c, k, target, panel, pack_b)
    row_block = _row_block(c, k, target, rows, columns, pack_b)
    return Plan(
        c=c,
        lanes=lanes,
        vectors=vectors,
        rows=rows,
        k=k,
        split=_split(c, rows, panel),
        row_block=row_block,
        column_block=columns,
        pack_b=pack_b,
        pack_a=_packs_a(c, k, panel),
    )


def _cut_k(c: Contraction) -> KBlocks:
    """Cut K into blocks of near-equal length, at most BLOCK_K_BYTES of a row of A."""
    dims = merged(zip(c.k, c.a.k, strict=True)) or [(1, 1)]
    *outer, (run, step) = dims
    most = BLOCK_K_BYTES // c.dtype.size
    sizes, strides = tuple(dim[0] for dim in outer), tuple(dim[1] for dim in outer)
    tap_count = prod(sizes)
    if run > most:
        pieces = -(-run // most)
        piece = -(-run // pieces)
        return KBlocks(sizes, strides, run, step, -(-run // piece), piece, 1)
    blocks = -(-tap_count // (most // run))
    return KBlocks(sizes, strides, run, step, 1, run, -(-tap_count // blocks))


def _split(c: Contraction, rows: int, panel: int) -> str:
    """Choose what threads share out: whole products, else columns unless there are few of them."""
    panels, tiles = -(-c.columns // panel), -(-c.rows // rows)
    if c.batches >= 8 or (c.batches > 1 and c.batches >= max(panels, tiles)):
        return "batch"
    return "columns" if panels >= min(tiles, 4) else "rows"


def _packing(c: Contraction, k: KBlocks, target: Target, panel: int, packs_b: bool) -> str:
    """Choose how B reaches the tiles."""
    size = c.dtype.size
    if not packs_b and in_place(c, target) and c.columns % target.lanes(size) == 0:
        step_bytes = abs(c.b.k[-1]) * size if c.k else 0
        if c.depth * c.columns * size <= target.cache_bytes // 2 or step_bytes <= 1024:
            return "no"
    return "all" if c.depth * panel * size <= target.cache_bytes else "block"


def in_place(c: Contraction, target: Target) -> bool:
    """Return whether the tiles can read B where it is: columns adjacent, K one even step."""
    return c.b.free == (1,) and len(merged(zip(c.k, c.b.k, strict=True))) <= 1


def _column_block(c: Contraction, k: KBlocks, target: Target, panel: int, pack_b: str) -> int:
    """Return the columns that are packed, or summed, before others are begun: whole panels."""
    whole = -(-c.columns // panel) * panel
    if pack_b == "no" and k.count == 1:
        return whole
    depth = c.depth if pack_b == "all" else k.longest
    fitting = target.cache_bytes // 2 // (depth * c.dtype.size) // panel * panel
    return min(whole, max(panel, fitting))


def _row_block(
    c: Contraction, k: KBlocks, target: Target, rows: int, columns: int, pack_b: str
) -> int:
    """Return the rows that stay in cache while the columns pass: whole tiles.

    Where B is packed block by block, more rows mean less packing, and only their sums must fit.
    """
    per_row = k.longest * c.dtype.size
    if pack_b == "block":
        per_row = columns * c.dtype.size
    fitting = max(6, target.cache_bytes // 4 // per_row // rows) * rows
    return min(-(-c.rows // rows) * rows, fitting)


def _packs_a(c: Contraction, k: KBlocks, panel: int) -> bool:
    """Return whether A is copied, K-major: its rows are adjacent, its steps along K far."""
    far = k.step * c.dtype.size >= 512 and k.longest >= 64
    return far and c.a.free == (1,) and c.columns >= 2 * panel and c.rows >= 8
