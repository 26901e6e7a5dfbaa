"""Estimates how much there is to do: operations of a value, cycles of a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import of
from jitnet.compiler.ir.loops import subexpressions
from jitnet.compiler.ir.lowering import (
    Contraction,
    Host,
    Joined,
    PlaneProduct,
    PlaneSum,
    Scatter,
    Transform,
)

from .fuse import Group, space_vars, spread, squeeze
from .materialize import COSTS
from .patterns import Patterns
from .products import multiply_adds
from .storage import Reader, Storage, walked

OPERATIONS_A_CYCLE = 8  # element operations of one thread, as materialize counts them
PRODUCTS_A_CYCLE = 16  # multiply-adds of one thread
BYTES_A_CYCLE = 28  # of operands that one thread reads from level 3
STORE = 4  # element operations that take as long as writing a result does
TRANSFORM = 8  # element operations for each result of a transform of blocks
SERIAL_BELOW = 2_000  # cycles of a kernel that one thread does sooner than two can meet
CLAIMED_FROM = 500_000  # cycles of a kernel whose parts are worth claiming while threads work
ALONE_BELOW = 60_000  # cycles of a whole program that is done before a second thread wakes up


class Work:
    """Estimates for the values of one graph; `draft` is where all kept ones would be."""

    def __init__(self, draft: Mapping[Node, Storage], patterns: Patterns) -> None:
        self._draft = draft
        self._patterns = patterns
        self._operations: dict[int, int] = {}  # by pattern

    def operations(self, root: Node) -> int:
        """Return the operations for one element (of its argument, for a reduction).

        For a product, the multiply-adds of it all.
        """
        number = self._patterns.of(root).number
        if number not in self._operations:
            self._operations[number] = self._count(root)
        return self._operations[number]

    def _count(self, root: Node) -> int:
        lower = root.op.lower
        if isinstance(lower, Contraction):
            return multiply_adds(root)
        if isinstance(lower, PlaneProduct):
            planes = root.args[1].shape
            return prod(lower.source(root).tiles) * prod(planes)
        if isinstance(lower, PlaneSum):
            return prod(lower.first(root).tiles) * prod(root.shape)
        if isinstance(lower, Scatter | Host | Joined):
            return 0
        if isinstance(lower, Transform):
            return TRANSFORM
        reader = Reader(self._draft)
        source = walked(root)
        place = spread(source.shape, [of(var) for var in space_vars(squeeze(source.shape))])
        read = reader.inside if source is root else reader.read
        inner = subexpressions(read(source, place))
        return sum(COSTS.get(getattr(each, "fn", ""), 1) for each in inner)

    def cycles(self, group: Group) -> int:
        """Return roughly how long one thread works at a group."""
        first = group.roots[0]
        if group.kind in ("join", "host"):
            return 0
        if isinstance(first.op.lower, Contraction | PlaneProduct | PlaneSum):
            read = sum(arg.type.nbytes for arg in first.args)
            products = max(self.operations(first) // PRODUCTS_A_CYCLE, read // BYTES_A_CYCLE)
            after = max(sum(map(self.operations, group.roots[1:])), STORE)
            finish = first.type.numel * after // OPERATIONS_A_CYCLE
            return products + finish
        size = prod(group.space)
        if isinstance(first.op.lower, Scatter):
            size = max(size, first.args[2].type.numel)
        cost = sum(map(self.operations, group.roots))
        return size * max(cost, STORE) // OPERATIONS_A_CYCLE
