"""Makes the code of kernels: that of groups which differ only in their memory is made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from typing import Any

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Var, of
from jitnet.compiler.ir.kernel import Code, parameters_of, shares_out
from jitnet.compiler.ir.loops import Buffer, For, Load, Stmt, Store, walk

from .bands import lower_bands
from .contract import lower_contraction
from .fuse import Group
from .locals import name_locals
from .lower import lower_loops
from .patterns import Patterns
from .plane_sums import lower_plane_sums
from .planes import lower_planes
from .scatter import lower_scatter
from .storage import Storage
from .transform import lower_transform
from .work import CLAIMED_FROM, SERIAL_BELOW

Bodies = list[tuple[str, tuple[Stmt, ...]]]  # each with what it adds to the kernel's name
Numbers = tuple[int | Buffer, ...]  # of the key's buffers; and scratch that the code itself has
Given = tuple[str, Code, tuple[Buffer, ...]]  # the same, and the memory that the code works on


class Sharing(Enum):
    """How threads share a kernel: one does it all, all take equal parts, or claim parts of it."""

    NONE = "none"
    EQUAL = "equal"
    CLAIMED = "claimed"

    @classmethod
    def of(cls, cycles: int) -> Sharing:
        """Return how to share work of so many cycles of one thread."""
        if cycles < SERIAL_BELOW:
            return cls.NONE
        return cls.CLAIMED if cycles >= CLAIMED_FROM else cls.EQUAL


class Codes:
    """The codes of one graph, by what they are made from.

    storage: where values are, as it is when `of` is called.  alone: one thread runs everything.
    """

    def __init__(
        self, patterns: Patterns, storage: Mapping[Node, Storage], alone: bool = False
    ) -> None:
        self.alone = alone
        self._patterns = patterns
        self._storage = storage
        self._known: dict[Hashable, list[tuple[str, Code, Numbers]]] = {}

    def of(self, group: Group, cycles: int) -> list[Given]:
        """Return the code of each kernel that a group of so many cycles becomes."""
        roots = {root: number for number, root in enumerate(group.roots)}
        memory = _Memory(self._storage)
        sharing = Sharing.of(cycles)
        key: list[Any] = [group.kind, group.space, group.axes, sharing]
        for root in group.roots:
            pattern = self._patterns.of(root)
            leaves = tuple((roots.get(leaf), memory.of(leaf)) for leaf in pattern.leaves)
            key.append((pattern.number, group.levels[root], memory.of(root), leaves))
        return self._share(tuple(key), memory, sharing, lambda: _lower(group, self._storage))

    def copy(self, node: Node, source: Storage, target: Storage, cycles: int) -> Given:
        """Return the code that copies a value from one place to another."""
        memory = _Memory({})
        places = memory.at(source), memory.at(target)
        sharing = Sharing.of(cycles)
        key = ("copy", node.shape, node.dtype, sharing, *places)
        (copy,) = self._share(key, memory, sharing, lambda: [("", _copy(node, source, target))])
        return copy

    def _share(
        self, key: Hashable, memory: _Memory, sharing: Sharing, make: Callable[[], Bodies]
    ) -> list[Given]:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = [
                (suffix, *self._code(body, memory, sharing)) for suffix, body in make()
            ]
        buffers = memory.buffers
        return [
            (suffix, code, tuple(buffers[n] if isinstance(n, int) else n for n in numbers))
            for suffix, code, numbers in known
        ]

    def _code(
        self, body: tuple[Stmt, ...], memory: _Memory, sharing: Sharing
    ) -> tuple[Code, Numbers]:
        """Return the code of a body, and what it works on."""
        shared = any(shares_out(stmt) for stmt in walk(body))
        parameters = parameters_of(body)
        serial = self.alone or sharing is Sharing.NONE or not shared
        claims = not serial and sharing is Sharing.CLAIMED and list(map(shares_out, body)) == [True]
        numbers = tuple(map(memory.number, parameters))
        return Code("", name_locals(body), parameters, serial, claims), numbers


class _Memory:
    """Says where values are, with numbers for buffers in the order in which they come up."""

    def __init__(self, storage: Mapping[Node, Storage]) -> None:
        self.buffers: list[Buffer] = []
        self._storage = storage
        self._numbers: dict[Buffer, int] = {}

    def of(self, node: Node) -> Hashable:
        """Return where a value is; None for one that is not in memory."""
        storage = self._storage.get(node)
        return None if storage is None else self.at(storage)

    def number(self, buffer: Buffer) -> int | Buffer:
        """Return the number of a buffer; the buffer, if it is scratch that no value has."""
        return self._numbers.get(buffer, buffer)

    def at(self, storage: Storage) -> Hashable:
        """Return what two places have in common that code reaches in the same way."""
        buffer = storage.buffer
        number = self._numbers.get(buffer)
        if number is None:
            number = self._numbers[buffer] = len(self.buffers)
            self.buffers.append(buffer)
        return number, storage.strides, storage.offset, buffer.place == "scratch"


def _lower(group: Group, storage: Mapping[Node, Storage]) -> Bodies:
    targets = {root: [storage[root]] for root in group.roots if root in storage}
    match group.kind:
        case "contract":
            return [("", lower_contraction(group, storage, targets))]
        case "transform":
            return [("", lower_transform(group, storage, targets))]
        case "planes":
            return [("", lower_planes(group, storage, targets))]
        case "plane sums":
            return [("", lower_plane_sums(group, storage, targets))]
        case "scatter":
            return lower_scatter(group, storage)
        case "loops" if group.bands:
            return [("", lower_bands(group, storage, targets))]
        case "loops":
            return [("", lower_loops(group, storage, targets))]
        case other:
            raise AssertionError(other)


def _copy(node: Node, source: Storage, target: Storage) -> tuple[Stmt, ...]:
    variables = tuple(Var(f"i{axis}", size) for axis, size in enumerate(node.shape))
    place = tuple(of(var) for var in variables)
    load = Load(source.buffer, source.at(place))
    body: tuple[Stmt, ...] = (Store(target.buffer, target.at(place), load),)
    live = [var for var in variables if var.extent != 1]
    order = sorted(live, key=lambda var: -abs(target.strides[variables.index(var)]))
    for number, var in enumerate(reversed(order)):
        last = number == 0
        kind = "vector" if last and len(order) > 1 else "parallel vector" if last else "parallel"
        body = (For(var, body, kind),)
    return body
