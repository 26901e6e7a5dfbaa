"""Writes the copies that put B in the order in which tiles read it: panels.

These have one row for each step along K; columns that are missing are padded with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .contraction_affine import column_of
from .contraction_columns import ColumnCopier, PackB, Panel
from .contraction_plan import Plan
from .emitter import Function, Value


class PanelPacker:
    """Writes the packing of B's panels."""

    def __init__(self, f: Function, plan: Plan, b: Value, batch: Value, hook: PackB | None) -> None:
        self.f = f
        self.plan = plan
        self.element = plan.c.dtype.llvm
        self.copier = ColumnCopier(f, plan, b, batch, hook)

    def pack(self, destination: Value, first: Value, stop: Value, k: Value, count: Value) -> None:
        """Pack vectors first..stop (first begins a panel) of `count` steps along K from k on.

        Panels follow one another; rows of a panel are as wide as the vectors in it.
        """
        f, plan, lanes = self.f, self.plan, self.plan.lines.lanes
        with f.loop(first, stop, plan.vectors) as panel:
            here = f.minimum(f.i64(plan.vectors), f.sub(f.i64(plan.lines.count), panel.index))
            width = f.mul(here, f.i64(lanes)) if plan.tail_vectors else f.i64(plan.panel)
            place = f.mul(f.mul(f.sub(panel.index, first), f.i64(lanes)), count)
            to = f.gep(destination, place, self.element)
            if plan.lines.outer > 1:
                self._separate(Panel(to, width, k, count), panel.index, here)
            else:
                self._whole_or_last(Panel(to, width, k, count), panel.index)

    def _whole_or_last(self, panel: Panel, first: Value) -> None:
        """Pack a panel of one n dim: all of its columns together; the last may have fewer."""
        f, plan, lines = self.f, self.plan, self.plan.lines
        column = f.mul(first, f.i64(lines.lanes))
        left = lines.inner % plan.panel
        full = f.compare("icmp sle", f.add(column, f.i64(plan.panel)), f.i64(lines.inner))
        if lines.inner >= plan.panel:
            with self._if(full, always=not left):
                self.copier.copy(panel, column, plan.panel)
        if left:
            narrow = f.compare("icmp sgt", f.add(column, f.i64(plan.panel)), f.i64(lines.inner))
            with self._if(narrow, always=lines.inner < plan.panel):
                self.copier.copy(panel, column, left)

    def _separate(self, panel: Panel, first: Value, vectors: Value) -> None:
        """Pack each vector of a panel by itself: neighbours need not be neighbours in memory."""
        f, lines = self.f, self.plan.lines
        with f.loop(f.i64(0), vectors) as v:
            line = f.add(first, v.index)
            chunk = f.urem(line, f.i64(lines.chunks))
            column = column_of(f, lines, line)
            to = f.gep(panel.to, f.mul(v.index, f.i64(lines.lanes)), self.element)
            part = replace(panel, to=to)
            last = f.compare("icmp eq", chunk, f.i64(lines.chunks - 1))
            if lines.inner >= lines.lanes:
                other = f.compare("icmp ne", chunk, f.i64(lines.chunks - 1))
                with self._if(other, always=not lines.tail):
                    self.copier.copy(part, column, lines.lanes)
            if lines.tail:
                with self._if(last, always=lines.chunks == 1):
                    self.copier.copy(part, column, lines.tail)

    @contextmanager
    def _if(self, condition: Value, always: bool) -> Iterator[None]:
        if always:
            yield
            return
        with self.f.when(condition):
            yield
