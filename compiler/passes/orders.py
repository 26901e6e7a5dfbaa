"""Chooses in which order the dims of a value lie in memory, slowest first."""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ir.index import Index, Var, of, ravel, unravel
from jitnet.compiler.ir.loops import Load, subexpressions
from jitnet.compiler.ir.lowering import (
    BandSum,
    Contraction,
    Host,
    Joined,
    PlaneProduct,
    PlaneSum,
    Pointwise,
    Reduction,
    Scatter,
    Transform,
)
from jitnet.compiler.ops.winograd import (
    winograd_conv,
    winograd_result_tiles,
    winograd_results,
    winograd_tiles,
    winograd_weight_grad,
)

from .storage import Reader

IMAGE_READERS = (winograd_tiles, winograd_result_tiles, winograd_conv, winograd_weight_grad)
CHANNELS_LAST_FROM = 8  # channels below which images keep their planes
IMAGES = 16  # side by side: of float32, they fill a vector of the widest target

Order = tuple[int, ...]


class Orders:
    """The orders of one graph's values."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._fixed = _pinned(graph) | {output.node for output in graph.outputs}
        self._images = _images(graph)

    def of(self, node: Node, reader: Reader) -> Order:
        """Return the order of a value; `reader` knows where those before it lie."""
        row_major = tuple(range(len(node.shape)))
        if node in self._fixed or len(node.shape) < 3 or node.op is ops.copy:
            return row_major
        last = _channels_last(len(node.shape))
        lower = node.op.lower
        wide = _is_wide(node)
        if isinstance(lower, Transform | PlaneProduct | PlaneSum):
            return last if node.op in (winograd_results, winograd_conv) else row_major
        if isinstance(lower, Contraction):
            planes = lower.kind == "conv_weight_grad" or has_image_lanes(node)
            return last if wide and not planes and lower.kind != "matmul" else row_major
        if wide and node in self._images:
            return last
        if isinstance(lower, BandSum | Scatter | Host | Joined):
            return row_major
        if _feeds_few_channels(node, self._graph):
            return row_major
        source = node.args[0] if isinstance(lower, Reduction) else node
        return _inherited(node, source, reader)


def _channels_last(rank: int) -> Order:
    return (0, *range(2, rank), 1)


def _is_wide(node: Node) -> bool:
    groups: int = node.params.get("groups", 1)
    return node.shape[1] // groups >= CHANNELS_LAST_FROM


def has_image_lanes(convolution: Node) -> bool:
    """Whether the last dim is images side by side, as image_lanes.py lays them: without taps.

    These are lanes then, not channels.
    """
    weight = convolution.op is ops.conv_weight_grad
    kernel = convolution.shape if weight else convolution.args[1].shape
    image = convolution.args[1] if weight else convolution
    return kernel[-1] == 1 and image.shape[-1] == IMAGES and max(kernel[:2]) <= IMAGES


def place_of(shape: tuple[int, ...], letter: str = "i") -> tuple[Index, ...]:
    """Return a symbolic place: one loop variable for each dim."""
    return tuple(of(Var(f"{letter}{axis}", size)) for axis, size in enumerate(shape))


def _pinned(graph: Graph) -> set[Node]:
    """Values that a reshape joins dims of: they stay row-major so that it costs nothing."""
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op.name == "reshape" and _joins_dims(node.args[0].shape, node.shape):
            _pin(node.args[0], found)
    return found


def _pin(node: Node, found: set[Node]) -> None:
    stack = [node]
    while stack:
        current = stack.pop()
        if current in found:
            continue
        found.add(current)
        if isinstance(current.op.lower, Pointwise):
            stack.extend(arg for arg in current.args if arg.shape == current.shape)


def _joins_dims(source: tuple[int, ...], target: tuple[int, ...]) -> bool:
    place = place_of(target)
    index = unravel(ravel(place, target), source)
    return not all(item.is_affine for item in index)


def _feeds_few_channels(node: Node, graph: Graph) -> bool:
    """Whether node's gradient goes to an image whose few channels are rows, pixels being lanes."""
    return any(
        isinstance(user.op.lower, Contraction)
        and user.op.lower.kind == "conv_input_grad"
        and user.args[0] is node
        and user.shape[1] < CHANNELS_LAST_FROM
        for user in graph.users[node]
    )


def _images(graph: Graph) -> set[Node]:
    """Return the values that become operands of convolutions, element by element or padded."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if len(node.shape) >= 3 and any(
            _is_image_operand(user, node, found) for user in graph.users[node]
        ):
            found.add(node)
    return found


def _is_image_operand(user: Node, node: Node, images: set[Node]) -> bool:
    """Whether a user is a convolution of node, or makes an image of it that is one's operand."""
    lower = user.op.lower
    if isinstance(lower, Joined):
        return user in images
    if isinstance(lower, Pointwise) or user.op.name == "pad":
        return user in images and user.shape[:2] == node.shape[:2]
    if isinstance(lower, Transform | PlaneProduct | PlaneSum):
        read = user.args if user.op is winograd_weight_grad else user.args[:1]
        return node in read and user.op in IMAGE_READERS
    if not isinstance(lower, Contraction) or lower.kind == "matmul":
        return False
    if has_image_lanes(user) or (
        lower.kind == "conv_input_grad" and user.shape[1] < CHANNELS_LAST_FROM
    ):
        return False
    if node.shape[1] // user.params["groups"] < CHANNELS_LAST_FROM:
        return False
    return user.args[0] is node or (lower.kind == "conv_weight_grad" and node in user.args)


def _inherited(node: Node, source: Node, reader: Reader) -> tuple[int, ...]:
    """Return the order of dims in which the value's largest operand lies in memory."""
    lower = node.op.lower
    place = place_of(source.shape)
    if isinstance(lower, Reduction):
        axes = reduced_axes(node)
        kept = [axis for axis in range(len(source.shape)) if axis not in axes]
        expr = reader.read(source, place)
    else:
        kept = list(range(len(source.shape)))
        expr = reader.inside(node, place)
    best: list[int] = []
    most = -1
    for inner in subexpressions(expr):
        if not isinstance(inner, Load):
            continue
        strides = [inner.index.coefficient(Var(f"i{axis}", source.shape[axis])) for axis in kept]
        factors = [abs(stride) for stride in strides if stride is not None]
        if len(factors) < len(kept):
            continue
        known = sum(1 for factor in factors if factor)
        if known > most:
            most, best = known, factors
    if most < sum(1 for axis in kept if source.shape[axis] > 1):
        return tuple(range(len(node.shape)))
    return tuple(sorted(range(len(node.shape)), key=lambda axis: (-best[axis], axis)))


def reduced_axes(node: Node) -> tuple[int, ...]:
    """Return the axes that a reduction removes."""
    axes = node.params.get("axes")
    return tuple(axes) if axes is not None else (node.params["axis"],)
