"""What must hold of data that only a run knows: indices in range, no whole number divided by zero.

A program looks at these before it writes anything that outlives it.
"""

from __future__ import annotations

from collections.abc import Iterator

from jitnet.compiler import ops
from jitnet.compiler.ir.errors import DivisionError
from jitnet.compiler.ir.graph import Graph, Node
from jitnet.compiler.ir.loops import Const, Expr, Position
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import int64

from .simplify import uniform


@dataclass(frozen=True)
class Demand:
    """Every element of node must lie in low .. high - 1; else the run ends with error(text).

    {value} in the text stands for the first element that does not.
    """

    node: Node
    low: int
    high: int
    error: type[Exception]
    text: str


def demands(graph: Graph) -> Iterator[Demand]:
    """Yield what a graph's ops ask of data, each demand once."""
    seen: set[tuple[Node, int]] = set()
    for node in graph.nodes:
        if node.type.numel == 0 and node.op not in (ops.put, ops.combine):
            continue
        found = _index(node) or _divisor(node)
        if found is None or found[0].type.numel == 0 or (found[0], found[1]) in seen:
            continue
        seen.add((found[0], found[1]))
        value, size, error, text = found
        if error is DivisionError:
            value = ops.cast(ops.ne(value, ops.full_like(value, value=0)), dtype=int64)
        low = 1 if error is DivisionError else 0
        where = f"; {node.line}" if node.line else ""
        yield Demand(value, low, size, error, text + where)


def makes_demands(node: Node) -> bool:
    """Whether an op asks something of data."""
    return (_index(node) or _divisor(node)) is not None


Found = tuple[Node, int, type[Exception], str]


def _index(node: Node) -> Found | None:
    if node.op not in (ops.take, ops.put, ops.pick, ops.combine):
        return None
    size = node.args[0].shape[node.params["axis"]]
    text = f"index {{value}} is out of range: wanted 0 to {size - 1} for a dim of size {size}"
    return node.args[1], size, IndexError, text


def _divisor(node: Node) -> Found | None:
    """Whole numbers divided by something that may be zero."""
    if node.op not in (ops.floor_divide, ops.remainder, ops.fmod) or node.dtype.kind == "float":
        return None
    divisor = node.args[1]
    if uniform(divisor):
        return None
    text = "whole numbers cannot be divided by zero; cast to float first"
    return divisor, 2, DivisionError, text


def surely_holds(demand: Demand, expr: Expr) -> bool:
    """Whether a demand is known to hold without looking at data."""
    match expr:
        case Position():
            low, high = expr.index.bounds
            return low >= demand.low and high < demand.high
        case Const():
            return demand.low <= expr.value < demand.high
        case _:
            return False
