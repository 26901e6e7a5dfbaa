"""Contract statements: as register tiles, or as plain loops where tiles do not pay."""

from __future__ import annotations

from math import prod

from jitnet.compiler.ir.index import Index, Var, of
from jitnet.compiler.ir.loops import (
    Accumulate,
    Apply,
    Begin,
    Const,
    Contract,
    Expr,
    For,
    Holds,
    Load,
    Operand,
    Stmt,
    Store,
    expressions,
    loads,
    subexpressions,
    walk,
)
from jitnet.runtime.dtype import bool_
from jitnet.runtime.target import Target

from .contraction import prefers_tiles, scratch_bytes
from .orientation import contraction_of, lane_var, oriented

UNROLL_UP_TO = 16
SHORT = 12  # expressions of what follows a product that may be written once for each vector


def uses_tiles(stmt: Contract, target: Target) -> bool:
    """Return whether a Contract becomes register tiles."""
    if stmt.result.dtype.kind != "float" or any(var.extent == 0 for var in stmt.inner):
        return False
    return prefers_tiles(contraction_of(stmt), target)


def scratch_of(stmt: Contract, target: Target) -> int:
    """Return the bytes of scratch that a Contract needs on each thread."""
    if not uses_tiles(stmt, target):
        return 0
    stmt = oriented(stmt, target)
    return scratch_bytes(contraction_of(stmt), target, streams=streams(stmt, target))


def streams(stmt: Contract, target: Target) -> bool:
    """Return whether what follows the product touches buffers that no cache holds, side by side.

    A result alone is stored tile by tile as fast, and so is one to which each row adds the same.
    """
    rows = {*stmt.batch, *stmt.rows}
    touched = {
        part.buffer
        for part in (*walk(stmt.body), *loads(stmt.body))
        if isinstance(part, Load | Store)
        and part.index.coefficient(lane_var(stmt)) == 1
        and part.index.vars & rows
    }
    large = any(part.size * part.dtype.size > 2 * target.cache_bytes for part in touched)
    return large and len(touched) > 1


def is_short(stmt: Contract) -> bool:
    """Return whether what follows the product is a few instructions for each vector of results."""
    whole = (expr for part in walk(stmt.body) for expr in expressions(part))
    return sum(1 for expr in whole for _ in subexpressions(expr)) <= SHORT


def as_loops(stmt: Contract) -> Stmt:
    """Return a Contract as loops: over columns in vectors, or over the sum where that is packed."""
    a, b = _load(stmt, stmt.a, stmt.rows), _load(stmt, stmt.b, stmt.columns)
    dtype = stmt.result.dtype
    product: Expr = Apply("mul", (a, b), dtype)
    if stmt.within:
        counts = Holds(stmt.within, bool_)
        product = Apply("where", (counts, product, Const(0.0, dtype)), dtype)
    sums: tuple[Stmt, ...] = (Accumulate(stmt.result, "add", product),)
    inner = sorted(
        zip(stmt.inner, stmt.a.inner, stmt.b.inner, strict=True),
        key=lambda item: -max(abs(item[1]), abs(item[2])),
    )
    *others, column = stmt.columns
    along_sum = (
        not _prefers_columns(stmt) and bool(inner) and inner[-1][1:] in ((1, 1), (0, 1), (1, 0))
    )
    total = prod(var.extent for var in stmt.inner)
    for number, (var, _, _) in enumerate(reversed(inner)):
        vector = along_sum and number == 0 and var.extent > 1
        kind = "vector" if vector else "unroll" if total <= UNROLL_UP_TO else "serial"
        sums = (For(var, sums, kind),)
    body: tuple[Stmt, ...] = (Begin(stmt.result, "add", dtype), *sums, *stmt.body)
    outer = [*stmt.batch, *stmt.rows, *others]
    few = all(var.extent == 1 for var in outer)
    if along_sum:
        outer.append(column)
    else:
        body = (For(column, body, "parallel vector" if few else "vector"),)
        if few:
            outer = []
    for var in reversed([var for var in outer if var.extent != 1] or outer[:1]):
        body = (For(var, body, "parallel"),)
    (result,) = body if len(body) == 1 else (For(column, body, "parallel"),)
    return result


def _prefers_columns(stmt: Contract) -> bool:
    """Whether neighbouring columns lie together in B or in what the results are stored to."""
    column = stmt.columns[-1]
    if column.extent < 4:
        return False
    if stmt.b.outer[-1] == 1:
        return True
    packed_sum = any(
        b == 1 and var.extent >= 8 for var, b in zip(stmt.inner, stmt.b.inner, strict=True)
    )
    stores = [s for s in walk(stmt.body) if isinstance(s, Store)]
    return not packed_sum and any(store.index.coefficient(column) == 1 for store in stores)


def _load(stmt: Contract, item: Operand, outer: tuple[Var, ...]) -> Load:
    index = Index(item.offset)
    variables = (*stmt.batch, *outer, *stmt.inner)
    for var, stride in zip(variables, (*item.batch, *item.outer, *item.inner), strict=True):
        index = index + of(var) * stride
    return Load(item.buffer, index, stmt.within)
