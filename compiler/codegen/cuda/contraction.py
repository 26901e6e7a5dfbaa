"""Writes a Contract as a tiled product: tiles of both operands in shared memory, sums in registers.

A block makes a tile of results. While it multiplies a tile of terms, its threads read the next one
into registers; there is room for two in shared memory, so the block meets once for each. Results
go through the same memory, so that what follows is written once, for neighbours in turn. Operands
are read by affine places, rows and sums unflattened where they are many dims: convolutions need no
matrix of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitnet.compiler.ir.loops import Stmt

from .expressions import Expressions, divided, remainder
from .squares import OneByOne, OnTensorCores, Squares
from .staging import GAP, Staging
from .text import Names, Source
from .tiling import Tiling
from .turns import place_variables


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
        self._element = "uint32" if tiling.tensor else tiling.stmt.result.dtype.name
        kind = OnTensorCores if tiling.tensor else OneByOne
        self._squares: Squares = kind(tiling, source, names, expressions)
        self._a = Staging("a", self._stmt.a, tiling, source, names, expressions)
        self._b = Staging("b", self._stmt.b, tiling, source, names, expressions)

    def write(self) -> None:
        """Write the whole function."""
        source, tiling = self._source, self._tiling
        room = 2 * (self._a.size + self._b.size)
        source.add(f"tiles = cuda.shared.array({room}, {self._element}, alignment=16)")
        source.add(
            f"thread = cuda.threadIdx.x & {tiling.threads - 1}  # so LLVM knows: not below 0"
        )
        self._place()
        self._squares.begin()
        for staging in (self._a, self._b):
            staging.begin()
        self._terms()
        self._results()

    def _place(self) -> None:
        """Write which tile is this block's: columns first, then rows, then batches."""
        source, tiling = self._source, self._tiling
        source.add("tile = cuda.blockIdx.x")
        column = remainder("tile", tiling.across) if tiling.across > 1 else "0"
        row = divided("tile", tiling.across)
        row = remainder(row, tiling.down) if tiling.down > 1 else "0"
        source.add(f"first_row, first_column = {row} * {tiling.side}, {column} * {tiling.side}")
        if self._stmt.batch:
            batch = divided("tile", tiling.across * tiling.down)
            number = self._expressions.name("batch", batch)
            place_variables(source, self._names, self._expressions, self._stmt.batch, number)

    def _terms(self) -> None:
        """Write the loop over the terms of the sums."""
        source, tiling = self._source, self._tiling
        source.add("start, stage = 0, 0")
        self._fetch("stage")
        self._put()
        self._meet()
        if tiling.terms <= tiling.depth:
            self._multiply()
            return
        with source.block(f"for done in range(0, {tiling.terms}, {tiling.depth})"):
            source.add(f"start, stage = done + {tiling.depth}, (done // {tiling.depth}) & 1")
            with source.block(f"if start < {tiling.terms}"):
                self._fetch("(stage ^ 1)")
            self._multiply()
            with source.block(f"if start < {tiling.terms}"):
                source.add("stage ^= 1")
                self._put()
            self._meet()

    def _fetch(self, stage: str) -> None:
        """Write how the next tiles leave memory: for registers, or for this half of the tiles."""
        self._a.fetch(f"{stage} * {self._a.size}")
        self._b.fetch(f"{2 * self._a.size} + {stage} * {self._b.size}")

    def _meet(self) -> None:
        """Let the block wait until tiles are there, and until all have read those before."""
        if self._a.is_direct or self._b.is_direct:
            self._expressions.calls.add_instruction("wait_copies")
            self._source.add("wait_copies()")
        self._source.add("cuda.syncthreads()")

    def _put(self) -> None:
        self._a.put(f"stage * {self._a.size}")
        self._b.put(f"{2 * self._a.size} + stage * {self._b.size}")

    def _multiply(self) -> None:
        second = f"{2 * self._a.size} + stage * {self._b.size}"
        self._squares.multiply(f"stage * {self._a.size}", second)

    # -- results ----------------------------------------------------------------------------

    def _results(self) -> None:
        """Write how sums meet in shared memory, part by part, and what is done with each."""
        source, squares, side = self._source, self._squares, self._tiling.side
        rows = side // squares.high * squares.group
        with source.block(f"for part in range({squares.high // squares.group})"):
            source.add("cuda.syncthreads()")
            for part in range(squares.high // squares.group):
                with source.block(f"if part == {part}"):
                    for name, row, column in squares.sums(part):
                        word = self._as_stored(name)
                        source.add(f"tiles[({row}) * {side + GAP} + {column}] = {word}")
            source.add("cuda.syncthreads()")
            steps = f"range(thread, {rows * side}, {self._tiling.threads})"
            with source.block(f"for slot in {steps}"):
                self._result()

    def _result(self) -> None:
        """Write what is done with one result, if there is such a row and column."""
        source, tiling, stmt = self._source, self._tiling, self._stmt
        high, group, side = self._squares.high, self._squares.group, tiling.side
        source.add(f"local, column = slot // {side}, slot % {side}")
        stored = f"tiles[local * {side + GAP} + column]"
        self._expressions.locals[stmt.result] = self._names.new("result")
        source.add(f"{self._expressions.locals[stmt.result]} = {self._from_stored(stored)}")
        inside = f"local // {group} * {high} + part * {group} + local % {group}"
        source.add(f"row, column = first_row + {inside}, first_column + column")
        tests = []
        if tiling.rows % side:
            tests.append(f"row < {tiling.rows}")
        if tiling.columns % side:
            tests.append(f"column < {tiling.columns}")
        with source.block_if(tests), self._expressions.scope():
            place_variables(source, self._names, self._expressions, stmt.rows, "row")
            place_variables(source, self._names, self._expressions, stmt.columns, "column")
            self._body(stmt.body)

    def _as_stored(self, name: str) -> str:
        """Return a sum as tiles hold it: words, those for tensor cores."""
        if not self._tiling.tensor:
            return name
        self._expressions.calls.add(("float_as_int",), ())
        return f"uint32(float_as_int({name}))"

    def _from_stored(self, text: str) -> str:
        if not self._tiling.tensor:
            return text
        self._expressions.calls.add(("int_as_float",), ())
        return f"int_as_float(int32({text}))"
