"""Lays lasting operands of products out in panels, as register tiles read them.

A panel is as many columns as a tile has at most, side by side, for each step along K. Whoever
multiplies by such an operand reads it in place, from its beginning to its end; as it was, each call
would copy it into panels first.
"""

from __future__ import annotations

from math import prod

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node

from .orders import CHANNELS_LAST_FROM
from .prepare import lasting_below, may_be_kept
from .products import PANEL_BYTES
from .rewrite import rebuild, with_args
from .storage import is_view


def pack_operands(graph: Graph) -> Graph:
    """Return the graph with panels as second operands of products where that pays.

    That is for kernels of convolutions, and for matrices that are computed, and so kept anyway.
    Weights that are multiplied as they are stay where they are: a copy of them would be a second
    one for as long as the function lives, and large matrices are most of a network's memory.
    """
    below = lasting_below(graph)
    packed: dict[Node, Node] = {}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.op not in PACKED or below[node.args[0]] is not None:
            return with_args(node, args)
        sources, weights = below[node.args[1]], args[1]
        if not sources or not may_be_kept(weights, sources):
            return with_args(node, args)
        if weights not in packed:
            packed[weights] = PACKED[node.op](node, weights)
        return with_args(node, (args[0], packed[weights]))

    return rebuild(graph, change)


def _panel(node: Node) -> int:
    return PANEL_BYTES // node.dtype.size


def _kernels(node: Node, w: Node) -> Node:
    """Kernels [O, C, *K] -> panels [O / panel, *K, C, panel], and a view of these as they were.

    Images of few channels are walked plane by plane, and so are their kernels.
    """
    columns, channels, *taps = w.shape
    panel = _panel(node)
    if node.dtype.kind != "float" or node.params["groups"] > 1 or columns % panel:
        return w
    split = ops.reshape(w, shape=(columns // panel, panel, channels, *taps))
    spatial = range(3, 3 + len(taps))
    inner = (*spatial, 2) if channels >= CHANNELS_LAST_FROM else (2, *spatial)
    return _seen_as(w, split, (0, *inner, 1))


def _matrix(node: Node, b: Node) -> Node:
    """A computed matrix in panels; others as they are."""
    return b if _is_as_given(b) else in_panels(b) or b


def in_panels(b: Node) -> Node | None:
    """[*B, K, N] -> panels [*B, N / panel, K, panel], and a view of these as it was; or None."""
    *batch, depth, columns = b.shape
    panel = _panel(b)
    if b.dtype.kind != "float" or columns % panel or depth < panel:
        return None
    split = ops.reshape(b, shape=(*batch, depth, columns // panel, panel))
    rank = len(batch)
    return _seen_as(b, split, (*range(rank), rank + 1, rank, rank + 2))


def _is_as_given(node: Node) -> bool:
    while is_view(node):
        (node,) = node.args
    return not node.args


def _seen_as(whole: Node, split: Node, axes: tuple[int, ...]) -> Node:
    """Return the value of `whole`, read from a copy of `split` in this order of dims."""
    copied = ops.copy(ops.permute(split, axes=axes))
    back = tuple(axes.index(axis) for axis in range(len(axes)))
    assert prod(copied.shape) == prod(whole.shape)
    return ops.reshape(ops.permute(copied, axes=back), shape=whole.shape)


PACKED = {ops.conv: _kernels, ops.matmul: _matrix}
