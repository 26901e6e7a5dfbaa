"""Chooses among the ways to compute a contraction by what each is estimated to cost.

The figures are cycles of one core with two fused multiply-add units, measured on AVX-512 to within
a quarter; only their ratios matter.
"""

from __future__ import annotations

from functools import lru_cache

from jitnet.runtime.target import Target

from .contraction_affine import narrower
from .contraction_form import Contraction, merged, swapped
from .contraction_plan import Lines, Plan
from .contraction_ways import ways
from .masks import has_masks

TILE_CYCLES = 40.0  # to begin and end a tile
TAP_CYCLES = 6.0  # to begin a run along K
STORE_CYCLES = 3.0  # an epilogue that only stores, for each vector or part of one
SCATTER_CYCLES = 1.5  # for each element, where the result's columns are not adjacent

TURN_CYCLES = 3.0  # for each vector that goes through a square of them
LINE_CYCLES = 1.5  # to add a vector to one in level 1
SUM_CYCLES = 10.0  # for each element, where lanes are to be added up
DOT_CYCLES = 1.7  # the same of a tile, whose sums' lanes are added up together


@lru_cache(maxsize=4096)
def plan(c: Contraction, target: Target, packs_b: bool = False, streams: bool = False) -> Plan:
    """Return how to compute a contraction.

    packs_b: B is computed while it is packed.  streams: the epilogue touches a lot of memory.
    """
    return min(ways(c, target, packs_b, streams), key=estimate)


def scratch_bytes(
    c: Contraction, target: Target, packs_b: bool = False, streams: bool = False
) -> int:
    """Return the scratch that one thread needs, given what `plan` is."""
    return plan(c, target, packs_b, streams).scratch_bytes


@lru_cache(maxsize=4096)
def prefers_tiles(c: Contraction, target: Target) -> bool:
    """Return whether register tiles pay; where they do not, the caller writes a plain loop nest.

    They do not for the tiniest, nor for matrix-vector products (three rows or columns or fewer)
    unless both operands can be read in place; nor for limited ones that cannot.
    """
    if c.limits:
        in_place = [side for side in (c, swapped(c)) if side.b.free[-1:] == (1,)]
        whole = (side.n[-1] % target.lanes(c.dtype.size) == 0 for side in in_place)
        return bool(in_place) and (has_masks(target) or all(whole))
    if c.depth <= 1 or c.rows * c.columns * c.depth < 512:
        return False
    if min(c.rows, c.columns) > 3:
        return True
    best = min((plan(c, target), plan(swapped(c), target)), key=estimate)
    return best.source not in ("packed", "blocks")


def cycles(c: Contraction, target: Target, adjacent: bool = True) -> float:
    """Return the estimated cycles; `adjacent` says that the result's columns are so in memory.

    Compare it with cycles(swapped(c), target, ...), where lanes run along the rows.
    """
    return estimate(plan(c, target), adjacent)


def estimate(p: Plan, adjacent: bool = True) -> float:
    """Return the estimated cycles of a plan."""
    tile_rows = min(p.rows, p.c.rows)
    tiles = -(-p.c.rows // tile_rows) * -(-p.lines.count // p.vectors)
    chains = tile_rows * p.vectors
    loads = (tile_rows + p.vectors) / chains
    runs = p.k.tap_count * p.k.pieces
    steps = p.k.tap_count * -(-p.k.run // p.k_lanes)
    if p.source == "columns":
        return p.c.batches * p.c.columns * (steps + SUM_CYCLES)
    if p.source == "rows":
        return p.c.batches * p.c.depth * p.lines.count * LINE_CYCLES
    multiply = p.c.rows * p.lines.count * steps / 2 * max(1.0, loads, 8 / chains)
    each = DOT_CYCLES * chains if p.source == "dots" else TILE_CYCLES
    overhead = tiles * (p.k.count * each + runs * TAP_CYCLES)
    return p.c.batches * (multiply + overhead + _storing(p, adjacent) + _packing(p))


def _storing(p: Plan, adjacent: bool) -> float:
    """Return the cycles of the epilogue's stores."""
    if p.turned:
        each = STORE_CYCLES if adjacent else SCATTER_CYCLES * p.width
        return p.c.columns * -(-p.c.rows // p.width) * (TURN_CYCLES + each)
    lines = p.lines
    if p.source == "dots" and len(p.c.n) == 1:
        lines = Lines(p.k_lanes, p.c.columns, 1)
    elif p.single_columns:
        adjacent = False
    if not adjacent:
        return p.c.rows * p.c.columns * SCATTER_CYCLES
    parts = lines.inner // lines.lanes + len(list(narrower(lines.lanes, lines.tail)))
    return p.c.rows * lines.outer * parts * STORE_CYCLES


def _packing(p: Plan) -> float:
    """Return the cycles of packing B, and A where it is copied."""
    copied = 2.0 / p.lines.lanes * p.c.rows * p.c.depth * -(-p.lines.count // p.line_block)
    return _packing_b(p) + (copied if p.packs_a else 0.0)


def _packing_b(p: Plan) -> float:
    """Return the cycles of packing B."""
    if p.source not in ("packed", "blocks"):
        return 0.0
    each = 2.0 * p.lines.lanes
    if p.c.b.free[-1:] == (1,):
        each = 2.0
    elif [step for _, step in merged(zip(p.c.k, p.c.b.k, strict=True))] == [1]:
        each = 3.0
    times = -(-p.c.rows // p.row_block) if p.source == "blocks" else 1
    return p.lines.count * p.c.depth * each * times
