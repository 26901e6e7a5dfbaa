"""Where values live, and reading one element of any value as an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import assert_never

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index
from jitnet.compiler.ir.loops import Apply, Bound, Buffer, Expr, Load
from jitnet.compiler.ir.lowering import (
    BandSum,
    Contraction,
    Decompose,
    Host,
    Inline,
    Joined,
    PlaneProduct,
    PlaneSum,
    Pointwise,
    Reduction,
    Scatter,
    Transform,
)
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import float32

Place = tuple[Index, ...]
Conditions = tuple[Bound, ...]


@dataclass(frozen=True)
class Storage:
    """A value in memory: element offset + the sum of stride * index in its buffer."""

    buffer: Buffer
    strides: tuple[int, ...]
    offset: int = 0

    def at(self, place: Place) -> Index:
        """Return the element number of a place."""
        flat = Index(self.offset)
        for position, stride in zip(place, self.strides, strict=True):
            flat = flat + position * stride
        return flat

    def holds(self, expr: Expr, place: Place) -> bool:
        """Whether an expression is nothing but the element at a place."""
        return (
            isinstance(expr, Load)
            and expr.buffer == self.buffer
            and expr.index == self.at(place)
            and not expr.conditions
        )

    def view(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Storage:
        """Return the part of the memory that begins `offset` elements later and has this shape."""
        span = 1 + sum(abs((size - 1) * step) for size, step in zip(shape, strides, strict=True))
        size = span if prod(shape) else 0
        return Storage(self.buffer.part(self.offset + offset, size), strides)


def ordered_strides(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """Return packed strides with order[0] the slowest dim and order[-1] the fastest."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


class Reader:
    """Builds the expression of a value at a place, down to the values that are in memory.

    stop(node, place, conditions) returns the expression of a value not to be looked into, or None.
    """

    def __init__(
        self,
        storage: Mapping[Node, Storage],
        stop: Callable[[Node, Place, Conditions], Expr | None] | None = None,
    ) -> None:
        self._storage = storage
        self._stop = stop
        self._known: dict[tuple[Node, Place, Conditions], Expr] = {}

    def read(self, node: Node, place: Place, conditions: Conditions = ()) -> Expr:
        """Return the element of node at place; memory is touched only where conditions hold."""
        key = (node, place, conditions)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._read(node, place, conditions)
        return found

    def inside(self, node: Node, place: Place, conditions: Conditions = ()) -> Expr:
        """Return the expression that computes node, even if node itself is in memory."""
        match node.op.lower:
            case Pointwise(fn):
                args = tuple(self.read(arg, place, conditions) for arg in node.args)
                return Apply(fn, args, node.dtype)
            case Inline(build):

                def read(number: int, at: Place, more: Conditions = ()) -> Expr:
                    return self.read(node.args[number], at, conditions + more)

                built: Expr = build(read, place, node)
                return built
            case (
                Reduction()
                | BandSum()
                | Contraction()
                | Transform()
                | PlaneProduct()
                | PlaneSum()
                | Scatter()
                | Joined()
                | Host()
                | Decompose()
                | None
            ):
                raise AssertionError(f"{node} is not computed element by element")
            case Decompose() | None:
                raise AssertionError(f"{node} should have been decomposed, or given")
            case other:
                assert_never(other)

    def _read(self, node: Node, place: Place, conditions: Conditions) -> Expr:
        if self._stop is not None:
            stopped = self._stop(node, place, conditions)
            if stopped is not None:
                return stopped
        storage = self._storage.get(node)
        if storage is not None:
            return Load(storage.buffer, storage.at(place), conditions)
        return self.inside(node, place, conditions)


def walked(node: Node) -> Node:
    """Return the value whose elements the loops of a node go over: what it sums up, or itself."""
    return node.args[0] if isinstance(node.op.lower, Reduction | BandSum) else node


def is_inline(node: Node) -> bool:
    """Whether the value can be computed element by element where it is read."""
    return isinstance(node.op.lower, Pointwise | Inline)


def is_view(node: Node) -> bool:
    """Whether the value is elements of its argument, moved."""
    return isinstance(node.op.lower, Inline) and node.op.lower.view


def is_widening(node: Node) -> bool:
    """Whether the value is 16-bit floats as float32."""
    is_cast = isinstance(node.op.lower, Pointwise) and node.op.lower.fn == "cast"
    return is_cast and node.dtype is float32 and node.args[0].dtype.narrow


def without_widening(expr: Expr) -> Expr:
    """Return the 16-bit float that an expression makes a float32, or the expression."""
    match expr:
        case Apply("cast", (Load() as load,), dtype) if load.dtype.narrow and dtype is float32:
            return load
        case _:
            return expr
