"""Expressions: constants, loads, indices, functions of scalars.

Inside a vector loop an expression is a vector if its elements differ between lanes and a scalar if
they do not; scalars are spread only where they meet vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

from jitnet.compiler.ir.loops import Apply, Const, Expr, Holds, Load, Local, Position
from jitnet.runtime.dtype import int64

from .accumulate import computed_type
from .emitter import I1, Value
from .indices import Indices
from .math import emit_cast, emit_scalar
from .memory import Memory
from .point import Point
from .random import emit_random


class Expressions:
    """Writes each expression once in the loop that it stands in."""

    def __init__(self, point: Point) -> None:
        self.f = point.f
        self._point = point
        self.indices = Indices(point, self.value)
        self.memory = Memory(point, self.indices)
        self._known: list[dict[int, Value]] = [{}]

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Forget at the end what is computed inside: the next turn of a loop has other values."""
        self._known.append({})
        yield
        self._known.pop()

    def value(self, expr: Expr) -> Value:
        """Return an expression's value: a vector where lanes differ, else a scalar."""
        for known in reversed(self._known):
            if id(expr) in known:
                return known[id(expr)]
        value = self._compute(expr)
        self._known[-1][id(expr)] = value
        return value

    def _compute(self, expr: Expr) -> Value:
        match expr:
            case Const():
                return self.f.const(computed_type(expr.dtype), expr.value)
            case Load():
                return self.memory.load(expr)
            case Local():
                return self._point.locals[expr]
            case Position():
                return emit_cast(self.f, self.indices.position(expr.index), int64, expr.dtype)
            case Holds():
                mask = self.indices.mask(expr.bounds)
                return self.f.const(I1, True) if mask is None else mask
            case Apply():
                return self._apply(expr)
            case _:
                assert_never(expr)

    def _apply(self, expr: Apply) -> Value:
        args = [self.value(arg) for arg in expr.args]
        if expr.fn == "cast":
            return emit_cast(self.f, args[0], expr.args[0].dtype, expr.dtype)
        lanes = max(arg.lanes for arg in args)
        if expr.fn.startswith("random"):
            number, seed, call = args
            return emit_random(self.f, expr.fn, self.f.splat(number, lanes), seed, call, expr.dtype)
        args = [self.f.splat(arg, lanes) for arg in args]
        return emit_scalar(self.f, expr.fn, args, expr.args[-1].dtype)
