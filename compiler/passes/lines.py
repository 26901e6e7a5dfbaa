"""Cuts long lines that are reduced to few results into parts, each the work of a block of a GPU.

`decompose` cuts sums and extremes into equal parts where there are such. Here a line is first made
longer by what changes no result, so any length has equal parts; places of extremes are cut too.
"""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.identities import identity
from jitnet.compiler.ir.lowering import Reduction
from jitnet.compiler.ops.reduce import spread
from jitnet.runtime.dtype import int64

from .equal_parts import in_parts, parts_of
from .orders import reduced_axes
from .rewrite import rewrite

FEW = 32  # results from which on there are blocks enough
LONG = 1 << 14  # elements for one result from which a line is cut
PARTS = 128  # as many blocks: a large GPU has 132 processors


def cut_lines(graph: Graph) -> Graph:
    """Return the graph with partial results of long lines."""
    return rewrite(graph, (cut_reduction, cut_place))


def cut_reduction(node: Node) -> Node | None:
    """A reduction of few long lines -> one of the parts of each, then of what these give."""
    axis = _longest(node)
    if axis is None or _fn(node).startswith("arg"):
        return None
    x = _padded(node, axis, identity(_fn(node), node.dtype))
    return in_parts(node, x, axis, PARTS)


def cut_place(node: Node) -> Node | None:
    """The place of the extreme of a long line -> that in each part, then in the best part.

    What a line is made longer by comes last, and is no better than what is there: it never wins.
    """
    axis = _longest(node)
    if axis is None or not _fn(node).startswith("arg"):
        return None
    fn = _fn(node).removeprefix("arg")
    parts = parts_of(_padded(node, axis, identity(fn, node.args[0].dtype)), axis, PARTS)
    extreme = (ops.max if fn == "max" else ops.min)(parts, axes=(axis + 1,))
    inside, best = node.op(parts, axis=axis + 1), node.op(extreme, axis=axis)
    number = make(ops.iota, shape=inside.shape, dtype=int64, axis=axis)
    length = _full(inside.shape, parts.shape[axis + 1])
    place = ops.add(ops.mul(number, length), inside)
    is_best = ops.eq(number, spread(best, inside.shape, (axis,)))
    return ops.sum(ops.where(is_best, place, _full(inside.shape, 0)), axes=(axis,))


def _fn(node: Node) -> str:
    """Return what a reduction does; "" for other ops."""
    return node.op.lower.fn if isinstance(node.op.lower, Reduction) else ""


def _longest(node: Node) -> int | None:
    """Return the dim along which a reduction is cut; None if it need not be, or is none."""
    if not _fn(node) or not 0 < node.type.numel < FEW:
        return None
    x = node.args[0]
    axis = max(reduced_axes(node), key=lambda each: x.shape[each], default=None)
    if axis is None or x.shape[axis] < PARTS or x.type.numel // node.type.numel < LONG:
        return None
    return axis


def _padded(node: Node, axis: int, value: float | int | bool) -> Node:
    """Return what a node reduces, made longer to a multiple of PARTS."""
    x = node.args[0]
    missing = -x.shape[axis] % PARTS
    none = (0,) * len(x.shape)
    high = (*none[:axis], missing, *none[axis + 1 :])
    return ops.pad(x, low=none, high=high, value=value) if missing else x


def _full(shape: tuple[int, ...], value: int) -> Node:
    return make(ops.full, shape=shape, dtype=int64, value=value)
