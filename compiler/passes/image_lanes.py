"""Lays images side by side, one in each lane, around convolutions whose channels are too few.

Vectors of few channels are not full, and neither are those of a row of 14 or 28 pixels. A cache
line of images always is: [N, C, H, W] becomes [N / 16, C, H, W, 16], a convolution of images one
with a third dim of one tap, and a pool likewise, so no op has to know. Padding and taps move whole
vectors then. What images pass through element by element between them stays in that form.
"""

from __future__ import annotations

from math import prod

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.lowering import Pointwise, Reduction

from .orders import CHANNELS_LAST_FROM, IMAGES
from .rewrite import rebuild, with_args

# Cycles of one core, measured on AVX-512; only their ratio matters.
SAVED_CYCLES = 1 / 100  # for each multiply-add, of 1/32
MOVE_CYCLES = 1.0  # for each element that is copied from one form to the other

CONVOLUTIONS = (ops.conv, ops.conv_input_grad, ops.conv_weight_grad)
POOLS = (ops.max_pool, ops.max_pool_grad, ops.max_pool_gather, ops.sum_pool, ops.sum_pool_grad)
NEUTRAL = {"kernel": 1, "stride": 1, "dilation": 1}  # of a dim that a window does not span


def images_in_lanes(graph: Graph) -> Graph:
    """Return the graph with convolutions of few channels, and what joins them, in lanes."""
    found = _members(graph)
    if not found or not _pays(graph, found):
        return graph
    return rebuild(graph, _Mover(found).change)


def _members(graph: Graph) -> set[Node]:
    """Return the nodes that are to read images in lanes."""
    found: set[Node] = set()
    for node in graph.nodes:
        if _is_narrow(node) or _goes_along(node, found):
            found.add(node)
    return found


def _is_narrow(node: Node) -> bool:
    """Whether a convolution has whole lanes of images, of fewer channels than fill vectors."""
    if node.op not in CONVOLUTIONS or node.params["groups"] > 1:
        return False
    outputs, channels, *taps = _kernel(node)
    few = min(outputs, channels) < CHANNELS_LAST_FROM and max(outputs, channels) <= IMAGES
    images = node.args[0].shape[0]
    return few and len(taps) < 3 and images > 0 and images % IMAGES == 0


def _goes_along(node: Node, found: set[Node]) -> bool:
    """Whether an op moves or combines elements of an image in lanes, each lane by itself."""
    if node.op in POOLS:
        image = node.args[-1]
        return image in found and _is_image(image) and len(node.params["kernel"]) < 3
    if not any(arg in found and _is_image(arg) for arg in node.args):
        return False
    if isinstance(node.op.lower, Reduction):
        return 0 in node.params.get("axes", ())
    return isinstance(node.op.lower, Pointwise)


def _is_image(node: Node) -> bool:
    """Whether a node's result has one element, or more, for each image."""
    return node.op is not ops.conv_weight_grad and not isinstance(node.op.lower, Reduction)


def _kernel(node: Node) -> tuple[int, ...]:
    return node.shape if node.op is ops.conv_weight_grad else node.args[1].shape


def _pays(graph: Graph, found: set[Node]) -> bool:
    """Whether convolutions gain more than it takes to copy what comes in other forms."""
    saved = sum(_multiply_adds(node) for node in found if node.op in CONVOLUTIONS) * SAVED_CYCLES
    entering = {arg for node in found for arg in _images_of(node) if arg not in found}
    wanted = {output.node for output in graph.outputs}
    leaving = {
        node
        for node in found
        if _is_image(node) and (node in wanted or not found.issuperset(graph.users[node]))
    }
    moved = sum(node.type.numel for node in entering | leaving if not _is_spread(node))
    return moved * MOVE_CYCLES < saved


def _multiply_adds(node: Node) -> int:
    results = node if node.op is ops.conv else node.args[0]
    return results.type.numel * prod(_kernel(node)[1:])


def _is_spread(node: Node) -> bool:
    """Whether a value repeats that of a few elements, and is read anew everywhere."""
    return node.op in (ops.full, ops.expand, ops.constant)


def _images_of(node: Node) -> tuple[Node, ...]:
    """Return the arguments that are read as images."""
    return node.args[:1] if node.op in (ops.conv, ops.conv_input_grad) else node.args


class _Mover:
    """Rebuilds members of the region in the other form."""

    def __init__(self, found: set[Node]) -> None:
        self._found = found
        self._inside: dict[Node, Node] = {}  # a node of the old graph -> its images in lanes
        self._copied: dict[Node, Node] = {}

    def change(self, node: Node, args: tuple[Node, ...]) -> Node:
        """Return what becomes of a node: itself, or a view of images in lanes."""
        if node not in self._found:
            return with_args(node, args)
        images = [
            self._entered(old, new, near=not isinstance(node.op.lower, Pointwise))
            for old, new in zip(_images_of(node), args, strict=False)
        ]
        result = _moved(node, [*images, *args[len(images) :]])
        if not _is_image(node):
            return ops.reshape(result, shape=node.shape)
        self._inside[node] = result
        return _from_lanes(result)

    def _entered(self, old: Node, new: Node, near: bool) -> Node:
        """Return an argument's images in lanes; copied where elements are read more than once."""
        if old in self._inside:
            return self._inside[old]
        if not near or _is_spread(old):
            return _to_lanes(new)
        if old not in self._copied:
            self._copied[old] = ops.copy(_to_lanes(new))
        return self._copied[old]


def _moved(node: Node, args: list[Node]) -> Node:
    """Return an op on images in lanes."""
    params = dict(node.params)
    if node.op in CONVOLUTIONS:
        if node.op is not ops.conv_weight_grad:
            args[1] = ops.reshape(args[1], shape=(*args[1].shape, 1))
        params["padding"] = (*params["padding"], (0, 0))
    elif node.op in POOLS:
        params["padding"] = (*params["padding"], 0)
    params |= {key: (*params[key], one) for key, one in NEUTRAL.items() if key in params}
    if "axes" in params:
        params["axes"] = (*params["axes"], len(node.args[0].shape))
    if "shape" in params:
        params["shape"] = _shape(node)
    return make(node.op, *args, line=node.line, **params)


def _shape(node: Node) -> tuple[int, ...]:
    """Return a gradient's shape on images in lanes."""
    if node.op is ops.conv_weight_grad:
        return (*node.shape, 1)
    return (node.shape[0] // IMAGES, *node.shape[1:], IMAGES)


def _to_lanes(image: Node) -> Node:
    """[N, ...] -> [N / 16, ..., 16]"""
    images, *inner = image.shape
    split = ops.reshape(image, shape=(images // IMAGES, IMAGES, *inner))
    return ops.permute(split, axes=(0, *range(2, len(inner) + 2), 1))


def _from_lanes(image: Node) -> Node:
    """[N / 16, ..., 16] -> [N, ...]"""
    blocks, *inner, _ = image.shape
    split = ops.permute(image, axes=(0, len(inner) + 1, *range(1, len(inner) + 1)))
    return ops.reshape(split, shape=(blocks * IMAGES, *inner))
