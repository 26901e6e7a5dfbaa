"""Accumulators: a thread's own partial result, and how a team's become one.

Threads of a warp exchange values; warps meet in shared memory. Every thread gets the result, made
in an order that depends on the size of the team only.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitnet.compiler.codegen.math import identity
from jitnet.compiler.ir.loops import Begin, Local
from jitnet.runtime.dtype import DType, bool_, int32, int64

from .expressions import Expressions, bare
from .nests import WARP
from .text import Names, Source
from .types import computed, constant, from_memory, stored, to_memory

FARTHEST = (1 << 63) - 1  # a position after every real one
FULL = "0xFFFFFFFF"  # every thread of a warp


@dataclass
class Partial:
    """What one accumulator is here: a name, and of a search for a place, the place's name too."""

    fn: str
    dtype: DType
    value: str
    at: str | None = None


class Reductions:
    """Writes the accumulators of one function."""

    def __init__(self, source: Source, names: Names, expressions: Expressions, team: int) -> None:
        self._source = source
        self._names = names
        self._expressions = expressions
        self._team = team
        self._open: dict[Local, Partial] = {}
        self._meeting: dict[str, str] = {}  # Numba type -> shared memory, one for each warp

    def start(self, begin: Begin) -> None:
        """Write the accumulator of nothing yet."""
        dtype = computed(begin.dtype)
        fn = begin.fn.removeprefix("arg")
        name = self._expressions.name(begin.local.name, constant(identity(fn, dtype), dtype))
        partial = Partial(fn, dtype, name)
        if begin.fn != fn:
            partial.at = self._expressions.name(f"{begin.local.name}_at", str(FARTHEST))
        self._open[begin.local] = partial
        self._expressions.locals[begin.local] = partial.at or name

    def add(self, local: Local, value: str, at: str | None) -> None:
        """Write the step that takes one more value in."""
        self._combine(self._open[local], value, at)

    def _combine(self, partial: Partial, value: str, at: str | None) -> None:
        source, old = self._source, partial.value
        if partial.at is None:
            text = self._expressions.combined(partial.fn, old, value, partial.dtype)
            source.add(f"{old} = {bare(text)}")
            return
        new = self._expressions.name("candidate", value)
        place = self._expressions.name("place", at or "0")
        sign = ">" if partial.fn == "max" else "<"
        wins = f"{new} {sign} {old} or ({new} == {old} and {place} < {partial.at})"
        if partial.dtype.kind == "float":
            wins = (
                f"({old} == {old} and ({wins} or {new} != {new})) or "
                f"({old} != {old} and {new} != {new} and {place} < {partial.at})"
            )
        with source.block(f"if {wins}"):
            source.add(f"{old} = {new}")
            source.add(f"{partial.at} = {place}")

    def finish(self, local: Local) -> None:
        """Write how the partial results of a team become one that all its threads have."""
        partial = self._open[local]
        self._warp(partial, min(self._team, WARP))
        if self._team > WARP:
            self._block(partial)

    def _warp(self, partial: Partial, lanes: int) -> None:
        """Write halvings of the distance between threads that exchange what they have."""
        step = lanes // 2
        while step:
            self._combine(
                partial,
                self._exchanged(partial.value, partial.dtype, step),
                None if partial.at is None else self._exchanged(partial.at, int64, step),
            )
            step //= 2

    def _exchanged(self, name: str, dtype: DType, step: int) -> str:
        narrow = dtype is bool_ or (dtype.kind != "float" and dtype.size < int32.size)
        value = f"int32({name})" if narrow else name
        text = f"cuda.shfl_xor_sync({FULL}, {value}, {step})"
        if dtype is bool_:
            return f"({text} != 0)"
        return f"{dtype.name}({text})" if narrow else text

    def _block(self, partial: Partial) -> None:
        """Write the meeting of a block's warps."""
        warps = self._team // WARP
        items = [(partial.value, partial.dtype)]
        if partial.at is not None:
            items.append((partial.at, int64))
        source = self._source
        shared = [self._shared(dtype, number) for number, (_, dtype) in enumerate(items)]
        source.add("cuda.syncthreads()")
        with source.block("if cuda.threadIdx.x % 32 == 0"):
            for memory, (name, dtype) in zip(shared, items, strict=True):
                source.add(f"{memory}[cuda.threadIdx.x // 32] = {bare(to_memory(name, dtype))}")
        source.add("cuda.syncthreads()")
        for memory, (name, dtype) in zip(shared, items, strict=True):
            read = from_memory(f"{memory}[cuda.threadIdx.x % {warps}]", dtype)
            source.add(f"{name} = {bare(read)}")
        self._warp(partial, warps)

    def _shared(self, dtype: DType, number: int) -> str:
        element = stored(dtype)
        key = f"{element}{number}"
        if key not in self._meeting:
            name = self._names.new("warps")
            self._source.declare(f"{name} = cuda.shared.array({self._team // WARP}, {element})")
            self._meeting[key] = name
        return self._meeting[key]
