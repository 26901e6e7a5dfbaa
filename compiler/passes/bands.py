"""Kernels that sum over columns row by row: their rows are cut into bands, which the threads share.

The sums of a band are in memory (a row of them stays in the cache): they begin as zeros, and each
row adds to them wherever it computes what is summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Var, of, unravel
from jitnet.compiler.ir.loops import For, Stmt

from .fuse import Group
from .lower import GroupBody, Loops
from .storage import Storage


def lower_bands(
    group: Group, storage: Mapping[Node, Storage], targets: Mapping[Node, Sequence[Storage]]
) -> tuple[Stmt, ...]:
    """Return the statements of a group with band sums, whose axes are its last dim."""
    *kept, columns = group.space
    band, row = Var("b0", group.bands), Var("p0", prod(kept) // group.bands)
    column = Var("r0", columns)
    place = (*unravel(of(band) * row.extent + of(row), tuple(kept)), of(column))
    loops = Loops((band, row), (column,), column, place)
    body = GroupBody(group, storage, targets, place, band=of(band))
    clear = For(column, tuple(body.clear_band()), "vector")
    rows_loop = For(row, tuple(body.statements(loops)), "serial")
    return (For(band, (clear, rows_loop), "parallel"),)
