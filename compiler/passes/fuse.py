"""Groups the values to be kept into kernels: what shares loops shares a kernel.

A group has a space, the dims that its loops run over (dims of size 1 left out), and `axes`, those
of them that its reductions remove. A value in it lies in the whole space, or in the space without
the axes (a result of the reductions, or computed from them). Values at the same place of the same
group pass through registers. Band sums add up all that a group computes along the axes, row after
row. Small values that follow from the inputs alone, such as how many labels count, are not put
together with later ones: they are computed before anybody waits for anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from math import prod

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, of
from jitnet.compiler.ir.loops import Bound, Const, Expr
from jitnet.compiler.ir.lowering import (
    BandSum,
    Contraction,
    Host,
    Joined,
    PlaneProduct,
    PlaneSum,
    Reduction,
    Scatter,
    Transform,
)
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import int64

from .orders import reduced_axes
from .patterns import Patterns
from .storage import Conditions, Place, Reader, Storage, walked

ROW_LIMIT = 1 << 14  # elements of a row that later loops over it may find in the cache
KEEP_PARALLEL = 16  # rows below which a reduction would starve the threads of a big map
SMALL = 1 << 13
KINDS = {  # of groups, by what begins one
    Contraction: "contract",
    Transform: "transform",
    PlaneProduct: "planes",
    PlaneSum: "plane sums",
    Scatter: "scatter",
    Host: "host",
    Joined: "join",
}
MOST_NESTED = 200  # expressions inside one another: what walks over them is recursive


@dataclass(frozen=True)
class Read:
    """One read of a kept value while computing another."""

    node: Node
    place: Place  # dims of size 1 left out
    conditions: Conditions


@dataclass(eq=False)
class Group:
    """A kernel in the making."""

    kind: str  # "loops", or one of KINDS
    space: tuple[int, ...]
    axes: tuple[int, ...] = ()
    bands: int = 0  # into which its rows are cut for band sums; 0: there are none
    roots: list[Node] = field(default_factory=list)
    levels: dict[Node, int] = field(default_factory=dict)
    nested: dict[Node, int] = field(default_factory=dict)

    @property
    def kept(self) -> tuple[int, ...]:
        """The dims that reductions leave."""
        return tuple(axis for axis in range(len(self.space)) if axis not in self.axes)

    @property
    def loops_over_axes(self) -> int:
        """How many loops over the axes follow one another."""
        inner = [
            level
            for node, level in self.levels.items()
            if isinstance(node.op.lower, Reduction) or not self.is_row_value(node)
        ]
        return 1 + max(inner, default=0)

    def is_row_value(self, node: Node) -> bool:
        """Whether a value has one element for each place of the kept dims."""
        if isinstance(node.op.lower, Reduction | BandSum):
            return isinstance(node.op.lower, Reduction)
        return bool(self.axes) and squeeze(node.shape) != self.space


def squeeze(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the dims larger than 1 (or of size 0)."""
    return tuple(size for size in shape if size != 1)


def own_space(node: Node) -> tuple[int, ...]:
    """Return the space that computing a value runs over."""
    return squeeze(walked(node).shape)


def space_vars(space: tuple[int, ...]) -> tuple[Var, ...]:
    """Return the loop variables of a space."""
    return tuple(Var(f"i{axis}", size) for axis, size in enumerate(space))


def spread(shape: tuple[int, ...], place: Sequence[Index]) -> Place:
    """Return a place of `shape` from one without the dims of size 1."""
    rest = iter(place)
    return tuple(Index(0) if size == 1 else next(rest) for size in shape)


def squeezed_axes(node: Node) -> tuple[int, ...]:
    """Return a reduction's axes, or those that band sums keep, counted without dims of size 1."""
    shape = node.args[0].shape
    is_band_sum = isinstance(node.op.lower, BandSum)
    removed = range(node.params["rows"], len(shape)) if is_band_sum else reduced_axes(node)
    return tuple(
        sum(1 for size in shape[:axis] if size != 1) for axis in removed if shape[axis] != 1
    )


