"""Fetches memory while a row is being computed, so that writing its results need not wait for it.

A row that goes through several loops writes its results in the last one, all at once; each line
that is not in the cache is fetched before a part of it can be written. Fetched in the loop with
most operations, these lines arrive while there is something else to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from jitnet.compiler.ir.loops import (
    Apply,
    Fetch,
    For,
    Stmt,
    Store,
    expressions,
    subexpressions,
)

from .materialize import COSTS

FAR = 1 << 20  # bytes from which a buffer is taken not to be in the caches of one core


def fetch_ahead(row: Sequence[Stmt]) -> list[Stmt]:
    """Return the statements of a row; its longest loop fetches what the last one writes."""
    loops = [stmt for stmt in row if isinstance(stmt, For) and stmt.kind == "vector"]
    if len(loops) < 2:
        return list(row)
    fetches = tuple(_fetches(loops[-1]))
    longest = max(loops[:-1], key=_operations)
    return [replace(stmt, body=stmt.body + fetches) if stmt is longest else stmt for stmt in row]


def _fetches(last: For) -> Iterator[Fetch]:
    """Yield what to fetch: rows of large buffers."""
    for stmt in last.body:
        if not isinstance(stmt, Store) or stmt.buffer.place == "scratch":
            continue
        in_order = stmt.index.is_affine and stmt.index.coefficient(last.var) == 1
        if in_order and stmt.buffer.size * stmt.buffer.dtype.size >= FAR:
            yield Fetch(stmt.buffer, stmt.index)


def _operations(loop: For) -> int:
    parts = [
        part for stmt in loop.body for expr in expressions(stmt) for part in subexpressions(expr)
    ]
    distinct = {id(part): part for part in parts if isinstance(part, Apply)}
    return sum(COSTS.get(part.fn, 1) for part in distinct.values())
