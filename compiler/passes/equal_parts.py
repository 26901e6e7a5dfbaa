"""A dim as equal parts, and reductions of a value that first reduce each of them."""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Node

from .orders import reduced_axes


def parts_of(x: Node, axis: int, parts: int) -> Node:
    """Return x with a dim as two: the parts, and what is in one."""
    length = x.shape[axis] // parts
    return ops.reshape(x, shape=(*x.shape[:axis], parts, length, *x.shape[axis + 1 :]))


def in_parts(node: Node, x: Node, axis: int, parts: int) -> Node:
    """Return a reduction of x as that of equal parts of a dim, then of what these give."""
    shifted = tuple(other + (other > axis) for other in reduced_axes(node) if other != axis)
    partial: Node = node.op(parts_of(x, axis, parts), axes=(*shifted, axis + 1))
    left = axis - sum(1 for other in shifted if other < axis)
    reduced: Node = node.op(partial, axes=(left,))
    return reduced
