"""Writes the arithmetic of lines: the columns that a line holds, the lines of a panel."""

from __future__ import annotations

from .contraction_plan import Lines, Plan
from .emitter import Function, Value


def column_of(f: Function, lines: Lines, line: Value) -> Value:
    """Return the flat column at which a line begins."""
    if lines.outer == 1:
        return f.mul(line, f.i64(lines.lanes))
    row = f.mul(f.udiv(line, f.i64(lines.chunks)), f.i64(lines.inner))
    return f.add(row, f.mul(f.urem(line, f.i64(lines.chunks)), f.i64(lines.lanes)))


def lanes_of(f: Function, lines: Lines, line: Value) -> Value:
    """Return how many columns a line has."""
    if lines.lanes == 1:
        return f.i64(1)
    before = f.mul(f.urem(line, f.i64(lines.chunks)), f.i64(lines.lanes))
    return f.minimum(f.i64(lines.lanes), f.sub(f.i64(lines.inner), before))


def vectors_of(f: Function, plan: Plan, first: Value) -> Value:
    """Return the lines of the panel that begins at `first`; only the last of all may be short."""
    if not plan.tail_vectors:
        return f.i64(plan.vectors)
    return f.minimum(f.i64(plan.vectors), f.sub(f.i64(plan.lines.count), first))
