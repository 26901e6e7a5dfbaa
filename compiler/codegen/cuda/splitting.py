"""Cuts long sums of products with few results into bands, which blocks of their own make.

The sums of the bands are written to memory and added in order by a second kernel, which then does
what follows the product. So results do not depend on how blocks run.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from jitnet.compiler.ir.index import Index, Var, of
from jitnet.compiler.ir.kernel import Code, Kernel, parameters_of
from jitnet.compiler.ir.loops import (
    Accumulate,
    Begin,
    Buffer,
    Contract,
    For,
    Load,
    Local,
    Operand,
    Stmt,
    Store,
)
from jitnet.runtime.dataclass import dataclass

from .tiling import ENOUGH_BLOCKS, tiling_of

LEAST_TERMS = 256  # of a band: with fewer, a block begins and ends more than it multiplies

CHUNK = 8  # terms that are read together: bands begin at multiples of it, if that can be


@dataclass(frozen=True)
class _Halves:
    """Both codes that one becomes, and what the first hands to the second."""

    first: Code
    second: Code
    partial: Buffer


class Splitter:
    """Splits the kernels of a program; those that share a code go on sharing."""

    def __init__(self, tf32: bool) -> None:
        self._tf32 = tf32
        self._known: dict[Code, _Halves | None] = {}

    def split(self, kernel: Kernel) -> list[Kernel]:
        """Return a kernel, or the two that make its sums in bands."""
        code = kernel.code
        if code not in self._known:
            self._known[code] = _halves(code, self._tf32)
        halves = self._known[code]
        if halves is None:
            return [kernel]
        own = dict(zip(code.parameters, kernel.buffers, strict=True))
        own[halves.partial] = halves.partial if kernel.is_first else replace(halves.partial)
        return [
            replace(
                kernel,
                name=kernel.name + suffix,
                code=half,
                buffers=tuple(own[buffer] for buffer in half.parameters),
            )
            for half, suffix in ((halves.first, "_bands"), (halves.second, ""))
        ]


def _halves(code: Code, tf32: bool) -> _Halves | None:
    match code.body:
        case (Contract() as stmt,) if stmt.result.dtype.kind == "float" and not stmt.within:
            bands = _bands(stmt, tf32)
            return None if bands is None else _split(code, stmt, *bands)
    return None


def _bands(stmt: Contract, tf32: bool) -> tuple[int, int] | None:
    """Return which dim of the sum is cut, and into how many bands; None if that does not pay."""
    tiling = tiling_of(stmt, tf32)
    wanted = min(ENOUGH_BLOCKS // max(tiling.blocks, 1), tiling.terms // LEAST_TERMS)
    for multiple in (CHUNK, 1):
        for number, var in enumerate(stmt.inner):
            for count in range(min(wanted, var.extent), 1, -1):
                if var.extent % (count * multiple) == 0:
                    return number, count
    return None


def _split(code: Code, stmt: Contract, number: int, count: int) -> _Halves:
    space = (*stmt.batch, *stmt.rows, *stmt.columns)
    size = prod(var.extent for var in space)
    partial = Buffer(f"{stmt.result}_bands", stmt.result.dtype, count * size, "arena")
    band = Var("band", count)
    place = Index(0)
    for var in (band, *space):
        place = place * var.extent + of(var)
    result = Local(f"{stmt.result}_band", stmt.result.dtype)
    first = replace(
        _banded(stmt, number, band), result=result, body=(Store(partial, place, result),)
    )
    load = Accumulate(stmt.result, "add", Load(partial, place))
    second: tuple[Stmt, ...] = (
        Begin(stmt.result, "add", stmt.result.dtype),
        For(band, (load,)),
        *stmt.body,
    )
    for var in reversed(space):
        second = (For(var, second, "parallel"),)
    return _Halves(_with(code, (first,)), _with(code, second), partial)


def _with(code: Code, body: tuple[Stmt, ...]) -> Code:
    return replace(code, body=body, parameters=parameters_of(body))


def _banded(stmt: Contract, number: int, band: Var) -> Contract:
    """Return a product with one more batch dim, which counts bands of a dim of the sum."""
    var = stmt.inner[number]
    rest = Var(var.name, var.extent // band.extent)

    def cut(item: Operand) -> Operand:
        stride = item.inner[number]
        return replace(item, batch=(stride * rest.extent, *item.batch))

    inner = (*stmt.inner[:number], rest, *stmt.inner[number + 1 :])
    return replace(stmt, batch=(band, *stmt.batch), inner=inner, a=cut(stmt.a), b=cut(stmt.b))
