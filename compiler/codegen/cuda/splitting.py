"""Splits products from what follows them: those cut into bands, and those of a vendor's library.

Long sums with few results are cut into bands, which blocks of their own make. The sums of the bands
are written to memory and added in order by a second kernel, which then does what follows the
product. So results do not depend on how blocks run. A library writes its sums to memory too.
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
    Define,
    For,
    Load,
    Local,
    Operand,
    Stmt,
    Store,
)
from jitnet.runtime.dataclass import dataclass

from .library import is_large, pays_apart, request_of
from .tiling import ENOUGH_BLOCKS, Cores, tiling_of

LEAST_TERMS = 256  # of a band: with fewer, a block begins and ends more than it multiplies

CHUNK = 8  # terms that are read together: bands begin at multiples of it, if that can be


@dataclass(frozen=True)
class _Halves:
    """Both codes that one becomes, and what the first hands to the second.

    suffix: of the first one's name.
    """

    first: Code
    second: Code
    partial: Buffer
    suffix: str


class Splitter:
    """Splits the kernels of a program; those that share a code go on sharing."""

    def __init__(self, cores: Cores, library: bool, guarded: bool) -> None:
        self._cores = cores
        self._library = library
        self._guarded = guarded
        self._known: dict[tuple[Code, bool], Code | _Halves] = {}

    def split(self, kernel: Kernel) -> list[Kernel]:
        """Return a kernel, or the two that it becomes."""
        code = kernel.code
        free = not self._guarded or all(each.place == "arena" for each in kernel.writes)
        if (code, free) not in self._known:
            self._known[code, free] = self._split(code, free)
        halves = self._known[code, free]
        if isinstance(halves, Code):
            return [replace(kernel, code=halves)]
        own = dict(zip(code.parameters, kernel.buffers, strict=True))
        own[halves.partial] = halves.partial if kernel.is_first else replace(halves.partial)
        return [
            replace(
                kernel,
                name=kernel.name + suffix,
                code=half,
                buffers=tuple(own[buffer] for buffer in half.parameters),
            )
            for half, suffix in ((halves.first, halves.suffix), (halves.second, ""))
        ]

    def _split(self, code: Code, free: bool) -> Code | _Halves:
        """Return a code as it is or with a library's product, or the halves that it becomes.

        free: whether it may write where it wants to though a check has failed: a library does.
        """
        match code.body:
            case (Contract() as stmt,) if stmt.result.dtype.kind == "float" and not stmt.within:
                if self._library and is_large(stmt):
                    found = _by_library(code, stmt, self._cores, free)
                    if found is not None:
                        return found
                bands = _bands(stmt, self._cores)
                return code if bands is None else _split_bands(code, stmt, *bands)
        return code


def _by_library(code: Code, stmt: Contract, cores: Cores, free: bool) -> Code | _Halves | None:
    """Return a product that a library does, with what follows apart; None if it does not pay."""
    if free and request_of(stmt, cores) is not None:
        return replace(code, body=(replace(stmt, library=True),))
    if not pays_apart(stmt, cores):
        return None
    halves = _apart(code, stmt, replace(stmt, library=True), ())
    (first,) = halves.first.body
    assert isinstance(first, Contract)
    return halves if request_of(first, cores) is not None else None


def _bands(stmt: Contract, cores: Cores) -> tuple[int, int] | None:
    """Return which dim of the sum is cut, and into how many bands; None if that does not pay."""
    tiling = tiling_of(stmt, cores)
    wanted = min(ENOUGH_BLOCKS // max(tiling.blocks, 1), tiling.terms // LEAST_TERMS)
    for multiple in (CHUNK, 1):
        for number, var in enumerate(stmt.inner):
            for count in range(min(wanted, var.extent), 1, -1):
                if var.extent % (count * multiple) == 0:
                    return number, count
    return None


def _split_bands(code: Code, stmt: Contract, number: int, count: int) -> _Halves:
    band = Var("band", count)
    return _apart(code, stmt, _banded(stmt, number, band), (band,))


def _apart(code: Code, stmt: Contract, product: Contract, bands: tuple[Var, ...]) -> _Halves:
    """Return what a product becomes that only stores its sums, and what adds those of the bands.

    product: stmt, with these bands as its first batch dims.
    """
    space = (*stmt.batch, *stmt.rows, *stmt.columns)
    suffix = "_bands" if bands else "_product"
    size = prod(var.extent for var in (*bands, *space))
    partial = Buffer(f"{stmt.result}{suffix}", stmt.result.dtype, size, "arena")
    place = Index(0)
    for var in (*bands, *space):
        place = place * var.extent + of(var)
    result = Local(f"{stmt.result}_part", stmt.result.dtype)
    first = replace(product, result=result, body=(Store(partial, place, result),))
    second = (*_summed(stmt.result, Load(partial, place), bands), *stmt.body)
    for var in reversed(space):
        second = (For(var, second, "parallel"),)
    return _Halves(_with(code, (first,)), _with(code, second), partial, suffix)


def _summed(result: Local, load: Load, bands: tuple[Var, ...]) -> tuple[Stmt, ...]:
    """Return what makes a result of the parts that were stored."""
    if not bands:
        return (Define(result, load),)
    loop: tuple[Stmt, ...] = (Accumulate(result, "add", load),)
    for band in reversed(bands):
        loop = (For(band, loop),)
    return (Begin(result, "add", result.dtype), *loop)


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
