"""Writes convolutions of 3 x 3 with fewer products, where that pays: see ops/winograd.py."""

from __future__ import annotations

from math import prod

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ops import winograd as w
from jitnet.runtime.dtype import float32

from .rewrite import rewrite

# Cycles of one core, measured on AVX-512; only their ratio matters.
PRODUCTS_A_CYCLE = 32
MOVE_CYCLES = 0.25  # to write or read an element of a plane

Pairs = tuple[tuple[int, int], ...]


def winograd(graph: Graph) -> Graph:
    """Return the graph with those convolutions as products of planes that are cheaper so."""
    return rewrite(graph, (by_planes,))


def by_planes(node: Node) -> Node | None:
    """A convolution of 3 x 3 in single precision, or a gradient of one -> products of planes.

    Sums of float32 come out as exact as those of the direct way, since all factors are 1 or 1/2
    and the sums along channels stay in one order; larger tiles would lose digits.
    """
    if node.op not in REWRITES or not _is_plain(node) or not pays(node):
        return None
    return REWRITES[node.op](node)


def _is_plain(node: Node) -> bool:
    """Whether the kernel is 3 x 3 and walks pixel by pixel."""
    kernel = node.args[1].shape if node.op is not ops.conv_weight_grad else node.shape
    ones = (1, 1)
    params = node.params
    plain = kernel[2:] == (3, 3) and params["stride"] == params["dilation"] == ones
    within = all(pad <= 2 for pair in params["padding"] for pad in pair)
    return plain and within and params["groups"] == 1 and node.dtype is float32


def pays(node: Node) -> bool:
    """Whether products of planes, and making them, take less than the direct sum of products."""
    kernel = node.args[1].shape if node.op is not ops.conv_weight_grad else node.shape
    outputs, channels = kernel[:2]
    results = node if node.op is ops.conv else node.args[0]
    if node.op is ops.conv_input_grad:
        results = node
    pixels = results.shape[0] * prod(results.shape[2:])
    tiles = results.shape[0] * prod(-(-size // w.RESULTS) for size in results.shape[2:])
    direct = 9 * pixels * outputs * channels / PRODUCTS_A_CYCLE
    products = w.PLANES * tiles * outputs * channels / PRODUCTS_A_CYCLE
    elements = w.PLANES * (tiles * (outputs + channels) + outputs * channels)
    return products + 2 * MOVE_CYCLES * elements < direct


def _padded(image: Node, padding: Pairs) -> Node:
    """Return an image with zeros around it, and more below and right up to whole tiles."""
    low = tuple(before for before, _ in padding)
    high = tuple(
        after + (before + size + after) % w.RESULTS
        for (before, after), size in zip(padding, image.shape[2:], strict=True)
    )
    if not any((*low, *high)):
        return image
    return ops.pad(image, low=(0, 0, *low), high=(0, 0, *high), value=0)


def _tiles(node: Node, image: Node, padding: Pairs) -> Node:
    """Return the planes of an image's tiles, for the op that a node is."""
    return w.winograd_tiles(_padded(image, padding), use=node.op.name)


def _from_planes(planes: Node, node: Node) -> Node:
    """Return the image that planes are of, without what was padded to whole tiles."""
    even = (*node.shape[:2], *(size + size % w.RESULTS for size in node.shape[2:]))
    image = w.winograd_results(planes, shape=even)
    if even == node.shape:
        return image
    return ops.slice(image, starts=(0,) * 4, stops=node.shape, steps=(1,) * 4)


def _turned(planes: Node) -> Node:
    return ops.permute(planes, axes=(0, 2, 1))


def _conv(node: Node) -> Node:
    image, kernels = node.args
    tiles = _tiles(node, image, node.params["padding"])
    planes = ops.matmul(tiles, _turned(w.winograd_kernels(kernels, turned=False)))
    return _from_planes(planes, node)


def _conv_input_grad(node: Node) -> Node:
    """The gradient of an image is the convolution of the results' with the kernels turned."""
    g, kernels = node.args
    margin = tuple((2 - before, 2 - after) for before, after in node.params["padding"])
    tiles = _tiles(node, g, margin)
    planes = ops.matmul(tiles, w.winograd_kernels(kernels, turned=True))
    return _from_planes(planes, node)


def _conv_weight_grad(node: Node) -> Node:
    g, image = node.args
    none = ((0, 0), (0, 0))
    tiles = _tiles(node, image, node.params["padding"])
    planes = ops.matmul(_turned(w.winograd_result_tiles(_padded(g, none))), tiles)
    return w.winograd_kernel_grads(planes)


REWRITES = {
    ops.conv: _conv,
    ops.conv_input_grad: _conv_input_grad,
    ops.conv_weight_grad: _conv_weight_grad,
}
