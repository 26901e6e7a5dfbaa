"""Accumulators: a thread's own partial result, and how a team's become one.

Threads of a warp exchange values; warps meet in shared memory. Every thread gets the result, made
in an order that depends on the size of the team only.
"""

from __future__ import annotations

from jitnet.compiler.codegen.accumulate import FARTHEST
from jitnet.compiler.ir.identities import identity
from jitnet.compiler.ir.loops import Begin, Local
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType, bool_, int32, int64

from .expressions import Expressions, bare
from .nests import WARP
from .text import INDENT, Names, Source
from .types import computed, constant, from_memory, stored, to_memory

_WORDS = {"add": "sum", "mul": "product", "max": "maximum", "min": "minimum"}


@dataclass
class Partial:
    """What one accumulator is here: a name, and of a search for a place, the place's name too."""

    fn: str
    dtype: DType
    value: str
    at: str | None = None


class Reductions:
    """Writes the accumulators of one function, for a team of threads."""

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
        partial, source = self._open[local], self._source
        if partial.at is None:
            text = self._combined(partial, partial.value, value)
            source.add(f"{partial.value} = {bare(text)}")
            return
        new = self._expressions.name("candidate", value)
        place = self._expressions.name("place", at or "0")
        with source.block(f"if {_wins(partial, new, place)}"):
            source.add(f"{partial.value} = {new}")
            source.add(f"{partial.at} = {place}")

    def _combined(self, partial: Partial, a: str, b: str) -> str:
        return self._expressions.combined(partial.fn, a, b, partial.dtype)

    def finish(self, local: Local) -> None:
        """Write how the partial results of a team become one that all its threads have."""
        partial = self._open[local]
        width = min(self._team, WARP)
        self._source.add(self._call(partial, width))
        if self._team > WARP:
            self._block(partial)

    # -- a warp -----------------------------------------------------------------------------

    def _call(self, partial: Partial, lanes: int) -> str:
        """Return the statement that makes one result of those of `lanes` neighbouring threads."""
        find = "" if partial.at is None else "_place"
        name = f"warp_{partial.fn}{find}_{partial.dtype.name}_{lanes}"
        calls = self._expressions.calls
        if name not in calls.own:
            calls.own[name] = "\n".join(self._function(name, partial, lanes))
        results = partial.value if partial.at is None else f"{partial.value}, {partial.at}"
        return f"{results} = {name}({results})"

    def _function(self, name: str, partial: Partial, lanes: int) -> list[str]:
        """Return the source of what `_call` calls."""
        one = Partial(partial.fn, partial.dtype, "x", None if partial.at is None else "at")
        word = _WORDS.get(partial.fn, partial.fn)
        what = f"The {word}" if one.at is None else f"The {word}'s first place"
        lines = [f"def {name}({'x' if one.at is None else 'x, at'}):"]
        lines.append(f'{INDENT}"""{what} over {lanes} threads, which they all get."""')
        step = lanes // 2
        while step:
            value = _exchanged("x", one.dtype, step)
            if one.at is None:
                lines.append(f"{INDENT}x = {bare(self._combined(one, 'x', value))}")
            else:
                lines.append(f"{INDENT}y, place = {bare(value)}, {_exchanged('at', int64, step)}")
                lines.append(
                    f"{INDENT}x, at = (y, place) if {_wins(one, 'y', 'place')} else (x, at)"
                )
            step //= 2
        return [*lines, f"{INDENT}return {'x' if one.at is None else 'x, at'}"]

    # -- a block ----------------------------------------------------------------------------

    def _block(self, partial: Partial) -> None:
        """Write the meeting of a block's warps."""
        warps = self._team // WARP
        items = [(partial.value, partial.dtype)]
        if partial.at is not None:
            items.append((partial.at, int64))
        source = self._source
        shared = [self._shared(dtype, number) for number, (_, dtype) in enumerate(items)]
        source.add("cuda.syncthreads()")
        with source.block(f"if cuda.threadIdx.x % {WARP} == 0"):
            for memory, (name, dtype) in zip(shared, items, strict=True):
                source.add(f"{memory}[cuda.threadIdx.x // {WARP}] = {to_memory(name, dtype)}")
        source.add("cuda.syncthreads()")
        for memory, (name, dtype) in zip(shared, items, strict=True):
            read = from_memory(f"{memory}[cuda.threadIdx.x % {warps}]", dtype)
            source.add(f"{name} = {bare(read)}")
        source.add(self._call(partial, warps))

    def _shared(self, dtype: DType, number: int) -> str:
        key = f"{stored(dtype)}{number}"
        if key not in self._meeting:
            name = self._names.new("warps")
            size = self._team // WARP
            self._source.declare(f"{name} = cuda.shared.array({size}, {stored(dtype)})")
            self._meeting[key] = name
        return self._meeting[key]


def _wins(partial: Partial, new: str, place: str) -> str:
    """Return the test that a candidate is better, or as good and earlier; NaN is best of all."""
    old, sign = partial.value, ">" if partial.fn == "max" else "<"
    wins = f"{new} {sign} {old} or ({new} == {old} and {place} < {partial.at})"
    if partial.dtype.kind != "float":
        return wins
    return (
        f"({old} == {old} and ({wins} or {new} != {new})) or "
        f"({old} != {old} and {new} != {new} and {place} < {partial.at})"
    )


def _exchanged(name: str, dtype: DType, step: int) -> str:
    """Return the value of the thread whose number differs in one bit.

    Threads exchange floats and signed whole numbers of at least 32 bits.
    """
    moved = dtype
    if dtype.kind != "float":
        moved = int64 if dtype.size == int64.size else int32
    value = name if moved is dtype else f"{moved.name}({name})"
    text = f"cuda.shfl_xor_sync(0xFFFFFFFF, {value}, {step})"
    if dtype is bool_:
        return f"({text} != 0)"
    return text if moved is dtype else f"{dtype.name}({text})"
