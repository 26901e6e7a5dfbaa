"""Rules for values that are taken apart and put together again, as loops over time do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Node, make


def slice_of_slice(node: Node) -> Node | None:
    """x[a:b:s][c:d:t] -> x[a + s c : ... : s t]"""
    if node.op is not ops.slice or node.args[0].op is not ops.slice:
        return None
    inner = node.args[0]
    first, then = inner.params, node.params
    starts, stops, steps = [], [], []
    for start, step, begin, size, stride in zip(
        first["starts"], first["steps"], then["starts"], node.shape, then["steps"], strict=True
    ):
        starts.append(start + step * begin)
        steps.append(step * stride)
        stops.append(starts[-1] + (steps[-1] * (size - 1) + 1 if size else 0))
    return _slice(inner.args[0], starts, stops, steps, node.line)


def slice_of_concat(node: Node) -> Node | None:
    """[a b c][within b] -> b[there]"""
    if node.op is not ops.slice or node.args[0].op is not ops.concat:
        return None
    whole, params = node.args[0], node.params
    axis = whole.params["axis"]
    start, stop = params["starts"][axis], params["stops"][axis]
    begin = 0
    for part in whole.args:
        end = begin + part.shape[axis]
        if begin <= start and stop <= end:
            starts, stops = list(params["starts"]), list(params["stops"])
            starts[axis], stops[axis] = start - begin, stop - begin
            return _slice(part, starts, stops, params["steps"], node.line)
        begin = end
    return None


def concat_of_concat(node: Node) -> Node | None:
    """[[a b] c] -> [a b c]"""
    if node.op is not ops.concat:
        return None
    parts: list[Node] = []
    for part in node.args:
        is_same = part.op is ops.concat and part.params == node.params
        parts.extend(part.args if is_same else (part,))
    if len(parts) == len(node.args):
        return None
    return make(ops.concat, *parts, line=node.line, **node.params)


def concat_of_slices(node: Node) -> Node | None:
    """[x[0:2] x[2:5]] -> x[0:5], also where the slices have lost the dim that they were cut along.

    [x[t] x[t+1] ...], all of shape s, along axis c of s: their dim t goes in front of c.
    """
    if node.op is not ops.concat or len(node.args) < 2:
        return None
    slices = [part.args[0] if part.op is ops.reshape else part for part in node.args]
    run = _run(slices)
    if run is None:
        return None
    cut, starts, stops = run
    first = slices[0]
    whole = _slice(first.args[0], starts, stops, first.params["steps"], node.line)
    axis = node.params["axis"]
    if slices == list(node.args):
        return whole if axis == cut else None
    rest = (*first.shape[:cut], *first.shape[cut + 1 :])
    dropped = all(
        part.op is ops.reshape and part.shape == rest and each.shape[cut] == 1
        for part, each in zip(node.args, slices, strict=True)
    )
    if not dropped:
        return None
    order = [dim for dim in range(len(first.shape)) if dim != cut]
    order.insert(axis, cut)
    moved = make(ops.permute, whole, axes=tuple(order), line=node.line)
    return make(ops.reshape, moved, shape=node.shape, line=node.line)


def _run(slices: Sequence[Node]) -> tuple[int, list[int], list[int]] | None:
    """Return the axis along which slices of one value follow one another, and what they cover."""
    first = slices[0]
    if any(each.op is not ops.slice or each.args[0] is not first.args[0] for each in slices):
        return None
    starts, stops = list(first.params["starts"]), list(first.params["stops"])
    rank = len(starts)
    moving = {
        axis
        for each in slices[1:]
        for axis in range(rank)
        if (each.params["starts"][axis], each.params["stops"][axis]) != (starts[axis], stops[axis])
    }
    if len(moving) != 1 or any(each.params["steps"] != (1,) * rank for each in slices):
        return None
    (axis,) = moving
    if any(a.params["stops"][axis] != b.params["starts"][axis] for a, b in pairwise(slices)):
        return None
    stops[axis] = slices[-1].params["stops"][axis]
    return axis, starts, stops


def _slice(
    x: Node, starts: Sequence[int], stops: Sequence[int], steps: Sequence[int], line: str
) -> Node:
    params = {"starts": tuple(starts), "stops": tuple(stops), "steps": tuple(steps)}
    return make(ops.slice, x, line=line, **params)


RULES = (slice_of_slice, slice_of_concat, concat_of_concat, concat_of_slices)
