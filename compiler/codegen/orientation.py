"""Chooses which side of a contraction lies in the vector lanes: its columns or its rows."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import Bound, Contract, Operand, Store, walk
from jitnet.runtime.target import Target

from .contraction import Contraction, Limit, cycles
from .contraction import Operand as Strides


def contraction_of(stmt: Contract) -> Contraction:
    """Return the strides and sizes of a Contract statement."""

    def sizes(variables: tuple[Var, ...]) -> tuple[int, ...]:
        return tuple(var.extent for var in variables)

    def strides(item: Operand) -> Strides:
        return Strides(item.offset, item.batch, item.outer, item.inner)

    return Contraction(
        stmt.result.dtype,
        sizes(stmt.batch),
        sizes(stmt.rows),
        sizes(stmt.columns),
        sizes(stmt.inner),
        strides(stmt.a),
        strides(stmt.b),
        tuple(_limit(stmt, bound) for bound in stmt.within),
    )


def _limit(stmt: Contract, bound: Bound) -> Limit:
    """Return the strides of a bound."""

    def steps(variables: tuple[Var, ...]) -> tuple[int, ...]:
        found = [bound.index.coefficient(var) for var in variables]
        assert bound.index.is_affine, f"{bound} is not affine"
        return tuple(step or 0 for step in found)

    low, high = bound.low - bound.index.const, bound.high - bound.index.const
    return Limit(steps(stmt.batch), steps(stmt.inner), low, high)


@lru_cache(maxsize=1024)
def oriented(stmt: Contract, target: Target) -> Contract:
    """Return an equal Contract with the cheaper side as columns, adjacent elements of B last."""
    exchanged = replace(stmt, rows=stmt.columns, columns=stmt.rows, a=stmt.b, b=stmt.a)
    choices = [_sorted_columns(choice) for choice in (stmt, exchanged)]
    if stmt.within:  # these are read in place only
        choices = [choice for choice in choices if choice.b.outer[-1] == 1]
    return min(choices, key=lambda choice: _cycles(choice, target))


def lane_var(stmt: Contract) -> Var:
    """Return the column variable that lanes run along: the last of more than one value."""
    return next((var for var in reversed(stmt.columns) if var.extent > 1), stmt.columns[-1])


def _sorted_columns(stmt: Contract) -> Contract:
    """Return a Contract whose last column is the one with the smallest step in B."""
    pairs = sorted(
        zip(stmt.columns, stmt.b.outer, strict=True),
        key=lambda pair: (pair[0].extent > 1, -abs(pair[1])),
    )
    outer = tuple(stride for _, stride in pairs)
    return replace(stmt, columns=tuple(var for var, _ in pairs), b=replace(stmt.b, outer=outer))


def _cycles(stmt: Contract, target: Target) -> float:
    var = lane_var(stmt)
    stores = [inner for inner in walk(stmt.body) if isinstance(inner, Store)]
    adjacent = all(store.index.coefficient(var) == 1 for store in stores)
    return cycles(contraction_of(stmt), target, adjacent)
