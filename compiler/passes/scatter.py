"""Turns put into loops: the untouched copy, then rows written one after the other, in order."""

from __future__ import annotations

from collections.abc import Mapping

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, lookup, of
from jitnet.compiler.ir.loops import For, Stmt, Store

from .fuse import Group, spread
from .lower import accesses_of, choose_loops, outer_loops
from .storage import Reader, Storage


def lower_scatter(
    group: Group, storage: Mapping[Node, Storage]
) -> list[tuple[str, tuple[Stmt, ...]]]:
    """Return two kernel bodies: the first argument copied, then the values put.

    Threads share the dims of a row; the rows themselves are put in order by one thread, so equal
    indices meet in a fixed order.
    """
    node = group.roots[0]
    return [("_base", _copy(group, node, storage)), ("", _put(node, storage))]


def _copy(group: Group, node: Node, storage: Mapping[Node, Storage]) -> tuple[Stmt, ...]:
    target = storage[node]
    plain = tuple(Var(f"i{axis}", size) for axis, size in enumerate(group.space))
    reader = Reader(storage)

    def store(place: tuple[Index, ...]) -> Stmt:
        full = spread(node.shape, place)
        return Store(target.buffer, target.at(full), reader.read(node.args[0], full))

    draft = store(tuple(of(var) for var in plain))
    loops = choose_loops(Group("loops", group.space), plain, accesses_of([draft]))
    return tuple(outer_loops(loops, [store(loops.place)]))


def _put(node: Node, storage: Mapping[Node, Storage]) -> tuple[Stmt, ...]:
    x, index, value = node.args
    target = storage[node]
    reader = Reader(storage)
    items = tuple(Var(f"i{axis}", size) for axis, size in enumerate(index.shape))
    rows = tuple(Var(f"r{axis}", size) for axis, size in enumerate(x.shape[1:]))
    at = tuple(of(var) for var in items)
    inside = tuple(of(var) for var in rows)
    row = lookup(reader.read(index, at), x.shape[0])
    expr = reader.read(value, (*at, *inside))
    accumulate = bool(node.params["accumulate"])
    body: tuple[Stmt, ...] = (Store(target.buffer, target.at((row, *inside)), expr, accumulate),)
    for var in reversed(items):
        body = (For(var, body, "serial"),)
    live = [var for var in rows if var.extent != 1]
    for var in reversed(live):
        kind = "parallel" if var is not live[-1] else "vector"
        body = (For(var, body, kind if len(live) > 1 else "parallel vector"),)
    return body
