"""The library of micro-kernels, in parts: each is compiled when a program first calls into it."""

from __future__ import annotations

from collections.abc import Iterable

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType
from jitnet.runtime.target import Target

from .microkernels import ARGUMENTS, DTYPES, Tile, emit_dots, emit_lines, emit_tile, sizes
from .module import Module
from .squares import emit_squares, square_names
from .vector_tiles import emit_columns, emit_rows

EMITTERS = {
    "tile": emit_tile,
    "lines": emit_lines,
    "dots": emit_dots,
    "columns": emit_columns,
    "rows": emit_rows,
}


@dataclass(frozen=True)
class Part:
    """Kernels that programs tend to call together.

    kind: that of its tiles, or "squares".  vectors: of its tiles.
    """

    kind: str
    dtype: DType
    vectors: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.dtype.short} {self.vectors}"


def parts(target: Target) -> list[Part]:
    """Return every part that there is for a target."""
    tiles = [
        Part(kind, dtype, vectors)
        for dtype in DTYPES
        for kind in ARGUMENTS
        for most, vectors in sizes(target, kind)
        if most
    ]
    return [*tiles, *(Part("squares", dtype) for dtype in DTYPES)]


def _tiles(part: Part, target: Target) -> list[Tile]:
    most = {vectors: rows for rows, vectors in sizes(target, part.kind)}[part.vectors]
    return [Tile(part.dtype, row + 1, part.vectors, part.kind) for row in range(most)]


def symbols(part: Part, target: Target) -> tuple[str, ...]:
    """Return the names that a part defines."""
    if part.kind == "squares":
        return square_names(part.dtype)
    return tuple(tile.name(target) for tile in _tiles(part, target))


def library(chosen: Iterable[Part], target: Target) -> str:
    """Return the LLVM IR of parts as one module."""
    module = Module(target)
    for part in chosen:
        if part.kind == "squares":
            emit_squares(module, part.dtype)
            continue
        for tile in _tiles(part, target):
            EMITTERS[tile.kind](module, tile)
    return module.text()
