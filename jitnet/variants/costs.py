"""What a kernel costs at least: its arithmetic and the memory it touches, for people to read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.ir.loops import (
    Apply,
    Contract,
    Expr,
    For,
    Stmt,
    expressions,
    subexpressions,
)


@dataclass(frozen=True)
class Cost:
    """Operations on floats, and bytes of all values read and written, each once."""

    flops: int
    read: int
    written: int

    def __str__(self) -> str:
        return f"{count(self.flops)}FLOP, reads {size(self.read)}, writes {size(self.written)}"


def cost_of(kernel: Kernel) -> Cost:
    """Return the cost of a kernel."""
    read = sum(buffer.size * buffer.dtype.size for buffer in kernel.reads)
    written = sum(buffer.size * buffer.dtype.size for buffer in kernel.writes)
    return Cost(sum(_flops(stmt, 1) for stmt in kernel.code.body), read, written)


def _flops(stmt: Stmt, times: int) -> int:
    match stmt:
        case For():
            times *= stmt.var.extent
            return sum(_flops(inner, times) for inner in stmt.body)
        case Contract():
            groups = (*stmt.batch, *stmt.rows, *stmt.columns)
            times *= math.prod(var.extent for var in groups)
            inner = math.prod(var.extent for var in stmt.inner)
            return 2 * times * inner + sum(_flops(each, times) for each in stmt.body)
        case _:
            own = sum(map(_operations, expressions(stmt)))
            return times * (own + (type(stmt).__name__ == "Accumulate"))


def _operations(expr: Expr) -> int:
    """Return how many operations on floats an expression does, shared parts once."""
    seen = {id(part): part for part in subexpressions(expr) if isinstance(part, Apply)}
    return sum(part.dtype.kind == "float" and part.fn != "cast" for part in seen.values())


def count(number: int) -> str:
    """Return a number in few characters: 12.3 M."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {letter}"
    return f"{number} "


def size(bytes_: int) -> str:
    """Return bytes in few characters: 1.5 MiB."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if bytes_ >= unit:
            return f"{bytes_ / unit:.3g} {name}"
    return f"{bytes_} B"
