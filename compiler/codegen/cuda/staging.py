"""Brings tiles of a product's operands from memory through registers into shared memory.

A thread reads chunks of elements that lie side by side, along the sum or along the lines (rows of
the first operand, columns of the second): 16 bytes in one instruction where strides allow it. What
it has read waits in registers while the block multiplies the tile before. Chunks of 16-bit floats
along the sum lie in a tile as they do in memory: these are copied by themselves meanwhile
(`cp.async`), through no register.

In shared memory, tiles that threads multiply one by one have a row for each term of the sum. Tiles
for tensor cores have a row for each line, of words that hold one float32 or two 16-bit floats; a
row's length lets the threads of a warp read different banks.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import Operand
from jitnet.runtime.dataclass import dataclass

from .expressions import Expressions, bare, divided, remainder
from .text import Names, Source
from .tiling import WORDS, Tiling
from .types import constant, from_memory

PITCH = WORDS + 4  # words from one line to the next: no two of a warp's reads meet in a bank
GAP = 4  # elements between the rows of tiles that are multiplied one by one


@dataclass(frozen=True)
class Chunk:
    """What a thread reads together.

    line, term: where it begins, as the name of a number.  base: the name of the place of the line
    in memory.  inside: the name of the test that the line is one, or None.
    """

    line: str
    term: str
    bases: tuple[str, ...]
    inside: tuple[str | None, ...]
    registers: tuple[str, ...]


class Staging:
    """Writes how one operand comes into shared memory."""

    def __init__(
        self,
        name: str,
        item: Operand,
        tiling: Tiling,
        source: Source,
        names: Names,
        expressions: Expressions,
    ) -> None:
        self._name = name
        self._item = item
        self._tiling = tiling
        self._source = source
        self._names = names
        self._expressions = expressions
        self._buffer = expressions.buffers[item.buffer]
        stmt = tiling.stmt
        self._outer = stmt.rows if name == "a" else stmt.columns
        self._lines = tiling.rows if name == "a" else tiling.columns
        self._halves = tiling.tensor in ("bfloat16", "float16")
        self._chunk = 8 if self._halves else 4
        live = [s for v, s in zip(stmt.inner, item.inner, strict=True) if v.extent > 1]
        self._along_sum = bool(live) and live[-1] == 1
        self._wide = not stmt.within and self._lies_wide()
        self.is_direct = self._halves and self._along_sum and self._wide
        self._chunks: list[Chunk] = []

    @property
    def size(self) -> int:
        """Elements, or words, of a tile."""
        if self._tiling.tensor:
            return self._tiling.side * PITCH
        return self._tiling.depth * (self._tiling.side + GAP)

    def _lies_wide(self) -> bool:
        """Whether all chunks begin at multiples of 16 bytes, from a buffer's own start on."""
        item, stmt, size = self._item, self._tiling.stmt, self._item.buffer.dtype.size
        if size * self._chunk != 16:
            return False
        lines = list(zip(self._outer, item.outer, strict=True))
        terms = list(zip(stmt.inner, item.inner, strict=True))
        fast, slow = (terms, lines) if self._along_sum else (lines, terms)
        fast = [(var, stride) for var, stride in fast if var.extent > 1]
        if not fast or fast[-1][1] != 1 or fast[-1][0].extent % self._chunk:
            return False
        rest = [s for v, s in (*fast[:-1], *slow) if v.extent > 1]
        rest += [s for v, s in zip(stmt.batch, item.batch, strict=True) if v.extent > 1]
        return all(step % self._chunk == 0 for step in (*rest, item.offset))

    # -- before the loop --------------------------------------------------------------------

    def begin(self) -> None:
        """Write which chunks are this thread's, and the places of their lines."""
        tiling = self._tiling
        pairs = self._halves and not self._along_sum  # two terms of each line make a word
        number = tiling.side * tiling.depth // (self._chunk * tiling.threads)
        for part in range(number // 2 if pairs else number):
            self._chunks.append(self._begin(part, pairs))

    def _begin(self, part: int, pairs: bool) -> Chunk:
        tiling, source, chunk = self._tiling, self._source, self._chunk
        each = f"thread + {part * tiling.threads}" if part else "thread"
        number = self._names.new(f"{self._name}_chunk")
        source.add(f"{number} = {each}")
        if self._along_sum:
            fast = tiling.depth // chunk
            term, line = f"{remainder(number, fast)} * {chunk}", divided(number, fast)
        elif tiling.tensor:
            fast = tiling.depth // 2 if pairs else tiling.depth
            term, line = remainder(number, fast), f"{divided(number, fast)} * {chunk}"
            term = f"{term} * 2" if pairs else term
        else:
            fast = tiling.side // chunk
            term, line = divided(number, fast), f"{remainder(number, fast)} * {chunk}"
        first = "first_row" if self._name == "a" else "first_column"
        line = self._expressions.name(f"{self._name}_line", line)
        term = self._expressions.name(f"{self._name}_term", term)
        several = 1 if self._along_sum or self._wide else chunk
        bases: list[str] = []
        inside: list[str | None] = []
        for step in range(several):
            outer = f"({first} + {line}{f' + {step}' if step else ''})"
            bases.append(self._expressions.name(f"{self._name}_base", self._base(outer)))
            inside.append(None)
            if self._lines % tiling.side:
                test = f"{bare(outer)} < {self._lines}"
                inside[-1] = self._expressions.name(f"{self._name}_inside", test)
        count = chunk if not self._halves else chunk if pairs else chunk // 2
        count = 0 if self.is_direct else count
        registers = tuple(self._names.new(f"{self._name}_next") for _ in range(count))
        return Chunk(line, term, tuple(bases), tuple(inside), registers)

    def _base(self, line: str) -> str:
        item, stmt = self._item, self._tiling.stmt
        terms = [
            *places(stmt.batch, item.batch, [self._expressions.vars[v] for v in stmt.batch]),
            *places(self._outer, item.outer, parts(self._outer, line)),
            *([str(item.offset)] if item.offset else []),
        ]
        return " + ".join(terms) or "0"

    # -- from memory ------------------------------------------------------------------------

    def fetch(self, stage: str) -> None:
        """Write how the chunks from term `start` on come into registers.

        stage: where the tile begins to which direct copies go.
        """
        for chunk in self._chunks:
            if self.is_direct:
                self._copy(chunk, stage)
            elif self._halves and not self._along_sum:
                self._fetch_pairs(chunk)
            elif self._wide:
                load = "load8" if self._halves else "load4"
                self._fetch_wide(load, chunk, chunk.registers, 0)
            else:
                self._fetch_single(chunk)

    def _inner(self, chunk: Chunk, step: int) -> tuple[str, str | None]:
        """Return a term's place, and the test that there is such a term."""
        tiling, item = self._tiling, self._item
        text = f"(start + {chunk.term}{f' + {step}' if step else ''})"
        if sum(var.extent > 1 for var in tiling.stmt.inner) > 1:
            text = self._expressions.name("inner", text)
        found = parts(tiling.stmt.inner, text)
        place = " + ".join(places(tiling.stmt.inner, item.inner, found)) or "0"
        tests = []
        if tiling.terms % tiling.depth or not tiling.terms:
            tests.append(f"{bare(text)} < {tiling.terms}")
        if tiling.stmt.within:
            for var, part in zip(tiling.stmt.inner, found, strict=True):
                self._expressions.vars[var] = part
            holds = self._expressions.holds(tiling.stmt.within)
            tests += [holds] if holds else []
        return place, " and ".join(tests) or None

    def _fetch_wide(self, load: str, chunk: Chunk, into: Sequence[str], step: int) -> None:
        self._expressions.calls.add_instruction(load)
        self._source.add(f"{', '.join(into)} = {load}({self._read(chunk, step)})")

    def _copy(self, chunk: Chunk, stage: str) -> None:
        """Write the copy of a chunk into a tile, which `wait_copies` waits for."""
        self._expressions.calls.add_instruction("copy8")
        at = f"{stage} + {chunk.line} * {PITCH} + ({chunk.term} >> 1)"
        self._source.add(f"copy8(tiles, {at}, {self._read(chunk, 0)})")

    def _read(self, chunk: Chunk, step: int) -> str:
        """Return what an instruction that reads 16 bytes is given: where, and whether to."""
        place, test = self._inner(chunk, step)
        wanted = " and ".join(each for each in (chunk.inside[0], test) if each) or "True"
        return f"{self._buffer}, {chunk.bases[0]} + {place}, {wanted}"

    def _fetch_single(self, chunk: Chunk) -> None:
        """Write reads of one element each; of halves along the sum, two make a word."""
        each = [self._single(chunk, step) for step in range(self._chunk)]
        if self._halves:
            each = self._paired(each[::2], each[1::2])
        for register, text in zip(chunk.registers, each, strict=True):
            self._source.add(f"{register} = {bare(text)}")

    def _fetch_pairs(self, chunk: Chunk) -> None:
        """Write reads of two terms of each line of halves."""
        half = len(chunk.registers) // 2
        if self._wide:
            self._fetch_wide("load8", chunk, chunk.registers[:half], 0)
            self._fetch_wide("load8", chunk, chunk.registers[half:], 1)
            return
        low = [self._single(chunk, step, 0) for step in range(self._chunk)]
        high = [self._single(chunk, step, 1) for step in range(self._chunk)]
        for register, text in zip(chunk.registers, self._paired(low, high), strict=True):
            self._source.add(f"{register} = {text}")

    def _paired(self, low: Sequence[str], high: Sequence[str]) -> list[str]:
        self._expressions.calls.add_instruction("low_halves")
        pairs = zip(low, high, strict=True)
        return [f"low_halves({bare(a)}, {bare(b)})" for a, b in pairs]

    def _single(self, chunk: Chunk, step: int, term: int = 0) -> str:
        """Return one element of a chunk: 0 where there is none."""
        number = step if self._along_sum else 0
        which = step if len(chunk.bases) > 1 else 0
        place, test = self._inner(chunk, number or term)
        place = f"{chunk.bases[which]} + {place}"
        dtype = self._item.buffer.dtype
        if self._halves:
            self._expressions.calls.add_instruction("load_bits")
            read, zero = f"load_bits({self._buffer}, {place})", "uint32(0)"
        else:
            self._expressions.need_memory(dtype)
            read = from_memory(f"{self._buffer}[{place}]", dtype)
            zero = constant(0, self._tiling.stmt.result.dtype)
        tests = " and ".join(each for each in (chunk.inside[which], test) if each)
        return f"({read} if {tests} else {zero})" if tests else read

    # -- into shared memory -----------------------------------------------------------------

    def put(self, stage: str) -> None:
        """Write how what is in registers comes into a tile, which begins at `stage`."""
        tiling = self._tiling
        if self.is_direct:
            return
        for chunk in self._chunks:
            words = self._words(chunk)
            for step, word in enumerate(words):
                line, term = chunk.line, chunk.term
                shift = f" + {step}" if step else ""
                if not tiling.tensor:
                    pitch = tiling.side + GAP
                    fast = (f"({term}{shift})", line) if self._along_sum else (term, line + shift)
                    at = f"{fast[0]} * {pitch} + {fast[1]}"
                else:
                    word_of = f"({term} >> 1)" if self._halves else term
                    if self._along_sum:
                        at = f"{line} * {PITCH} + {word_of}{shift}"
                    else:
                        at = f"({line}{shift}) * {PITCH} + {word_of}"
                self._source.add(f"tiles[{stage} + {at}] = {word}")

    def _words(self, chunk: Chunk) -> list[str]:
        """Return what is stored for each element, or pair of elements."""
        registers = list(chunk.registers)
        if self._tiling.tensor == "tf32":
            self._expressions.calls.add_instruction("to_tf32")
            return [f"to_tf32({each})" for each in registers]
        if not (self._halves and not self._along_sum and self._wide):
            return registers
        self._expressions.calls.add_instruction("low_halves")
        self._expressions.calls.add_instruction("high_halves")
        half = len(registers) // 2
        pairs = zip(registers[:half], registers[half:], strict=True)
        return [
            f"{which}_halves({low}, {high})" for low, high in pairs for which in ("low", "high")
        ]


def parts(variables: Sequence[Var], number: str) -> list[str]:
    """Return the value of each variable, slowest first, where they are counted by one number."""
    found: list[str] = []
    behind = 1
    live = [var for var in variables if var.extent > 1]
    for var in reversed(variables):
        if var.extent <= 1:
            found.append("0")
            continue
        part = number if behind == 1 else divided(number, behind)
        found.append(part if var is live[0] else remainder(part, var.extent))
        behind *= var.extent
    return found[::-1]


def places(variables: Sequence[Var], strides: Sequence[int], values: Sequence[str]) -> list[str]:
    """Return the terms of a place."""
    return [
        value if stride == 1 else f"{value} * {stride}"
        for var, stride, value in zip(variables, strides, values, strict=True)
        if stride and var.extent > 1
    ]