class Fuser:
    """Puts each kept value into the first kernel that it fits."""

    def __init__(
        self,
        roots: tuple[Node, ...],
        given: dict[Node, Storage],
        patterns: Patterns,
        early_apart: bool = True,
    ) -> None:
        self._roots = set(roots)
        self._given = given
        self._patterns = patterns
        self._read_leaves: dict[int, list[tuple[int, Place, Conditions]]] = {}  # by pattern
        self.groups: list[Group] = []
        self._group_of: dict[Node, int] = {}
        self._reads: dict[Node, list[Read]] = {}
        self._depths: dict[Node, int] = {}
        self._readers: dict[Node, set[int]] = {}
        self._early = self._known_early(roots) if early_apart else set()
        for root in self._scalars_first(roots):
            self._add(root)

    def _scalars_first(self, roots: tuple[Node, ...]) -> list[Node]:
        """Return the roots with numbers made of numbers in front, arguments still before users.

        An optimizer's step counts and bias corrections are such: known first, they do not keep an
        update out of the kernel that makes its gradient.
        """
        early: set[Node] = set()
        for root in roots:
            if root.type.numel != 1 or own_space(root) != ():
                continue
            needs = (read.node for read in self.reads(root) if read.node not in self._given)
            if all(node in early for node in needs):
                early.add(root)
        return [root for root in roots if root in early] + [r for r in roots if r not in early]

    def _known_early(self, roots: tuple[Node, ...]) -> set[Node]:
        """Return the roots that little work makes of what is given, and no more than was given.

        Larger ones, such as labels one-hot, cost less where they are read.
        """
        early: set[Node] = set()
        for root in roots:
            if type(root.op.lower) in KINDS:
                continue
            reads = [read.node for read in self.reads(root)]
            largest = max((node.type.numel for node in reads), default=1)
            known = all(node in early or node in self._given for node in reads)
            if known and prod(own_space(root)) <= min(largest, SMALL):
                early.add(root)
        return early

    def _add(self, root: Node) -> None:
        lower = root.op.lower
        reads = self.reads(root)
        kind = KINDS.get(type(lower))
        if kind is not None:
            self._open(Group(kind, squeeze(root.shape)), root)
            return
        depends = {self._group_of[read.node] for read in reads if read.node in self._group_of}
        earliest = max(depends, default=0)
        shared = {number for read in reads for number in self._readers.get(read.node, ())}
        for number in sorted(depends | shared, reverse=True):
            if number >= earliest and self._fits(self.groups[number], root, reads):
                self._place(number, root, reads)
                return
        self._open(Group("loops", own_space(root)), root)

    def _open(self, group: Group, root: Node) -> None:
        self.groups.append(group)
        _set_rows(group, root)
        group.roots.append(root)
        group.levels[root] = 0
        group.nested[root] = self._nested(group, root, [])
        self._note(root, len(self.groups) - 1)

    def _place(self, number: int, root: Node, reads: list[Read]) -> None:
        group = self.groups[number]
        _set_rows(group, root)
        group.levels[root] = self._level(group, root, reads)
        group.nested[root] = self._nested(group, root, reads)
        group.roots.append(root)
        self._note(root, number)

    def _note(self, root: Node, number: int) -> None:
        self._group_of[root] = number
        for read in self.reads(root):
            self._readers.setdefault(read.node, set()).add(number)

    def is_read_outside(self, node: Node) -> bool:
        """Whether another group than its own reads a kept value."""
        return bool(self._readers.get(node, set()) - {self._group_of[node]})

    def reads(self, root: Node) -> list[Read]:
        """Return what computing root reads, at places of its own space."""
        if root not in self._reads:
            self._reads[root] = self._find_reads(root)
        return self._reads[root]

    def _find_reads(self, root: Node) -> list[Read]:
        """Return the reads of a root; those of one pattern read their leaves at the same places."""
        pattern = self._patterns.of(root)
        known = self._read_leaves.get(pattern.number)
        if known is None:
            numbers = {node: number for number, node in enumerate(pattern.leaves)}
            known = self._read_leaves[pattern.number] = [
                (numbers[read.node], read.place, read.conditions) for read in self._reads_of(root)
            ]
        return [Read(pattern.leaves[number], place, when) for number, place, when in known]

    def _reads_of(self, root: Node) -> list[Read]:
        found: list[Read] = []

        def stop(node: Node, place: Place, conditions: Conditions) -> Expr | None:
            if node not in self._roots and node not in self._given:
                return None
            kept = tuple(at for at, size in zip(place, node.shape, strict=True) if size != 1)
            found.append(Read(node, kept, conditions))
            return Const(0, int64)

        reader = Reader({}, stop)
        lower = root.op.lower
        if type(lower) in KINDS:
            return [Read(arg, (), ()) for arg in _kept_below(root, self._roots, self._given)]
        source = walked(root)
        place = spread(source.shape, [of(var) for var in space_vars(squeeze(source.shape))])
        if source is root:
            reader.inside(root, place)
        else:
            reader.read(source, place)
        return found

    def _fits(self, group: Group, root: Node, reads: list[Read]) -> bool:
        if group.kind in ("scatter", "host", "join"):
            return False
        if group.kind == "loops" and (group.roots[0] in self._early) != (root in self._early):
            return False
        space = own_space(root)
        if isinstance(root.op.lower, Reduction | BandSum):
            if group.kind != "loops" or space != group.space or not _rows_agree(group, root):
                return False
            axes = squeezed_axes(root)
            row_value = False
        else:
            kept_space = tuple(group.space[axis] for axis in group.kept)
            row_value = bool(group.axes) and space != group.space
            if space != (kept_space if row_value else group.space):
                return False
            axes = group.axes
        if self._nested(group, root, reads) > MOST_NESTED:
            return False
        for read in reads:
            if read.node in group.levels and not _aligned(group, axes, row_value, read):
                return False
        level = self._level(group, root, reads)
        return level == 0 or row_value or _rows_fit(group.space, axes)

    def _nested(self, group: Group, root: Node, reads: list[Read]) -> int:
        """Return how many expressions nest in root's, those that it takes from registers too."""
        if group.is_row_value(root):
            return 0  # it has a local of its own
        inner = (group.nested.get(read.node, 0) for read in reads)
        return self._depth(root) + max(inner, default=0)

    def _depth(self, node: Node) -> int:
        """Return how many expressions lie between a value and the kept ones that it reads."""
        if node not in self._depths:
            below = [arg for arg in node.args if arg not in self._roots and arg not in self._given]
            self._depths[node] = 1 + max(map(self._depth, below), default=0)
        return self._depths[node]

    def _level(self, group: Group, root: Node, reads: list[Read]) -> int:
        """Return which of the loops over the axes computes root (row values: comes before)."""
        row_value = not isinstance(root.op.lower, Reduction) and group.is_row_value(root)
        level = 0
        for read in reads:
            if read.node not in group.levels:
                continue
            there = group.levels[read.node]
            if not row_value and group.is_row_value(read.node):
                there += 1 if isinstance(read.node.op.lower, Reduction) else 0
            elif row_value and isinstance(read.node.op.lower, Reduction):
                there += 1
            level = max(level, there)
        return level


