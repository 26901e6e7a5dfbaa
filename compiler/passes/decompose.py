"""Rewrites ops into what loops are made of: pools as windows, sums of many rows in two steps."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.lowering import Contraction, Decompose, Reduction, Scatter
from jitnet.compiler.ops.bands import band_sums
from jitnet.compiler.ops.phases import gradient_margin

from .equal_parts import in_parts
from .orders import has_image_lanes, reduced_axes
from .rewrite import rewrite
from .storage import is_view

PIECES = 64  # into how many parts a long reduction with few results is cut
LONG = 1 << 14  # elements for one result from which it is cut
NARROWEST, WIDEST = 64, 1 << 13  # columns of what is summed by bands of rows
MATRIX_BANDS = 8  # into how many bands of rows a large matrix is cut
BANDED = range(1 << 21, 1 << 25)  # bytes of a matrix that level 3 may hold and level 2 does not
FEW = 64  # results below which the threads would have too little to share


def decompose(graph: Graph) -> Graph:
    """Return the graph in terms of inline ops, reductions, dense contractions and scatters."""
    return rewrite(
        graph,
        (
            expand_op,
            pad_operand,
            no_terms,
            split_product,
            sum_by_bands,
            split_reduction,
            no_scatter,
        ),
    )


def expand_op(node: Node) -> Node | None:
    """An op that is defined by others -> those."""
    if not isinstance(node.op.lower, Decompose):
        return None
    built: Node = node.op.lower.build(node)
    return built


def _padded(x: Node, padding: tuple[tuple[int, int], ...]) -> Node:
    low = (0, 0, *(before for before, _ in padding))
    high = (0, 0, *(after for _, after in padding))
    return ops.pad(x, low=low, high=high, value=0)


def pad_operand(node: Node) -> Node | None:
    """A convolution with padding -> one without, of a padded operand."""
    if not isinstance(node.op.lower, Contraction) or "padding" not in node.params:
        return None
    padding = node.params["padding"]
    none = ((0, 0),) * len(padding)
    match node.op.lower.kind:
        case "conv_input_grad":
            return None if "margin" in node.params else _pad_gradient(node)
        case "conv" if padding != none:
            params = {**node.params, "padding": none}
            return replace(node, args=(_padded(node.args[0], padding), node.args[1]), params=params)
        case "conv_weight_grad" if padding != none:
            params = {**node.params, "padding": none}
            return replace(node, args=(node.args[0], _padded(node.args[1], padding)), params=params)
        case _:
            return None


def _pad_gradient(node: Node) -> Node:
    """Put zeros around a gradient; but of images in lanes, taps beyond it are left out."""
    g, w = node.args
    if has_image_lanes(node):
        return replace(node, params={**node.params, "margin": (0,) * (len(g.shape) - 2)})
    margins = tuple(
        gradient_margin(size, kernel, stride, dilation, low, out)
        for size, kernel, stride, dilation, (low, _), out in zip(
            node.shape[2:],
            w.shape[2:],
            node.params["stride"],
            node.params["dilation"],
            node.params["padding"],
            g.shape[2:],
            strict=True,
        )
    )
    if any(margin != (0, 0) for margin in margins):
        g = _padded(g, margins)
    params = {**node.params, "margin": tuple(low for low, _ in margins)}
    return replace(node, args=(g, w), params=params)


def no_terms(node: Node) -> Node | None:
    """A sum of no products -> zeros."""
    if not isinstance(node.op.lower, Contraction) or node.type.numel == 0:
        return None
    if all(arg.type.numel for arg in node.args):
        return None
    return make(ops.full, shape=node.shape, dtype=node.dtype, value=0, line=node.line)


def no_scatter(node: Node) -> Node | None:
    """A scatter of nothing -> what it would write to."""
    if not isinstance(node.op.lower, Scatter) or node.args[1].type.numel:
        return None
    return node.args[0]


def split_product(node: Node) -> Node | None:
    """A vector times a large matrix -> products with bands of its rows, then the sum of those.

    Each thread then reads whole rows of its bands, one run of memory. Sharing out columns, it would
    read a part of each row, and the hardware would fetch ahead what another one needs. A larger
    matrix comes from memory, which waits the same for both.
    """
    if node.op is not ops.matmul or node.type.numel != node.shape[-1]:
        return None
    a, b = node.args
    depth, columns = b.shape[-2:]
    if is_view(b) or depth % MATRIX_BANDS or b.type.nbytes not in BANDED or b.dtype.kind != "float":
        return None
    rows = depth // MATRIX_BANDS
    vector = ops.reshape(a, shape=(MATRIX_BANDS, 1, rows))
    bands = ops.reshape(b, shape=(MATRIX_BANDS, rows, columns))
    total = ops.sum(ops.matmul(vector, bands), axes=(0,))
    return ops.reshape(total, shape=node.shape)


def sum_by_bands(node: Node) -> Node | None:
    """A long sum over all dims but the last -> sums of bands of rows, then the sum of those."""
    if node.op is not ops.sum or node.dtype.kind != "float":
        return None
    x, rows = node.args[0], len(node.params["axes"])
    if x.op is band_sums or tuple(sorted(node.params["axes"])) != tuple(range(rows)):
        return None
    columns = node.type.numel
    if columns not in node.shape or not NARROWEST <= columns <= WIDEST or x.op is ops.permute:
        return None
    bands = _divisor(x.type.numel // columns) if x.type.numel >= LONG else None
    if bands is None:
        return None
    return ops.sum(make(band_sums, x, rows=rows, bands=bands, line=node.line), axes=(0,))


def split_reduction(node: Node) -> Node | None:
    """A long reduction to few results -> partial ones, the same for all threads, then those."""
    if not isinstance(node.op.lower, Reduction) or node.op.lower.fn.startswith("arg"):
        return None
    x = node.args[0]
    axes = reduced_axes(node)
    total = x.type.numel
    if node.type.numel > FEW * 8 or total < LONG or total // max(node.type.numel, 1) < LONG // 4:
        return None
    axis = max(axes, key=lambda candidate: x.shape[candidate])
    rest = tuple(other for other in axes if other != axis)
    inner = prod(x.shape[other] for other in rest)
    if inner >= FEW and x.shape[axis] >= 8 and len(rest) > 0 and x.shape[axis] <= 8 * PIECES:
        first = node.op(x, axes=rest)
        left = sum(1 for other in range(axis) if other not in rest)
        return node.op(first, axes=(left,))
    pieces = _divisor(x.shape[axis])
    if pieces is None:
        return None
    return in_parts(node, x, axis, pieces)


def _divisor(size: int) -> int | None:
    """Return a number of equal parts near PIECES, or None."""
    for pieces in range(PIECES, 4 * PIECES):
        if size % pieces == 0 and size // pieces >= 8:
            return pieces
    for pieces in range(PIECES - 1, 7, -1):
        if size % pieces == 0 and size // pieces >= 8:
            return pieces
    return None
