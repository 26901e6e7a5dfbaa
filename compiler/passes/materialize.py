"""Chooses which values are written to memory.

Everything else is recomputed, element by element, inside the kernels that read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ir.loops import Buffer, Load
from jitnet.compiler.ir.lowering import Contraction, Host, Inline, Joined, Pointwise
from jitnet.runtime.dataclass import dataclass

from .orders import Orders
from .parts import parts_of
from .products import places
from .storage import (
    Place,
    Reader,
    Storage,
    is_inline,
    is_view,
    is_widening,
    ordered_strides,
    without_widening,
)

CHEAP = 3  # cost up to which recomputing a value beats writing and reading it
LARGEST = 150  # cost at which an expression is cut even if it is read once
DEEPEST = 60  # nested expressions at which one is cut
# Ops that read elements more than once.
READ_OFTEN = ("window", "winograd_tiles", "winograd_conv", "winograd_weight_grad")

COSTS = {
    "div": 4, "sqrt": 4, "rsqrt": 5, "reciprocal": 4, "rem": 8, "floordiv": 8, "fmod": 8,
    "exp": 12, "exp2": 12, "expm1": 14, "log": 12, "log1p": 14, "log2": 12, "log10": 12,
    "sin": 16, "cos": 16, "tan": 20, "asin": 16, "acos": 16, "atan": 16, "atan2": 20,
    "sinh": 18, "cosh": 18, "tanh": 14, "asinh": 20, "acosh": 20, "atanh": 18,
    "erf": 16, "erfc": 20, "erfinv": 24, "sigmoid": 14, "pow": 30,
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """The values in memory, arguments before users.

    draft: where each lies, in a buffer without a name, and all that is given.
    parts: the values that live inside of joins.
    """

    roots: tuple[Node, ...]
    draft: dict[Node, Storage]
    parts: frozenset[Node]


def materialize(graph: Graph, given: dict[Node, Storage], narrow_operands: bool = False) -> Layout:
    """Return the values to keep; `given` are inputs and constants, in memory already.

    narrow_operands: whether products read 16-bit floats, and widen them themselves.
    """
    chooser = _Chooser(graph, given, narrow_operands)
    for node in graph.nodes:
        chooser.visit(node)
    roots = tuple(node for node in graph.nodes if node in chooser.chosen)
    return Layout(roots, chooser.storage, frozenset(chooser.parts))


class _Chooser:
    """What is known of the values visited so far."""

    def __init__(self, graph: Graph, given: dict[Node, Storage], narrow_operands: bool) -> None:
        self._narrow_operands = narrow_operands
        self.chosen: set[Node] = set()
        self.storage = dict(given)
        self._graph = graph
        self._outputs = {output.node for output in graph.outputs}
        self._orders = Orders(graph)
        self._reader = Reader(self.storage)
        self._costs: dict[Node, int] = dict.fromkeys(given, 0)
        self._depths: dict[Node, int] = {}
        self._reads: dict[Node, frozenset[Node]] = {node: frozenset((node,)) for node in given}
        self._joins: dict[Node, Storage] = {}
        self.parts: dict[Node, Storage] = {}
        for node in reversed(graph.nodes):
            if isinstance(node.op.lower, Joined) and node not in self.parts:
                self._joins[node] = self._draft(node)
                self.parts.update(parts_of(node, self._joins[node]))

    def visit(self, node: Node) -> None:
        """Decide about a value whose arguments have been visited."""
        if node in self._costs:
            return
        self._costs[node] = self._cost(node)
        self._depths[node] = 1 + max((self._depths.get(arg, 0) for arg in node.args), default=0)
        self._reads[node] = frozenset().union(*(self._reads[arg] for arg in node.args))
        if isinstance(node.op.lower, Contraction):
            for arg, place in places(node).items():
                if not self._is_affine(arg, place):
                    self._keep_narrow(arg)
                    self._reader = Reader(self.storage)
        if isinstance(node.op.lower, Host):
            for arg in node.args:
                self._keep(arg)
            self._reader = Reader(self.storage)
        must = not is_inline(node) or node.op is ops.copy
        if must or node in self._outputs or node in self.parts:
            self._keep(node)
            self._depths[node] = 0
        elif self._depths[node] > DEEPEST or self._is_worth_keeping(node):
            self._keep_narrow(node)
            self._depths[node] = 0

    def _keep_narrow(self, node: Node) -> None:
        """Keep a value; of 16-bit floats made wider, where they may be read, these themselves."""
        self._keep(node.args[0] if self._narrow_operands and is_widening(node) else node)

    def _keep(self, node: Node) -> None:
        if node in self.storage:
            return
        self.chosen.add(node)
        self._costs[node] = 0
        self._reads[node] = frozenset((node,))
        place = self._joins.get(node, self.parts.get(node))
        self.storage[node] = place or self._draft(node)

    def _draft(self, node: Node) -> Storage:
        """Return the place of a value in a buffer of its own."""
        strides = ordered_strides(node.shape, self._orders.of(node, self._reader))
        return Storage(Buffer("", node.dtype, node.type.numel, "arena"), strides)

    def _cost(self, node: Node) -> int:
        below = sum(self._costs[arg] for arg in node.args)
        match node.op.lower:
            case Pointwise(fn):
                return below + COSTS.get(fn, 1)
            case Inline(_, view):
                return 60 if node.op.name.startswith("random") else below + (0 if view else 1)
            case _:
                return 0

    def _is_worth_keeping(self, node: Node) -> bool:
        """Whether several readers, or one that reads elements often, make writing it cheaper."""
        cost = self._costs[node]
        if is_view(node) or cost == 0:
            return False
        if cost > LARGEST:
            return True
        found = list(consumers(self._graph, node))
        if cost > CHEAP and any(repeats for _, repeats in found):
            return True
        readers = len({reader for reader, _ in found})
        if readers < 2:
            return False
        return cost > CHEAP or self._saves_reads(node, readers) or self._is_end_of_product(node)

    def _saves_reads(self, node: Node, readers: int) -> bool:
        """Whether less is read and written if a cheap value is kept."""
        reads = sum(1 for read in self._reads[node] if 2 * read.type.numel >= node.type.numel)
        return readers * reads > 1 + readers + reads

    def _is_end_of_product(self, node: Node) -> bool:
        """Whether a value can be written in place of a product that only it needs."""
        stack = [arg for arg in node.args if arg.type.numel == node.type.numel]
        while stack:
            inner = stack.pop()
            if len(self._graph.users[inner]) > 1 or inner in self._outputs:
                continue
            if isinstance(inner.op.lower, Contraction):
                return True
            if is_inline(inner) and inner not in self.storage:
                stack.extend(arg for arg in inner.args if arg.type.numel == inner.type.numel)
        return False

    def _is_affine(self, node: Node, place: Place) -> bool:
        """Whether an operand can be read in place by strides."""
        if not is_inline(node):
            return True
        expr = self._reader.read(node, place)
        if self._narrow_operands:
            expr = without_widening(expr)
        return isinstance(expr, Load) and expr.index.is_affine and not expr.conditions


def consumers(graph: Graph, node: Node, repeats: bool = False) -> Iterator[tuple[Node, bool]]:
    """Yield who reads node, looking through views, and whether it reads elements repeatedly."""
    for user in dict.fromkeys(graph.users[node]):
        if not is_view(user):
            yield user, repeats or user.op.name in READ_OFTEN
            continue
        grows = user.op.name in ("expand", "window") and user.type.numel > node.type.numel
        yield from consumers(graph, user, repeats or grows)
