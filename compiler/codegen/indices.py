"""Indices and the conditions on them as i64 arithmetic: one scalar, or one value for each lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from jitnet.compiler.ir.index import Atom, FloorDiv, Index, Lookup, Mod, Var, atom_vars, of
from jitnet.compiler.ir.loops import Bound, Expr
from jitnet.runtime.dtype import int64

from .emitter import I64, Value, vector
from .math import emit_cast
from .point import Point


class Indices:
    """Writes indices at a point; value: writes the expressions that lookups hold."""

    def __init__(self, point: Point, value: Callable[[Expr], Value]) -> None:
        self.f = point.f
        self._point = point
        self._value = value

    def lane_factor(self, index: Index) -> int | None:
        """Return how far apart neighbouring lanes lie; None if they are not equally spaced."""
        lanes = self._point.lanes
        return 0 if lanes is None else index.coefficient(lanes.var)

    def lane_repeats(self, index: Index) -> int:
        """Return how many neighbouring lanes lie at one place before the next one follows; or 1."""
        lanes = self._point.lanes
        if lanes is None:
            return 1
        moving = [(atom, factor) for atom, factor in index.terms if lanes.var in atom_vars(atom)]
        if len(moving) != 1 or moving[0][1] != 1 or not isinstance(moving[0][0], FloorDiv):
            return 1
        return self.repeats(moving[0][0])

    def position(self, index: Index) -> Value:
        """Return an index: a vector where lanes differ, else a scalar."""
        return self.scalar(index) if self.lane_factor(index) == 0 else self.vector(index)

    def scalar(self, index: Index) -> Value:
        """Return an index as one i64; in a vector loop that of lane 0."""
        total = self.f.i64(0)
        terms = [self.f.mul(self.atom(atom), self.f.i64(factor)) for atom, factor in index.terms]
        for term in sorted(terms, key=lambda value: value.depth):
            total = self.f.add(total, term)
        return self.f.add(total, self.f.i64(index.const))

    def atom(self, atom: Atom) -> Value:
        """Return an atom as one i64; in a vector loop that of lane 0."""
        f = self.f
        match atom:
            case Var():
                return self._point.vars[atom]
            case FloorDiv():
                return f.udiv(self.scalar(atom.value), f.i64(atom.by))
            case Mod():
                return f.urem(self.scalar(atom.value), f.i64(atom.by))
            case Lookup():
                return f.extract(self._found(atom), 0)
            case _:
                assert_never(atom)

    def vector(self, index: Index) -> Value:
        """Return an index as one i64 for each lane."""
        assert self._point.lanes is not None
        f, lanes = self.f, self._point.lanes.count
        total = f.const(vector(I64, lanes), index.const)
        for atom, factor in index.terms:
            term = self._vector_atom(atom)
            if factor != 1:
                term = f.binary("mul nsw", term, f.const(term.type, factor))
            total = f.binary("add nsw", total, term)
        return total

    def repeats(self, atom: Atom) -> int:
        """Return how many neighbouring lanes have the same value of an atom; 1 if not known.

        So it is for var // by if the vector begins at a multiple of by.
        """
        lanes = self._point.lanes
        if lanes is None or not isinstance(atom, FloorDiv | Mod):
            return 1
        aligned = atom.value == of(lanes.var) and lanes.multiple % atom.by == 0
        return atom.by if aligned else 1

    def _vector_atom(self, atom: Atom) -> Value:
        assert self._point.lanes is not None
        f, lanes = self.f, self._point.lanes
        match atom:
            case Var():
                base = f.splat(self._point.vars[atom], lanes.count)
                if atom != lanes.var:
                    return base
                steps = f.lanes_constant(I64, range(lanes.count))
                return f.binary("add nsw", base, steps) if lanes.count > 1 else base
            case FloorDiv() if self.repeats(atom) > 1:
                steps = f.lanes_constant(I64, [lane // atom.by for lane in range(lanes.count)])
                return f.binary("add nsw", f.splat(self.atom(atom), lanes.count), steps)
            case Mod() if self.repeats(atom) > 1:
                return f.lanes_constant(I64, [lane % atom.by for lane in range(lanes.count)])
            case FloorDiv():
                value = self.vector(atom.value)
                return f.binary("udiv", value, f.const(value.type, atom.by))
            case Mod():
                value = self.vector(atom.value)
                return f.binary("urem", value, f.const(value.type, atom.by))
            case Lookup():
                return f.splat(self._found(atom), lanes.count)
            case _:
                assert_never(atom)

    def _found(self, lookup: Lookup) -> Value:
        return emit_cast(self.f, self._value(lookup.expr), lookup.expr.dtype, int64)

    def mask(self, bounds: Sequence[Bound]) -> Value | None:
        """Return whether all bounds hold: nothing if always, else i1 or one i1 for each lane."""
        result: Value | None = None
        for bound in bounds:
            low, high = bound.index.bounds
            if low >= bound.low and high < bound.high:
                continue
            position = self.position(bound.index)
            shifted = self.f.binary("sub", position, self.f.const(position.type, bound.low))
            limit = self.f.const(position.type, bound.high - bound.low)
            holds = self.f.compare("icmp ult", shifted, limit)
            if result is None:
                result = holds
                continue
            lanes = max(result.lanes, holds.lanes)
            result = self.f.binary("and", self.f.splat(result, lanes), self.f.splat(holds, lanes))
        return result
