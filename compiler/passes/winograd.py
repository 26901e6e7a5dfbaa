"""Writes convolutions of 3 x 3 with fewer products, where that pays: see ops/winograd.py."""

from __future__ import annotations

from math import prod

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import Shape
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ops import winograd as w
from jitnet.runtime.dtype import float32

from .plane_sums import parts_of
from .planes import tiles_of_block
from .rewrite import rewrite

# Cycles of one core, measured on AVX-512; only their ratio matters.
PRODUCTS_A_CYCLE = 32
NEAR_CYCLES = 0.25  # to write or read an element of a plane
FAR_CYCLES = 0.7  # the same, of planes that leave the cache
CACHED = 1 << 23  # elements of planes that stay in a level 3 cache
BLOCKED_KERNELS = 1 << 18  # elements of kernels' planes that stay in the cache beside a block's

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
    ones = (1, 1)
    params = node.params
    plain = _kernel(node)[2:] == (3, 3) and params["stride"] == params["dilation"] == ones
    within = all(pad <= 2 for pair in params["padding"] for pad in pair)
    return plain and within and params["groups"] == 1 and node.dtype is float32


def pays(node: Node) -> bool:
    """Whether products of planes, and making them, take less than the direct sum of products."""
    outputs, channels = _kernel(node)[:2]
    results = node.args[0] if node.op is ops.conv_weight_grad else node
    pixels = results.shape[0] * prod(results.shape[2:])
    tiles = results.shape[0] * prod(-(-size // w.RESULTS) for size in results.shape[2:])
    direct = 9 * pixels * outputs * channels / PRODUCTS_A_CYCLE
    products = w.PLANES * tiles * outputs * channels / PRODUCTS_A_CYCLE
    elements = w.PLANES * (tiles * (outputs + channels) + outputs * channels)
    if node.op is ops.conv_weight_grad:
        near = parts_of(tiles, outputs, channels) is not None
    else:
        near = _goes_by_blocks(tiles, outputs, channels)
    move = NEAR_CYCLES if near or elements <= CACHED else FAR_CYCLES
    return products + 2 * move * elements < direct


def _kernel(node: Node) -> Shape:
    return node.shape if node.op is ops.conv_weight_grad else node.args[1].shape


def _goes_by_blocks(tiles: int, outputs: int, channels: int) -> bool:
    """Whether blocks of tiles can pass through the cache beside the planes of all kernels."""
    small = w.PLANES * outputs * channels <= BLOCKED_KERNELS
    return small and tiles_of_block(tiles, outputs + channels) is not None


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


def _product(node: Node, image: Node, kernels: Node) -> Node:
    """Return the convolution of an image, padded to whole tiles, with kernels [O, C, 3, 3].

    By blocks in one kernel, where the planes of all kernels stay in the cache meanwhile.
    """
    even = (*node.shape[:2], *(size + size % w.RESULTS for size in node.shape[2:]))
    turned = node.op is ops.conv_input_grad
    tiles = image.shape[0] * prod(w.tiles_of(image.shape, w.TILE))
    if _goes_by_blocks(tiles, *kernels.shape[:2]):
        if not turned:
            kernels = ops.permute(kernels, axes=(1, 0, 2, 3))
        planes = w.winograd_kernels(kernels, turned=turned)
        result = w.winograd_conv(image, planes, shape=even)
    else:
        planes = w.winograd_kernels(kernels, turned=turned)
        factors = planes if turned else _turned(planes)
        product = ops.matmul(w.winograd_tiles(image, use=node.op.name), factors)
        result = w.winograd_results(product, shape=even)
    if even == node.shape:
        return result
    return ops.slice(result, starts=(0,) * 4, stops=node.shape, steps=(1,) * 4)


def _turned(planes: Node) -> Node:
    return ops.permute(planes, axes=(0, 2, 1))


def _conv(node: Node) -> Node:
    image, kernels = node.args
    return _product(node, _padded(image, node.params["padding"]), kernels)


def _conv_input_grad(node: Node) -> Node:
    """The gradient of an image is the convolution of the results' with the kernels turned."""
    g, kernels = node.args
    margin = tuple((2 - before, 2 - after) for before, after in node.params["padding"])
    return _product(node, _padded(g, margin), kernels)


def _conv_weight_grad(node: Node) -> Node:
    g, image = node.args
    g, image = _padded(g, ((0, 0), (0, 0))), _padded(image, node.params["padding"])
    parts = parts_of(image.shape[0] * prod(w.tiles_of(image.shape, w.TILE)), *node.shape[:2])
    if parts is not None:
        grads = w.winograd_weight_grad(g, image, parts=parts)
        return ops.reshape(grads, shape=node.shape) if parts == 1 else ops.sum(grads, axes=(0,))
    tiles = w.winograd_tiles(image, use=node.op.name)
    return w.winograd_kernel_grads(ops.matmul(_turned(w.winograd_result_tiles(g)), tiles))


REWRITES = {
    ops.conv: _conv,
    ops.conv_input_grad: _conv_input_grad,
    ops.conv_weight_grad: _conv_weight_grad,
}
