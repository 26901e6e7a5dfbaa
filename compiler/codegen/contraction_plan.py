"""What is decided of a contraction before its loops are written: blocks, packing, sharing.

Nothing here depends on the number of threads: each element of C is the sum of the same blocks of K
in the same order whoever computes it.
"""

from __future__ import annotations

from math import lcm, prod

from jitnet.runtime.dataclass import dataclass

from .contraction_form import Contraction, Sizes
from .microkernels import MAX_VECTORS
from .team import Shared
from .tiles_ahead import CACHE_LINE

BYTES_AHEAD = 8192  # of B that is read in long runs: memory takes 100 lines' time to answer
DEEP = 128  # products of a sum that take as long as memory does to answer
MOST_PLACES = 24  # that finishing a vector of results touches, if tiles ask for them
LATER_BYTES = 64  # that say which tile is to be finished later
LEAST_TILES = 2  # of rows that are claimed: each part of a product has thin ones at its end
LEAST_PANELS = 4  # that are claimed: for each part, a thread reads the whole of A
TABLE_ENTRIES = 1024  # longer offset tables are filled at run time

# Of tiles whose B is a panel, by what they foresee: those that ask for nothing ask by a list as
# well, one without entries, since each kind is compiled for itself, for every number of rows.
KINDS = {"": "listed", "results": "listed", "panel": "tile", "rows": "broad", "block": "copying"}


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
    source: str  # of B: see contraction_ways.py
    width: int  # elements that a line takes in a panel and among the sums
    split: str  # what threads share out: "batch", "rows" or "columns"
    row_block: int
    line_block: int  # vectors of columns that are begun together; whole panels
    packs_a: bool
    single_columns: bool  # vectors cross the ends of n dims, so the epilogue gets one at a time
    streams: bool  # the epilogue runs over the long rows of a whole block
    # What tiles ask for meanwhile: the next "panel" of B, "rows" of A, what their "results" need,
    # or nothing: ""; in "block", they copy the next block of A.
    foresees: str
    k_lanes: int = 1  # steps along K that a vector of partial sums takes at once
    rows_stay: bool = False  # in level 1, while all panels of a block, which is near, are read
    turned: bool = False  # c is the caller's with A and B exchanged: its sums are turned back

    @property
    def finishes_blocks(self) -> bool:
        """Whether the epilogue runs over whole blocks, not tile by tile."""
        return self.streams or self.turned or self.source == "dots"

    @property
    def keeps_sums(self) -> bool:
        """Whether the sums of a whole block are kept, not those of one tile."""
        return self.finishes_blocks or self.k.count > 1

    @property
    def row_unit(self) -> int:
        """Rows that one thread computes together: whole squares of whole tiles where it turns them.

        Else each by itself: thin tiles at the end cost less than unequal parts. Where blocks of A
        are foreseen, they begin at cache lines.
        """
        if self.turned:
            return lcm(self.rows, self.width)
        return CACHE_LINE // self.c.dtype.size if self.foresees == "block" else 1

    def shared(self, axis: str) -> tuple[Shared, int]:
        """Return how threads share out "batch", "rows" or "columns", and how much is one block."""
        match axis:
            case "batch":
                return Shared(self.c.batches, most=1), 1
            case "rows":
                whole = max(1, self.row_block // self.row_unit)
                least = min(whole, -(-LEAST_TILES * self.rows // self.row_unit))
                return Shared(self.c.rows, self.row_unit, least, whole), self.row_block
            case "columns":
                whole = self.line_block // self.vectors
                least = whole if self.packs_a or self.streams else min(LEAST_PANELS, whole)
                lines = self.lines.count
                return Shared(lines, self.vectors, least, whole), self.line_block
            case other:
                raise AssertionError(other)

    @property
    def line_blocks(self) -> int:
        """Blocks of columns, where one thread goes through all columns."""
        return -(-self.lines.count // self.line_block)

    @property
    def turns(self) -> int:
        """How often threads share out the split axis."""
        inside = {"batch": 1, "columns": self.c.batches}
        return inside.get(self.split, self.c.batches * self.line_blocks)

    @property
    def panel(self) -> int:
        """Elements of a row of a full panel."""
        return self.width * self.vectors

    @property
    def sums_step(self) -> int:
        """Elements between rows of a tile's sums: of dot products, those of whole blocks."""
        return self.line_block if self.source == "dots" else self.panel

    @property
    def tail_vectors(self) -> int:
        """Vectors of the last panel where it is not full, else 0."""
        return self.lines.count % self.vectors

    @property
    def packed_row(self) -> int:
        """Elements between rows of a packed block of A; odd in cache lines, against conflicts."""
        lines = -(-self.row_block * self.c.dtype.size // CACHE_LINE) | 1
        return lines * CACHE_LINE // self.c.dtype.size

    @property
    def reads_lines(self) -> bool:
        """Whether each line of B is read in place, at an offset of its own."""
        return self.source in ("lines", "dots")

    @property
    def reads_runs(self) -> bool:
        """Whether B is read in place, whole columns or whole rows at a time."""
        return self.source in ("columns", "rows")

    @property
    def run_step(self) -> int:
        """Elements of B between the columns, or rows, that are read one after the other."""
        return self.c.b.free[0] if self.source == "columns" else self.c.b.k[0]

    @property
    def run_ahead(self) -> int:
        """Elements of B from what is read to what is asked for: further on, or in a later run."""
        run = self.k.longest if self.source == "columns" else self.panel
        wanted = BYTES_AHEAD // self.c.dtype.size
        if run == self.run_step or run >= 4 * wanted:
            return wanted
        return -(-wanted // run) * self.run_step

    @property
    def kind(self) -> str:
        """The kind of tile kernels."""
        if self.reads_lines or self.reads_runs:
            return self.source
        if self.vectors > MAX_VECTORS and not self.turned:
            return "wide"
        return KINDS[self.foresees]

    @property
    def copies_a(self) -> bool:
        """Whether tiles copy the next block of A."""
        return self.foresees == "block"

    @property
    def may_foresee_results(self) -> bool:
        """Whether tiles could ask for what finishing them touches: long sums, nothing else to do.

        The runs that a tile's results touch are too short for the hardware to foresee them.
        """
        by_tile = not (self.finishes_blocks or self.single_columns)
        return self.kind == "listed" and by_tile and self.k.longest >= DEEP

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
        return self.reads_lines and self.lines.count > TABLE_ENTRIES

    @property
    def scratch_bytes(self) -> int:
        """Scratch that one thread needs."""
        return sum(-(-length // 64) * 64 for _, length in self.regions.values())

    @property
    def regions(self) -> dict[str, tuple[int, int]]:
        """Return (first byte, bytes) of each part of a thread's scratch; all 64-byte aligned."""
        size = self.c.dtype.size
        columns = self.line_block * self.width
        beside = self.width * size if self.source == "rows" else 0  # B need not start at a line
        depth = {"packed": self.c.depth, "blocks": self.k.longest}.get(self.source, 0)
        wanted = {
            "sums": (self.row_block * columns if self.keeps_sums else self.rows * self.panel) * size
            + beside,
            "turned": self.row_block * self.panel * size if self.turned else 0,
            "b": depth * columns * size,
            "a": self.k.longest * self.packed_row * size * (self.packs_a + self.copies_a),
            "copied": 24 if self.copies_a else 0,
            "rows": 8 * self.row_block if self.runtime_rows else 0,
            "taps": 8 * self.k.taps if self.runtime_taps else 0,
            "b_taps": 8 * self.k.taps if self.runtime_taps and self.reads_lines else 0,
            "lines": 16 * self.line_block if self.runtime_lines else 0,
            "later": LATER_BYTES,
            "asked": 8 * self.rows * self.vectors * MOST_PLACES if self.may_foresee_results else 0,
        }
        result, at = {}, 0
        for name, length in wanted.items():
            result[name] = (at, length)
            at += -(-length // 64) * 64
        return result
