"""The library of micro-kernels: each is compiled when a program first calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial

from jitnet.runtime.target import Target

from .dot_tiles import emit_dots
from .microkernels import ARGUMENTS, DTYPES, Tile, emit_lines, emit_tile, sizes
from .module import Module
from .squares import emit_squares, square_name
from .vector_tiles import emit_columns, emit_rows

EMITTERS = {
    "tile": emit_tile,
    "listed": emit_tile,
    "copying": emit_tile,
    "broad": emit_tile,
    "wide": emit_tile,
    "lines": emit_lines,
    "dots": emit_dots,
    "columns": emit_columns,
    "rows": emit_rows,
}


@lru_cache(maxsize=None)
def micro_kernels(target: Target) -> dict[str, Callable[[Module], None]]:
    """Return what emits each kernel that there is for a target, by its symbol."""
    tiles = [
        Tile(dtype, row + 1, vectors, kind)
        for dtype in DTYPES
        for kind in ARGUMENTS
        for most, vectors in sizes(target, kind)
        for row in range(most)
    ]
    found: dict[str, Callable[[Module], None]] = {
        tile.name(target): partial(EMITTERS[tile.kind], tile=tile) for tile in tiles
    }
    for dtype in DTYPES:
        for by_table in (False, True):
            emit = partial(emit_squares, dtype=dtype, by_table=by_table)
            found[square_name(dtype, by_table)] = emit
    return found


def library(chosen: Iterable[str], target: Target) -> str:
    """Return the LLVM IR of the kernels with these symbols as one module."""
    module = Module(target)
    emitters = micro_kernels(target)
    for name in chosen:
        emitters[name](module)
    return module.text()
