"""Writes a Contract as a tiled product: tiles of both operands in shared memory, sums in registers.

A block makes a tile of results, each of its threads a small square of it with rows and columns that
lie a block's width apart, so that neighbouring threads touch neighbouring columns. Operands are
read by affine places, rows and sums unflattened where they are many dims: convolutions need no
matrix of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import Contract, Operand, Stmt
from jitnet.runtime.dataclass import dataclass

from .expressions import Expressions, divided, remainder
from .text import Names, Source
from .turns import place_variables
from .types import constant

SIDE = 16  # threads along each side of a tile
THREADS = SIDE * SIDE
DEPTH = 16  # of the sum that is in shared memory at a time
ENOUGH_BLOCKS = 132  # processors of a large GPU: smaller tiles below as many blocks


@dataclass(frozen=True)
class Tiling:
    """How a product is cut: the rows and columns that each thread makes."""

    stmt: Contract
    high: int
    wide: int

    @property
    def rows(self) -> int:
        """Rows of all results of one batch."""
        return prod(var.extent for var in self.stmt.rows)

    @property
    def columns(self) -> int:
        """Columns of all results of one batch."""
        return prod(var.extent for var in self.stmt.columns)

    @property
    def depth(self) -> int:
        """Terms of each sum."""
        return prod(var.extent for var in self.stmt.inner)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Tiles along columns and rows, and batches."""
        across = -(-self.columns // (SIDE * self.wide))
        down = -(-self.rows // (SIDE * self.high))
        return max(across, 1), max(down, 1), prod(var.extent for var in self.stmt.batch)


def tiling_of(stmt: Contract) -> Tiling:
    """Return the largest tiles that leave work for all processors."""
    for side in (8, 4, 2):
        tiling = Tiling(stmt, side, side)
        if prod(tiling.grid) >= ENOUGH_BLOCKS and min(tiling.rows, tiling.columns) >= SIDE * side:
            return tiling
    small = Tiling(stmt, 1, 1)
    return Tiling(stmt, 2, 2) if min(small.rows, small.columns) > SIDE else small


class Product:
    """Writes one product."""

    def __init__(
        self,
        tiling: Tiling,
        source: Source,
        names: Names,
        expressions: Expressions,
        body: Callable[[Sequence[Stmt]], None],
    ) -> None:
        self._tiling = tiling
        self._stmt = tiling.stmt
        self._source = source
        self._names = names
        self._expressions = expressions
        self._body = body
        self._element = tiling.stmt.result.dtype.name

    def write(self) -> None:
        """Write the whole function."""
        source, tiling = self._source, self._tiling
        zero = constant(0, self._stmt.result.dtype)
        source.add(f"tile_a = cuda.shared.array(({DEPTH}, {SIDE * tiling.high}), {self._element})")
        source.add(f"tile_b = cuda.shared.array(({DEPTH}, {SIDE * tiling.wide}), {self._element})")
        source.add("thread = cuda.threadIdx.x")
        source.add(f"tx, ty = thread % {SIDE}, thread // {SIDE}")
        source.add(f"first_row = cuda.blockIdx.y * {SIDE * tiling.high}")
        source.add(f"first_column = cuda.blockIdx.x * {SIDE * tiling.wide}")
        self._batch()
        new = self._names.new
        sums = [[new(f"c{i}{j}") for j in range(tiling.wide)] for i in range(tiling.high)]
        for row in sums:
            source.add(f"{' = '.join(row)} = {zero}")
        with source.block(f"for start in range(0, {tiling.depth}, {DEPTH})"):
            self._load("a", self._stmt.a, self._stmt.rows, tiling.high, tiling.rows, zero)
            self._load("b", self._stmt.b, self._stmt.columns, tiling.wide, tiling.columns, zero)
            source.add("cuda.syncthreads()")
            with source.block(f"for k in range({DEPTH})"):
                self._multiply(sums)
            source.add("cuda.syncthreads()")
        for i, row in enumerate(sums):
            for j, name in enumerate(row):
                self._finish(i, j, name)

    def _batch(self) -> None:
        if self._stmt.batch:
            place_variables(
                self._source, self._names, self._expressions, self._stmt.batch, "cuda.blockIdx.z"
            )

    def _multiply(self, sums: list[list[str]]) -> None:
        source, tiling = self._source, self._tiling
        left = [self._names.new(f"a{i}") for i in range(tiling.high)]
        right = [self._names.new(f"b{j}") for j in range(tiling.wide)]
        for i, name in enumerate(left):
            source.add(f"{name} = tile_a[k, ty + {SIDE * i}]" if i else f"{name} = tile_a[k, ty]")
        for j, name in enumerate(right):
            source.add(f"{name} = tile_b[k, tx + {SIDE * j}]" if j else f"{name} = tile_b[k, tx]")
        for a, row in zip(left, sums, strict=True):
            for b, c in zip(right, row, strict=True):
                source.add(f"{c} += {a} * {b}")

    # -- into shared memory -----------------------------------------------------------------

    def _load(
        self, name: str, item: Operand, outer: tuple[Var, ...], high: int, count: int, zero: str
    ) -> None:
        """Write how the block fills a tile: neighbouring threads read neighbouring elements."""
        source, stmt = self._source, self._stmt
        side = SIDE * high
        along_sum = bool(item.inner) and item.inner[-1] == 1
        outside = "row" if name == "a" else "column"
        with source.block(f"for part in range({side * DEPTH // THREADS})"):
            source.add(f"element = part * {THREADS} + thread")
            fast = DEPTH if along_sum else side
            source.add(f"fast, slow = {remainder('element', fast)}, {divided('element', fast)}")
            depth, line = ("fast", "slow") if along_sum else ("slow", "fast")
            source.add(f"{outside} = first_{outside} + {line}")
            source.add(f"inner = start + {depth}")
            place = " + ".join(
                [
                    *self._places(stmt.batch, item.batch, None),
                    *self._places(outer, item.outer, outside),
                    *self._places(stmt.inner, item.inner, "inner"),
                    *([str(item.offset)] if item.offset else []),
                ]
            )
            read = f"{self._expressions.buffers[item.buffer]}[{place or '0'}]"
            tests = []
            if count % side:
                tests.append(f"{outside} < {count}")
            if self._tiling.depth % DEPTH:
                tests.append(f"inner < {self._tiling.depth}")
            if tests:
                read = f"{read} if {' and '.join(tests)} else {zero}"
            source.add(f"tile_{name}[{depth}, {line}] = {read}")

    def _places(
        self, variables: Sequence[Var], strides: Sequence[int], number: str | None
    ) -> list[str]:
        """Return the terms of a place: those of the batch, or of a flat number's parts."""
        terms: list[str] = []
        behind = 1
        live = [(v, s) for v, s in zip(variables, strides, strict=True) if v.extent > 1]
        for place, (var, stride) in reversed(list(enumerate(live))):
            if number is None:
                part = self._expressions.vars[var]
            else:
                part = number if behind == 1 else divided(number, behind)
                part = part if place == 0 else remainder(part, var.extent)
            behind *= var.extent
            if stride:
                terms.append(part if stride == 1 else f"{part} * {stride}")
        return terms[::-1]

    # -- results ----------------------------------------------------------------------------

    def _finish(self, i: int, j: int, result: str) -> None:
        """Write what is done with one of a thread's results, if there is such a row and column."""
        source, tiling, stmt = self._source, self._tiling, self._stmt
        source.add(f"row = first_row + ty + {SIDE * i}" if i else "row = first_row + ty")
        column = f"column = first_column + tx + {SIDE * j}" if j else "column = first_column + tx"
        source.add(column)
        tests = []
        if tiling.rows % (SIDE * tiling.high):
            tests.append(f"row < {tiling.rows}")
        if tiling.columns % (SIDE * tiling.wide):
            tests.append(f"column < {tiling.columns}")
        self._expressions.locals[stmt.result] = result
        with source.block_if(tests), self._expressions.scope():
            place_variables(source, self._names, self._expressions, stmt.rows, "row")
            place_variables(source, self._names, self._expressions, stmt.columns, "column")
            self._body(stmt.body)
