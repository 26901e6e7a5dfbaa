"""Multiplies tiles in shared memory into sums in registers, one by one or on tensor cores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from .expressions import Expressions
from .nests import WARP
from .staging import GAP, PITCH
from .text import Names, Source
from .tiling import WORDS, Tiling
from .types import constant


class Squares(Protocol):
    """How the threads of a block share a tile of results.

    high: rows of the tile that one thread, or one row of warps, has.  group: as many of these rows
    as are a part of the results that is brought to memory at a time.
    """

    high: int
    group: int

    def begin(self) -> None:
        """Write the sums of nothing, and which are this thread's."""

    def multiply(self, a: str, b: str) -> None:
        """Write how a tile of terms, at these places of shared memory, is added."""

    def sums(self, part: int) -> Iterator[tuple[str, str, str]]:
        """Yield a thread's sums of a part: name, row among those of the part, column."""


class OneByOne:
    """Each thread multiplies rows that lie side by side with columns a warp apart.

    A warp's threads read the same rows, four elements at a time, and neighbouring columns.
    """

    def __init__(
        self, tiling: Tiling, source: Source, names: Names, expressions: Expressions
    ) -> None:
        self._tiling = tiling
        self._source = source
        self._across = min(WARP, tiling.side)
        self._wide = tiling.side // self._across
        self.high = tiling.side * self._across // tiling.threads
        self.group = min(self.high, 4)
        self._names = names
        self._zero = constant(0, tiling.stmt.result.dtype)
        self._names_of_sums: list[list[str]] = []

    def begin(self) -> None:
        """Write the sums of nothing, and which are this thread's."""
        across, new = self._across, self._names.new
        self._source.add(f"tx, ty = thread % {across}, thread // {across}")
        for i in range(self.high):
            row = [new(f"c{i}_{j}") for j in range(self._wide)]
            self._source.add(f"{' = '.join(row)} = {self._zero}")
            self._names_of_sums.append(row)

    def multiply(self, a: str, b: str) -> None:
        """Write how a tile of terms, at these places of shared memory, is added."""
        source, pitch, new = self._source, self._tiling.side + GAP, self._names.new
        left = [new(f"a{i}") for i in range(self.high)]
        right = [new(f"b{j}") for j in range(self._wide)]
        with source.block(f"for k in range({self._tiling.depth})"):
            for i, name in enumerate(left):
                place = f"{a} + k * {pitch} + ty * {self.high}"
                source.add(f"{name} = tiles[{place}{f' + {i}' if i else ''}]")
            for j, name in enumerate(right):
                place = f"{b} + k * {pitch} + tx"
                source.add(f"{name} = tiles[{place}{f' + {self._across * j}' if j else ''}]")
            for one, row in zip(left, self._names_of_sums, strict=True):
                for other, result in zip(right, row, strict=True):
                    source.add(f"{result} += {one} * {other}")

    def sums(self, part: int) -> Iterator[tuple[str, str, str]]:
        """Yield a thread's sums of a part: name, row among those of the part, column."""
        for i in range(self.group):
            row = _shifted(f"ty * {self.group}", i)
            for j, name in enumerate(self._names_of_sums[part * self.group + i]):
                yield name, row, _shifted("tx", self._across * j)


class OnTensorCores:
    """Each warp multiplies blocks of 16 rows and 8 columns, whose elements its threads share.

    PTX ISA, "Matrix fragments for mma.m16n8k16": thread 4 g + t has rows g and g + 8 and columns
    2 t and 2 t + 1 of the sums.
    """

    def __init__(
        self, tiling: Tiling, source: Source, names: Names, expressions: Expressions
    ) -> None:
        self._tiling = tiling
        self._source = source
        self._names = names
        self._across = tiling.threads // WARP // 2  # warps side by side; there are two such rows
        self.high = tiling.side // 2
        self.group = 16
        self._wide = tiling.side // self._across
        self._mma = f"mma_{tiling.tensor}"
        expressions.calls.add_instruction(self._mma)
        self._names_of_sums: list[list[list[str]]] = []

    def begin(self) -> None:
        """Write the sums of nothing, and which are this thread's."""
        source, new = self._source, self._names.new
        source.add(f"warp, tx, ty = thread // {WARP}, thread % 4, thread % {WARP} // 4")
        source.add(f"warp_row = warp // {self._across} * {self.high} + ty")
        source.add(f"warp_column = warp % {self._across} * {self._wide}")
        for i in range(self.high // 16):
            row = []
            for j in range(self._wide // 8):
                four = [new(f"c{i}_{j}_{number}") for number in range(4)]
                source.add(f"{' = '.join(four)} = float32(0)")
                row.append(four)
            self._names_of_sums.append(row)

    def multiply(self, a: str, b: str) -> None:
        """Write how a tile of terms, at these places of shared memory, is added."""
        source, new = self._source, self._names.new
        with source.block(f"for k in range(0, {WORDS}, 8)"):
            source.add(f"a_at = {a} + warp_row * {PITCH} + tx + k")
            source.add(f"b_at = {b} + (warp_column + ty) * {PITCH} + tx + k")
            right = []
            for j in range(self._wide // 8):
                pair = [new(f"b{j}"), new(f"b{j}")]
                for name, step in zip(pair, (0, 4), strict=True):
                    source.add(f"{name} = tiles[{_shifted('b_at', 8 * j * PITCH + step)}]")
                right.append(pair)
            for i, row in enumerate(self._names_of_sums):
                left = [new(f"a{i}") for _ in range(4)]
                steps = (0, 8 * PITCH, 4, 8 * PITCH + 4)
                for name, step in zip(left, steps, strict=True):
                    source.add(f"{name} = tiles[{_shifted('a_at', 16 * i * PITCH + step)}]")
                for pair, four in zip(right, row, strict=True):
                    args = ", ".join((*left, *pair, *four))
                    source.add(f"{', '.join(four)} = {self._mma}({args})")

    def sums(self, part: int) -> Iterator[tuple[str, str, str]]:
        """Yield a thread's sums of a part: name, row among those of the part, column."""
        for j, four in enumerate(self._names_of_sums[part]):
            for number, name in enumerate(four):
                row = _shifted(f"warp // {self._across} * 16 + ty", number // 2 * 8)
                yield name, row, _shifted("warp_column + tx * 2", 8 * j + number % 2)


def _shifted(name: str, step: int) -> str:
    return f"{name} + {step}" if step else name
