"""Packs a panel of B while whole tiles of the panel before multiply, each a part of its rows.

Rows of B that lie far apart come a few cache lines at a time, so that packing waits for memory; and
tiles need none of what it waits with. All panels of a part but the first are packed so, by tiles of
the first block of rows: for all later blocks they are there.
"""

from __future__ import annotations

from jitnet.runtime.dataclass import dataclass

from .contraction_affine import column_of
from .contraction_blocks import Block
from .contraction_packing import PanelPacker
from .contraction_plan import Plan
from .contraction_rows import whole_lines, whole_tiles
from .emitter import Function, Value, vector
from .microkernels import Meanwhile
from .team import Range

ROWS_AHEAD = 64  # of B, that are asked for before they are copied


@dataclass(frozen=True)
class TilePlace:
    """Where a tile is: the batch element, its block, its first row, the first line of its panel."""

    batch: Value
    block: Block
    row: Value
    line: Value


class NextPanel:
    """Writes the packing of the panel after a tile's."""

    def __init__(self, f: Function, plan: Plan, packer: PanelPacker) -> None:
        self.f = f
        self.plan = plan
        self.packer = packer
        self.tiles = whole_tiles(plan)
        self.rows = -(-plan.c.depth // self.tiles)  # of the panel, for each of them

    def pack_others(self, panels: Value, lines: Range) -> None:
        """Pack the panels of a part that no tile packs: the first, and one that is not whole."""
        f, plan = self.f, self.plan
        second = f.add(lines.start, f.i64(plan.vectors))
        self._pack(panels, lines, lines.start, f.minimum(second, lines.stop))
        whole = whole_lines(plan)
        if whole < plan.lines.count:
            self._pack(panels, lines, f.maximum(second, f.i64(whole)), lines.stop)

    def _pack(self, panels: Value, lines: Range, first: Value, stop: Value) -> None:
        f, plan = self.f, self.plan
        before = f.mul(f.sub(first, lines.start), f.i64(plan.width * plan.c.depth))
        to = f.gep(panels, before, plan.c.dtype.llvm)
        self.packer.pack(to, first, stop, f.i64(0), f.i64(plan.c.depth))

    def has_rows_for(self, at: TilePlace) -> Value:
        """Return whether a whole tile is to pack some rows."""
        f, plan = self.f, self.plan
        stop = f.minimum(at.block.lines.stop, f.i64(whole_lines(plan)))
        follows = f.compare("icmp slt", f.add(at.line, f.i64(plan.vectors)), stop)
        early = f.compare("icmp slt", at.row, f.i64(self.tiles * plan.rows))
        return f.binary("and", follows, early)

    def packing(self, at: TilePlace, panel: Value, asking: Meanwhile | None) -> Meanwhile:
        """Return what packs a tile's rows, one at a time, and asks for what its epilogue touches.

        panel: the tile's own. So many steps along K lie between two rows as there are tiles.
        """
        f, plan = self.f, self.plan
        first = f.mul(f.udiv(at.row, f.i64(plan.rows)), f.i64(self.rows))
        to = f.gep(panel, f.i64(plan.panel * plan.c.depth), plan.c.dtype.llvm)

        def pack(part: Value) -> None:
            self._copy_row(at, to, f.minimum(f.add(first, part), f.i64(plan.c.depth - 1)))
            if asking is not None:
                asking.write(f.minimum(part, f.i64(plan.rows - 1)))

        return Meanwhile(self.tiles, pack)

    def _copy_row(self, at: TilePlace, to: Value, k: Value) -> None:
        """Copy a row of the panel after a tile's, and ask for a later one."""
        f, plan = self.f, self.plan
        element, size, lanes = plan.c.dtype.llvm, plan.c.dtype.size, plan.lines.lanes
        row = f.gep(to, f.mul(k, f.i64(plan.panel)), element)
        later = f.minimum(f.add(k, f.i64(ROWS_AHEAD)), f.i64(plan.c.depth - 1))
        for v in range(plan.vectors):
            line = f.add(at.line, f.i64(plan.vectors + v))
            column = column_of(f, plan.lines, line)
            asked = self.packer.copier.source(later, column)
            f.prefetch(asked, locality=2)
            if v == plan.vectors - 1:
                f.prefetch(f.gep(asked, f.i64(lanes * size - 1)), locality=2)
            values = f.load(self.packer.copier.source(k, column), vector(element, lanes), size)
            f.store(values, f.gep(row, f.i64(v * lanes), element), size)


def next_panel(f: Function, plan: Plan, packer: PanelPacker) -> NextPanel | None:
    """Return what packs the panels that a packer would, while tiles multiply, if that can be."""
    meanwhile = packs_meanwhile(plan, packer.copier.hook is not None)
    return NextPanel(f, plan, packer) if meanwhile else None


def packs_meanwhile(plan: Plan, computes_b: bool) -> bool:
    """Return whether whole tiles pack panels: those of all rows, which one thread goes through.

    Rows of B must lie in one piece; to compute them, or to turn them, takes more than moments.
    """
    copied = plan.source == "packed" and plan.c.b.free[-1:] == (1,) and not computes_b
    return copied and plan.split != "rows" and whole_lines(plan) > plan.vectors
