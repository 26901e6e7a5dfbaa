"""Writes the copying of columns of B into a panel, in whatever way suits B's strides.

By rows, where columns are adjacent; by squares transposed in registers, where K is, in runs at
least; else element by element.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from jitnet.runtime.dataclass import dataclass

from .contraction_affine import affine, narrower
from .contraction_form import Contraction, Sizes, merged
from .contraction_plan import Plan
from .emitter import I64, PTR, Function, Value, vector
from .masks import has_masks
from .squares import declare_squares

PackB = Callable[[Function, Value, Value, Value, int], Value]

SHORTEST_RUN = 4  # along K in B, for which transposing beats copying element by element


@dataclass(frozen=True)
class Panel:
    """A panel, or a part as wide as some of its vectors, that is to be filled."""

    to: Value
    width: Value  # elements between its rows
    k: Value  # flat, of its first row
    count: Value  # rows


@dataclass(frozen=True)
class Walk:
    """An order in which to read K: where each step leads in B, and to which flat k."""

    sizes: Sizes
    strides: Sizes  # of B
    flat: Sizes
    offset: int = 0  # of B, at the first step
    first: int = 0  # flat k of the first step

    @property
    def run(self) -> int:
        """Steps, to the end, that are adjacent in B."""
        length = 1
        for size, stride in zip(reversed(self.sizes), reversed(self.strides), strict=True):
            if stride != length:
                break
            length *= size
        return length

    def source(self, f: Function, step: Value) -> Value:
        """Return B's element offset at a step."""
        return f.add(affine(f, step, self.sizes, self.strides), f.i64(self.offset))

    def flats(self) -> list[int]:
        """Return the flat k of every step."""
        result = [self.first]
        for size, flat in zip(self.sizes, self.flat, strict=True):
            result = [base + index * flat for base in result for index in range(size)]
        return result


def in_order(c: Contraction) -> Walk:
    """Return the walk whose steps are flat indices of K."""
    dims = merged(zip(c.k, c.b.k, strict=True))
    sizes = tuple(dim[0] for dim in dims)
    flat = tuple(prod(sizes[index + 1 :]) for index in range(len(sizes)))
    return Walk(sizes, tuple(dim[1] for dim in dims), flat)


def by_stride(c: Contraction) -> Walk:
    """Return the walk that reads B forwards, in the longest runs that there are."""
    dims: list[Sizes] = []
    offset = first = 0
    for index, (size, stride) in enumerate(zip(c.k, c.b.k, strict=True)):
        flat = prod(c.k[index + 1 :])
        if stride < 0:
            offset, first = offset + (size - 1) * stride, first + (size - 1) * flat
            stride, flat = -stride, -flat
        dims.append((size, stride, flat))
    dims = merged(sorted(dims, key=lambda dim: -dim[1]))
    sizes, strides, flats = (tuple(dim[i] for dim in dims) for i in range(3))
    return Walk(sizes, strides, flats, offset, first)


class ColumnCopier:
    """Writes the copying of neighbouring columns of B, or of what a hook computes for them."""

    def __init__(self, f: Function, plan: Plan, b: Value, batch: Value, hook: PackB | None) -> None:
        self.f = f
        self.c = plan.c
        self.lanes = plan.lines.lanes
        self.b = b
        self.batch = batch
        self.hook = hook
        self.element, self.size = plan.c.dtype.llvm, plan.c.dtype.size
        self.type = vector(self.element, self.lanes)
        self.walk = in_order(plan.c)
        self.rows = hook is not None or plan.c.b.free[-1:] == (1,)
        self.runs = False  # squares cover K run by run
        reading = by_stride(plan.c)
        if not self.rows and plan.source == "packed" and self.walk.run < plan.c.depth:
            self.runs = reading.run >= SHORTEST_RUN and has_masks(f.target)
            self.walk = reading if self.runs else self.walk

    def copy(self, panel: Panel, column: Value, columns: int) -> None:
        """Copy `columns` neighbouring columns to a panel, with zeros up to a whole vector."""
        f, depth = self.f, self.c.depth
        if self.rows:
            with f.loop(f.i64(0), panel.count) as step:
                self._row(panel, column, columns, f.add(panel.k, step.index))
        elif self.runs:
            with f.loop(f.i64(0), f.i64(depth), self.walk.run) as start:
                self._squares(panel, column, columns, start.index, f.i64(self.walk.run))
        elif self.walk.run == depth:
            self._squares(panel, column, columns, panel.k, panel.count)
        else:
            with f.loop(f.i64(0), panel.count) as step:
                self._elements(panel, column, columns, f.add(panel.k, step.index))

    def _place(self, panel: Panel, k: Value) -> Value:
        """Return the address of a panel's row."""
        f = self.f
        return f.gep(panel.to, f.mul(f.sub(k, panel.k), panel.width), self.element)

    def source(self, step: Value, column: Value) -> Value:
        """Return the address of B at a step of the walk and a flat column."""
        f = self.f
        at = f.gep(self.b, affine(f, column, self.c.n, self.c.b.free), self.element)
        return f.gep(at, self.walk.source(f, step), self.element)

    def _clear(self, place: Value, columns: int) -> None:
        """Zero the last vector of a row where the columns do not fill it."""
        f, whole = self.f, columns // self.lanes * self.lanes
        if columns > whole:
            zero = f.const(self.type, 0.0)
            f.store(zero, f.gep(place, f.i64(whole), self.element), self.size)

    def _row(self, panel: Panel, column: Value, columns: int, k: Value) -> None:
        """Copy one row in vectors along the columns; or store what the hook computes."""
        f, place = self.f, self._place(panel, k)
        self._clear(place, columns)
        for at, lanes in narrower(self.lanes, columns):
            here = f.add(column, f.i64(at))
            if self.hook is not None:
                value = self.hook(f, self.batch, k, here, lanes)
            else:
                value = f.load(self.source(k, here), vector(self.element, lanes), self.size)
            f.store(value, f.gep(place, f.i64(at), self.element), self.size)

    def _squares(self, panel: Panel, column: Value, columns: int, start: Value, run: Value) -> None:
        """Copy a run along K, vector by vector of columns, transposed."""
        f = self.f
        null, to = Value("null", PTR), panel.to
        if self.runs:
            steps = f.module.constant_array(I64, self.walk.flats())
            rows = f.gep(steps, start, I64)
        else:
            rows = null
            to = f.gep(to, f.mul(f.sub(start, panel.k), panel.width), self.element)
        name = declare_squares(f.module, self.c.dtype, self.runs)
        step = f.i64(self.c.b.free[-1] if self.c.n else 0)
        for first in range(0, columns, self.lanes):
            used = f.i64(min(self.lanes, columns - first))
            source = self.source(start, f.add(column, f.i64(first)))
            place = f.gep(to, f.i64(first), self.element)
            f.call(name, [place, panel.width, rows, source, step, used, run])

    def _elements(self, panel: Panel, column: Value, columns: int, k: Value) -> None:
        """Copy one row element by element."""
        f, place = self.f, self._place(panel, k)
        self._clear(place, columns)
        with f.loop(f.i64(0), f.i64(columns)) as lane:
            source = self.source(k, f.add(column, lane.index))
            value = f.load(source, self.element, self.size)
            f.store(value, f.gep(place, lane.index, self.element), self.size)
