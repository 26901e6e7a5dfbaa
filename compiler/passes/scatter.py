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

    What is put over the argument itself needs no copy. Threads share the dims of a row; the rows
    themselves are put in order by one thread, so equal indices meet in a fixed order.
    """
    node = group.roots[0]
    put = ("", _put(node, storage))
    copy = _copy(group, node, storage)
    return [put] if copy is None else [("_base", copy), put]


def _copy(group: Group, node: Node, storage: Mapping[Node, Storage]) -> tuple[Stmt, ...] | None:
    """Return the loops that copy the argument; None where it lies in the result's place."""
    target = storage[node]
    plain = tuple(Var(f"i{axis}", size) for axis, size in enumerate(group.space))
    reader = Reader(storage)

    def store(place: tuple[Index, ...]) -> Store:
        full = spread(node.shape, place)
        return Store(target.buffer, target.at(full), reader.read(node.args[0], full))

    place = tuple(of(var) for var in plain)
    draft = store(place)
    if target.holds(draft.expr, spread(node.shape, place)):
        return None
    loops = choose_loops(Group("loops", group.space), plain, accesses_of([draft]))
    return tuple(outer_loops(loops, [store(loops.place)]))


def _put(node: Node, storage: Mapping[Node, Storage]) -> tuple[Stmt, ...]:
    x, index, value = node.args
    axis = node.params["axis"]
    target = storage[node]
    reader = Reader(storage)
    items = tuple(Var(f"i{number}", size) for number, size in enumerate(index.shape))
    rows = tuple(Var(f"r{other}", size) for other, size in enumerate(x.shape) if other != axis)
    at = tuple(of(var) for var in items)
    before, behind = (tuple(of(var) for var in part) for part in (rows[:axis], rows[axis:]))
    found = lookup(reader.read(index, at), x.shape[axis])
    expr = reader.read(value, (*before, *at, *behind))
    place = target.at((*before, found, *behind))
    body: tuple[Stmt, ...] = (Store(target.buffer, place, expr, bool(node.params["accumulate"])),)
    for var in reversed(items):
        body = (For(var, body, "serial"),)
    live = [var for var in rows if var.extent != 1]
    for var in reversed(live):
        kind = "parallel" if var is not live[-1] else "vector"
        body = (For(var, body, kind if len(live) > 1 else "parallel vector"),)
    return body
