"""Chooses which values are written to memory, and in which order of dims.

Everything else is recomputed, element by element, inside the kernels that read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ir.index import Index, Var, of, ravel, unravel
from jitnet.compiler.ir.loops import Buffer, Load, subexpressions
from jitnet.compiler.ir.lowering import (
    Contraction,
    Inline,
    Pointwise,
    Reduction,
    Scatter,
    Transform,
)
from jitnet.compiler.ops.winograd import (
    winograd_result_tiles,
    winograd_results,
    winograd_tiles,
)

from .storage import Reader, Storage, is_inline, is_view, ordered_strides

CHEAP = 3  # cost up to which recomputing a value beats writing and reading it
LARGEST = 150  # cost at which an expression is cut even if it is read once
DEEPEST = 60  # nested expressions at which one is cut
READ_OFTEN = ("window", "winograd_tiles")  # ops that read elements more than once
CHANNELS_LAST_FROM = 8  # channels below which images keep their planes

COSTS = {
    "div": 4, "sqrt": 4, "rsqrt": 5, "reciprocal": 4, "rem": 8, "floordiv": 8, "fmod": 8,
    "exp": 12, "exp2": 12, "expm1": 14, "log": 12, "log1p": 14, "log2": 12, "log10": 12,
    "sin": 16, "cos": 16, "tan": 20, "asin": 16, "acos": 16, "atan": 16, "atan2": 20,
    "sinh": 18, "cosh": 18, "tanh": 14, "asinh": 20, "acosh": 20, "atanh": 18,
    "erf": 16, "erfc": 20, "erfinv": 24, "sigmoid": 14, "pow": 30,
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """The values in memory, arguments before users; each one's order of dims, slowest first."""

    roots: tuple[Node, ...]
    orders: dict[Node, tuple[int, ...]]


def materialize(graph: Graph, given: dict[Node, Storage]) -> Layout:
    """Return the values to keep; `given` are inputs and constants, in memory already."""
    outputs = {output.node for output in graph.outputs}
    row_major, images = _pinned(graph) | outputs, _images(graph)
    chosen: set[Node] = set()
    storage = dict(given)
    orders: dict[Node, tuple[int, ...]] = {}
    costs: dict[Node, int] = {}
    depths: dict[Node, int] = {}
    reader = Reader(storage)

    def keep(node: Node) -> None:
        if node in storage:
            return
        orders[node] = _order(graph, node, reader, row_major, images)
        chosen.add(node)
        costs[node] = 0
        strides = ordered_strides(node.shape, orders[node])
        storage[node] = Storage(Buffer("", node.dtype, node.type.numel, "arena"), strides)

    for node in graph.nodes:
        if node in given:
            costs[node] = 0
            continue
        costs[node] = _cost(node, costs)
        depths[node] = 1 + max((depths.get(arg, 0) for arg in node.args), default=0)
        if isinstance(node.op.lower, Contraction):
            for arg in node.args:
                if not _is_affine(reader, arg):
                    keep(arg)
                    reader = Reader(storage)
        deep = depths[node] > DEEPEST
        if (
            not is_inline(node)
            or node in outputs
            or deep
            or _worth_keeping(graph, node, costs[node])
        ):
            keep(node)
            depths[node] = 0
    roots = tuple(node for node in graph.nodes if node in chosen)
    return Layout(roots, orders)


def place_of(shape: tuple[int, ...], letter: str = "i") -> tuple[Index, ...]:
    """Return a symbolic place: one loop variable for each dim."""
    return tuple(of(Var(f"{letter}{axis}", size)) for axis, size in enumerate(shape))


def _cost(node: Node, costs: dict[Node, int]) -> int:
    match node.op.lower:
        case Pointwise(fn):
            return sum(costs[arg] for arg in node.args) + COSTS.get(fn, 1)
        case Inline(_, view):
            if node.op.name.startswith("random"):
                return 60
            return sum(costs[arg] for arg in node.args) + (0 if view else 1)
        case _:
            return 0


def _worth_keeping(graph: Graph, node: Node, cost: int) -> bool:
    """Whether several readers, or one that reads elements often, make writing it down cheaper."""
    if is_view(node) or cost == 0:
        return False
    if cost > LARGEST:
        return True
    readers = list(consumers(graph, node))
    if any(repeats for _, repeats in readers) and cost > CHEAP:
        return True
    return len({reader for reader, _ in readers}) > 1 and cost > CHEAP


def consumers(graph: Graph, node: Node, repeats: bool = False) -> Iterator[tuple[Node, bool]]:
    """Yield who reads node, looking through views, and whether it reads elements repeatedly."""
    for user in dict.fromkeys(graph.users[node]):
        if not is_view(user):
            yield user, repeats or user.op.name in READ_OFTEN
            continue
        grows = user.op.name in ("expand", "window") and user.type.numel > node.type.numel
        yield from consumers(graph, user, repeats or grows)


def _is_affine(reader: Reader, node: Node) -> bool:
    """Whether an operand can be read in place by strides."""
    if not is_inline(node):
        return True
    expr = reader.read(node, place_of(node.shape))
    return isinstance(expr, Load) and expr.index.is_affine and not expr.conditions


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


def _order(
    graph: Graph, node: Node, reader: Reader, fixed: set[Node], images: set[Node]
) -> tuple[int, ...]:
    row_major = tuple(range(len(node.shape)))
    if node in fixed or len(node.shape) < 3:
        return row_major
    last = (0, *row_major[2:], 1)
    lower = node.op.lower
    wide = node.shape[1] // node.params.get("groups", 1) >= CHANNELS_LAST_FROM
    if isinstance(lower, Transform):
        return last if node.op is winograd_results else row_major
    if isinstance(lower, Contraction):
        return last if lower.kind in ("conv", "conv_input_grad") and wide else row_major
    if wide and node in images:
        return last
    if isinstance(lower, Scatter) or _feeds_few_channels(node, graph):
        return row_major
    source = node.args[0] if isinstance(lower, Reduction) else node
    return _inherited(node, source, reader)


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
    if isinstance(lower, Pointwise) or user.op.name == "pad":
        return user in images and user.shape[:2] == node.shape[:2]
    if isinstance(lower, Transform):
        return user.op in (winograd_tiles, winograd_result_tiles)
    if not isinstance(lower, Contraction) or lower.kind == "matmul":
        return False
    if lower.kind == "conv_input_grad" and user.shape[1] < CHANNELS_LAST_FROM:
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
