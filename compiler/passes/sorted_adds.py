"""Adds of many single numbers at looked-up places, made parallel for a GPU.

One after the other, they would be one thread's work. Sorted by place, those of a place lie side by
side, and all sums are made together in as many steps as the count has bits (Hillis and Steele,
"Data parallel algorithms", 1986). So results do not depend on how threads run.
"""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.lowering import Scatter
from jitnet.runtime.dtype import int64

from .rewrite import rewrite

MANY = 1 << 11  # adds from which on it pays to sort them


def add_sorted(graph: Graph) -> Graph:
    """Return the graph with such adds as sums of sorted numbers."""
    return rewrite(graph, (sort_adds,))


def sort_adds(node: Node) -> Node | None:
    """Many numbers added to a vector at looked-up places -> sums of each place's, added to it."""
    if not isinstance(node.op.lower, Scatter) or not node.params["accumulate"]:
        return None
    x, index, value = node.args
    count, size = index.type.numel, x.type.numel
    if count < MANY or size != x.shape[node.params["axis"]] or not _adds_well(node):
        return None
    own = make(ops.iota, shape=(size,), dtype=int64, axis=0)
    places = ops.take(own, ops.reshape(index, shape=(count,)), axis=0)  # which checks the index
    order = ops.argsort(places, axis=0, descending=False)
    places = ops.take(places, order, axis=0)
    sums = _running(ops.take(ops.reshape(value, shape=(count,)), order, axis=0), places)
    after = ops.searchsorted(places, own, right=True)
    last = ops.maximum(ops.sub(after, _full(after, 1)), _full(after, 0))
    found = ops.eq(ops.take(places, last, axis=0), own)
    total = ops.take(sums, last, axis=0)
    added = ops.where(found, total, _full(total, 0))
    return ops.add(x, ops.reshape(added, shape=x.shape))


def _adds_well(node: Node) -> bool:
    """Whether sums are of numbers as they are stored: those of 16 bits are rounded at each step."""
    return node.dtype.kind in ("int", "uint") or (
        node.dtype.kind == "float" and not node.dtype.narrow
    )


def _running(values: Node, places: Node) -> Node:
    """Return at each element the sum of those up to it whose place is the same."""
    count, step = values.shape[0], 1
    while step < count:
        same = ops.eq(places, _later(places, step, -1))
        earlier = ops.where(same, _later(values, step, 0), _full(values, 0))
        values = ops.add(values, earlier)
        step *= 2
    return values


def _later(x: Node, step: int, value: int) -> Node:
    """Return what is so many elements before each; a value where there is none."""
    head = ops.slice(x, starts=(0,), stops=(x.shape[0] - step,), steps=(1,))
    return ops.pad(head, low=(step,), high=(0,), value=value)


def _full(like: Node, value: int) -> Node:
    return make(ops.full, shape=like.shape, dtype=like.dtype, value=value)
