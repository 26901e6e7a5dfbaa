"""How many lanes a vector loop has."""

from __future__ import annotations

from jitnet.compiler.ir.loops import (
    Accumulate,
    Apply,
    Begin,
    For,
    Stmt,
    Store,
    expressions,
    loads,
    subexpressions,
    walk,
)
from jitnet.runtime.target import Target

MANY = 16  # vectors in a loop over columns from which four go together
LONG = 2  # polynomials in a body from which several vectors go together: one waits for itself
POLYNOMIALS = frozenset(
    "exp exp2 expm1 log log1p log2 log10 tanh erf sigmoid".split()
)  # those that are computed in the type of their argument, without a branch
LIGHT = 6  # operations in a reduction's body up to which four partial sums hide its latency


def width_of(loop: For, target: Target) -> int:
    """Return the lanes of a vector loop: one register of its elements, or several.

    More for light sums, whose additions wait for one another, and for long expressions.
    """
    body, extent = loop.body, loop.var.extent
    sums = [s for s in walk(body) if isinstance(s, Accumulate)]
    sizes = [s.buffer.dtype.size for s in walk(body) if isinstance(s, Store)]
    sizes.extend(s.local.dtype.size for s in sums)
    sizes.extend(access.buffer.dtype.size for access in loads(body))
    lanes = target.lanes(8 if sizes and min(sizes) == 8 else 4)
    inside = any(isinstance(s, Begin) for s in walk(body))
    several = not inside or (extent >= MANY * lanes and len({s.local for s in sums}) <= 2)
    repeated = tuple(s for s in body if isinstance(s, For)) if inside else body
    if sums and several and _operations(repeated) <= LIGHT:
        lanes *= 4  # of columns summed by themselves: more of each row that lies together
    if not sums and is_long(loop):
        lanes *= 4 if target.is_avx512 else 2  # of 16 registers, more would spill
    while lanes > 1 and lanes > extent and lanes // 2 >= extent:
        lanes //= 2
    return min(lanes, max(extent, 1))


def is_long(loop: For) -> bool:
    """Whether a body has several polynomials, whose instructions had better be interleaved."""
    return _polynomials(loop.body) >= LONG


def _operations(body: tuple[Stmt, ...]) -> int:
    return len(_applied(body))


def _polynomials(body: tuple[Stmt, ...]) -> int:
    return sum(1 for apply in _applied(body) if apply.fn in POLYNOMIALS)


def _applied(body: tuple[Stmt, ...]) -> list[Apply]:
    """Return the operations of a body, each once."""
    found: dict[int, Apply] = {}
    for stmt in walk(body):
        for expr in expressions(stmt):
            for inner in subexpressions(expr):
                if isinstance(inner, Apply):
                    found[id(inner)] = inner
    return list(found.values())