def _set_rows(group: Group, root: Node) -> None:
    """Note what a reduction or a band sum says of a group's rows."""
    if isinstance(root.op.lower, Reduction | BandSum):
        group.axes = squeezed_axes(root)
    if isinstance(root.op.lower, BandSum):
        group.bands = root.params["bands"]


def _rows_agree(group: Group, root: Node) -> bool:
    """Whether a reduction or a band sum has the rows of a group; or the group none, and may."""
    axes = squeezed_axes(root)
    if isinstance(root.op.lower, BandSum):
        return group.axes in ((), axes) and group.bands in (0, root.params["bands"])
    return axes == group.axes if group.axes else _reduction_may_join(group.space, axes)


def _kept_below(root: Node, roots: set[Node], given: dict[Node, Storage]) -> list[Node]:
    found: list[Node] = []
    stack = list(root.args)
    while stack:
        node = stack.pop()
        if node in roots or node in given:
            found.append(node)
        else:
            stack.extend(node.args)
    return found


def _aligned(group: Group, axes: tuple[int, ...], row_value: bool, read: Read) -> bool:
    """Whether a value of the group is read at the very place that is being computed."""
    if any(not _always(bound) for bound in read.conditions):
        return False
    places = [of(var) for var in space_vars(group.space)]
    kept = [axis for axis in range(len(group.space)) if axis not in axes]
    read_row = group.is_row_value(read.node)
    if row_value:
        own = space_vars(tuple(group.space[axis] for axis in kept))
        return read_row and read.place == tuple(of(var) for var in own)
    if read_row:
        return read.place == tuple(places[axis] for axis in kept)
    return read.place == tuple(places)


def _always(bound: Bound) -> bool:
    low, high = bound.index.bounds
    return low >= bound.low and high < bound.high


def _reduction_may_join(space: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    kept, total = 1, 1
    for axis, size in enumerate(space):
        total *= size
        kept *= 1 if axis in axes else size
    return kept >= KEEP_PARALLEL or total <= SMALL


def _rows_fit(space: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Whether a second loop over the same row finds it in the cache."""
    if not axes:
        return True
    first = len(space) - len(axes)
    row = 1
    for axis in axes:
        row *= space[axis]
    return row <= ROW_LIMIT and axes == tuple(range(first, len(space)))
