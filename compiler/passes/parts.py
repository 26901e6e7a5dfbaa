"""Where parts of values lie: what a join is made of, and slices that programs read as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import reshaped_strides
from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.lowering import Joined
from jitnet.compiler.ops.movement import inverse

from .storage import Storage

MOVES = (ops.reshape, ops.permute)  # through which a part may be seen


def source_of(part: Node) -> Node:
    """Return the value whose elements, moved, a part of a join is."""
    while part.op in MOVES:
        part = part.args[0]
    return part


def parts_of(join: Node, storage: Storage) -> Iterator[tuple[Node, Storage]]:
    """Yield the values that lie inside of a join, and where, given where the join is."""
    axis = join.params["axis"]
    start = 0
    for part in join.args:
        place = storage.view(part.shape, storage.strides, start * storage.strides[axis])
        start += part.shape[axis]
        source, own = _moved_back(part, place)
        yield source, own
        if isinstance(source.op.lower, Joined):
            yield from parts_of(source, own)


def _moved_back(part: Node, place: Storage) -> tuple[Node, Storage]:
    """Return where the source of a part lies."""
    strides = place.strides
    while part.op in MOVES:
        x = part.args[0]
        if part.op is ops.permute:
            strides = tuple(strides[axis] for axis in inverse(part.params["axes"]))
        else:
            found = reshaped_strides(part.shape, strides, x.shape)
            assert found is not None, f"{x} cannot lie where {part} is"
            strides = found
        part = x
    return part, Storage(place.buffer, strides)


def blocks(nodes: tuple[Node, ...], storage: Mapping[Node, Storage]) -> dict[Node, Storage]:
    """Return where slices lie that cut other dims than the last, of what is in memory.

    Read as values of their own, the slices for different steps of a loop look the same to the code
    that reads them. What cuts the last dim alone, as the gates of a step are, is read at an offset.
    """
    found: dict[Node, Storage] = {}
    for node in nodes:
        if node.op is ops.slice and node.type.numel and _is_block(node):
            place = _where(node, found, storage)
            if place is not None:
                found[node] = place
    return found


def _is_block(node: Node) -> bool:
    return node.shape[:-1] != node.args[0].shape[:-1] and set(node.params["steps"]) == {1}


def _where(
    node: Node, known: Mapping[Node, Storage], storage: Mapping[Node, Storage]
) -> Storage | None:
    """Return where a view lies, if strides can say it."""
    place = storage.get(node, known.get(node))
    if place is not None or not node.args:
        return place
    if node.op not in (*MOVES, ops.slice):
        return None
    x = node.args[0]
    inner = _where(x, known, storage)
    if inner is None or inner.buffer.place == "scratch":
        return None
    match node.op.name:
        case "permute":
            axes = node.params["axes"]
            return Storage(inner.buffer, tuple(inner.strides[axis] for axis in axes), inner.offset)
        case "reshape":
            strides = reshaped_strides(x.shape, inner.strides, node.shape)
            return None if strides is None else Storage(inner.buffer, strides, inner.offset)
        case _:
            starts, steps = node.params["starts"], node.params["steps"]
            first = sum(a * step for a, step in zip(starts, inner.strides, strict=True))
            strides = tuple(a * step for a, step in zip(steps, inner.strides, strict=True))
            return inner.view(node.shape, strides, first)
