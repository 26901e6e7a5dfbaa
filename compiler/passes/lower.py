"""Turns a group into a kernel: chooses the order of its loops, which is a vector, which are split.

One rule for all: dims are ordered by how far apart their elements lie in memory, the dim with most
unit-stride accesses becomes the vector, and neighbours that memory does not tell apart are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, of, unravel
from jitnet.compiler.ir.loops import (
    Accumulate,
    Begin,
    Const,
    Define,
    Expr,
    For,
    Holds,
    Load,
    Local,
    Position,
    Stmt,
    Store,
    subexpressions,
)
from jitnet.compiler.ir.lowering import BandSum, Reduction
from jitnet.runtime.dataclass import dataclass

from .ahead import fetch_ahead
from .fuse import Group, spread
from .storage import Conditions, Place, Reader, Storage

UNROLL_UP_TO = 16
ENOUGH_ROWS = 16  # places of the outer loops from which they, not the vector loop, are split


@dataclass(frozen=True)
class Loops:
    """The loops of a group: `kept`, then `reduced`, slowest first, and the place they give."""

    kept: tuple[Var, ...]
    reduced: tuple[Var, ...]
    vector: Var | None
    place: Place  # an index for each dim of the group's space


class GroupBody:
    """Builds the statements of one group over given loops."""

    def __init__(
        self,
        group: Group,
        storage: Mapping[Node, Storage],
        targets: Mapping[Node, Sequence[Storage]],
        place: Place,
        results: Mapping[Node, Local] | None = None,
        band: Index | None = None,
    ) -> None:
        self.group = group
        self.place = place
        self._band = band
        self._storage = storage
        self._targets = targets
        self._locals: dict[Node, Local] = dict(results or {})
        self._values: dict[Node, Expr] = {}
        self._level = 0
        self._reader = Reader(storage, self._stop)

    def kept_place(self) -> Place:
        """The place of row values."""
        return tuple(self.place[axis] for axis in self.group.kept)

    def _stop(self, node: Node, place: Place, conditions: Conditions) -> Expr | None:
        if node not in self.group.levels:
            return None
        if node in self._locals:
            return self._locals[node]
        if node in self._values and self.group.levels[node] == self._level:
            return self._values[node]
        if node in self._storage:
            return None
        return self._reader.inside(node, place, conditions)

    def at_level(self, level: int) -> tuple[list[Begin], list[Stmt], list[Stmt]]:
        """Return what loop `level` needs: accumulators, its body, and what follows it.

        Called for levels 0, 1, ... in order; level -1 gives the row values that need no loop.
        """
        self._level = level
        self._reader = Reader(self._storage, self._stop)
        begins: list[Begin] = []
        body: list[Stmt] = []
        for node in self.group.roots:
            if self.group.levels[node] != level or self._is_row(node):
                continue
            if isinstance(node.op.lower, Reduction):
                begins.append(self._begin(node))
                body.append(self._accumulate(node))
            elif isinstance(node.op.lower, BandSum):
                body.extend(self._add_to_band(node))
            else:
                body.extend(self._store(node, self.place))
        return begins, body, self.row_values(level + 1)

    def row_values(self, level: int) -> list[Stmt]:
        """Return the row values known after `level` loops."""
        stmts: list[Stmt] = []
        for node in self.group.roots:
            if isinstance(node.op.lower, Reduction) and self.group.levels[node] == level - 1:
                stmts.extend(self._write(node, self.kept_place(), self._locals[node]))
        self._reader = Reader(self._storage, self._stop)
        for node in self.group.roots:
            if self._is_row(node) and self.group.levels[node] == level:
                stmts.extend(self._define(node))
        return stmts

    def _is_row(self, node: Node) -> bool:
        return not isinstance(node.op.lower, Reduction) and self.group.is_row_value(node)

    def _local(self, node: Node) -> Local:
        """Return a new local for a value that the loops around the row decide."""
        none: frozenset[Var] = frozenset()
        variables = none.union(*(index.vars for index in self.kept_place()))
        return Local(f"{node.op.name}{len(self._locals)}", node.dtype, variables)

    def _begin(self, node: Node) -> Begin:
        assert isinstance(node.op.lower, Reduction)
        local = self._local(node)
        self._locals[node] = local
        return Begin(local, node.op.lower.fn, node.args[0].dtype)

    def _accumulate(self, node: Node) -> Accumulate:
        assert isinstance(node.op.lower, Reduction)
        source = node.args[0]
        del_local = self._locals.pop(node)
        expr = self._reader.read(source, spread(source.shape, self.place))
        self._locals[node] = del_local
        at = None
        if node.op.lower.fn.startswith("arg"):
            at = spread(source.shape, self.place)[node.params["axis"]]
        return Accumulate(del_local, node.op.lower.fn, expr, at)

    def _define(self, node: Node) -> list[Stmt]:
        place = self.kept_place()
        expr = self._reader.inside(node, spread(node.shape, place))
        local = self._local(node)
        self._locals[node] = local
        return [Define(local, expr), *self._write(node, place, local)]

    def _add_to_band(self, node: Node) -> list[Stmt]:
        source = node.args[0]
        expr = self._reader.read(source, spread(source.shape, self.place))
        stores = self._write(node, self._band_place(), expr)
        return [replace(store, accumulate=True) for store in stores]

    def _band_place(self) -> Place:
        """The place of band sums."""
        assert self._band is not None, "a group with band sums has bands"
        return (self._band, *(self.place[axis] for axis in self.group.axes))

    def clear_band(self) -> list[Stmt]:
        """Return what sets the sums of a band to those of no rows."""
        sums = [node for node in self.group.roots if isinstance(node.op.lower, BandSum)]
        return [
            store
            for node in sums
            for store in self._write(node, self._band_place(), Const(0.0, node.dtype))
        ]

    def _store(self, node: Node, place: Place) -> list[Stmt]:
        expr = self._reader.inside(node, spread(node.shape, place))
        self._values[node] = expr
        return [*self._write(node, place, expr)]

    def _write(self, node: Node, place: Place, expr: Expr) -> list[Store]:
        full = spread(node.shape, place)
        return [
            Store(target.buffer, target.at(full), expr) for target in self._targets.get(node, ())
        ]

    def epilogue(self) -> list[Stmt]:
        """Return the statements of a contraction's group: all at one level."""
        self._level = 0
        stmts: list[Stmt] = []
        for node in self.group.roots:
            if node in self._locals:
                stmts.extend(self._write(node, self.place, self._locals[node]))
            else:
                stmts.extend(self._store(node, self.place))
        return stmts

    def statements(self, loops: Loops) -> list[Stmt]:
        """Return the body inside the kept loops."""
        group = self.group
        if not group.axes:
            return self.at_level(0)[1]
        stmts = list(self.row_values(0))
        for level in range(group.loops_over_axes):
            begins, body, after = self.at_level(level)
            stmts.extend([*begins, *_nest(loops.reduced, loops.vector, body), *after])
        return fetch_ahead(stmts)


def _nest(variables: tuple[Var, ...], vector: Var | None, body: list[Stmt]) -> list[Stmt]:
    total = 1
    for var in variables:
        total *= var.extent
    for var in reversed(variables):
        kind = "vector" if var == vector else "unroll" if total <= UNROLL_UP_TO else "serial"
        body = [For(var, tuple(body), kind)]
    return body


def lower_loops(
    group: Group, storage: Mapping[Node, Storage], targets: Mapping[Node, Sequence[Storage]]
) -> tuple[Stmt, ...]:
    """Return the statements of a group of maps and reductions."""
    plain = tuple(Var(f"i{axis}", size) for axis, size in enumerate(group.space))
    kept = tuple(plain[axis] for axis in group.kept)
    reduced = tuple(plain[axis] for axis in group.axes)
    draft = Loops(kept, reduced, None, tuple(of(var) for var in plain))
    accesses = list(accesses_of(GroupBody(group, storage, targets, draft.place).statements(draft)))
    loops = choose_loops(group, plain, accesses)
    body = GroupBody(group, storage, targets, loops.place).statements(loops)
    return tuple(outer_loops(loops, body))


@dataclass(frozen=True)
class AccessIndex:
    """An index that memory (or a condition) is reached by, and how much it matters."""

    index: Index
    weight: int


def accesses_of(stmts: Sequence[Stmt], times: int = 1) -> list[AccessIndex]:
    """Return every index that statements reach memory or conditions by; `times` they run."""
    found: list[AccessIndex] = []
    seen: set[int] = set()

    def visit(expr: Expr) -> None:
        for inner in subexpressions(expr):
            if id(inner) in seen:
                continue
            seen.add(id(inner))
            match inner:
                case Load():
                    found.append(AccessIndex(inner.index, times))
                    found.extend(AccessIndex(bound.index, 0) for bound in inner.conditions)
                case Holds():
                    found.extend(AccessIndex(bound.index, 0) for bound in inner.bounds)
                case Position():
                    found.append(AccessIndex(inner.index, 0))
                case _:
                    pass

    for stmt in stmts:
        match stmt:
            case For():
                found.extend(accesses_of(stmt.body, times * max(stmt.var.extent, 1)))
            case Store():
                found.append(AccessIndex(stmt.index, 2 * times))
                visit(stmt.expr)
            case Define() | Accumulate():
                visit(stmt.expr)
                if isinstance(stmt, Accumulate) and stmt.at is not None:
                    found.append(AccessIndex(stmt.at, 0))
            case _:
                pass
    return found


def choose_loops(group: Group, plain: tuple[Var, ...], accesses: Sequence[AccessIndex]) -> Loops:
    """Order the dims, pick the vector, and join dims that memory does not tell apart."""
    candidates = group.axes if group.loops_over_axes > 1 else tuple(range(len(plain)))
    vector = _vector_dim(candidates, plain, accesses)

    def slowest_first(axes: tuple[int, ...]) -> list[int]:
        return sorted(axes, key=lambda axis: (axis == vector, -_distance(plain[axis], accesses)))

    kept = _joined([plain[axis] for axis in slowest_first(group.kept)], accesses)
    reduced = _joined([plain[axis] for axis in slowest_first(group.axes)], accesses)
    place: dict[Var, Index] = {}
    new_kept = _rename(kept, "p", place)
    new_reduced = _rename(reduced, "r", place)
    chosen = None
    if vector is not None:
        chosen = new_reduced[-1] if vector in group.axes else new_kept[-1]
    return Loops(new_kept, new_reduced, chosen, tuple(place[var] for var in plain))


def _vector_dim(
    candidates: tuple[int, ...], plain: tuple[Var, ...], accesses: Sequence[AccessIndex]
) -> int | None:
    best, best_score = None, (0, 0)
    for axis in candidates:
        var = plain[axis]
        if var.extent < 2:
            continue
        score = 0
        for access in accesses:
            if not access.weight:
                continue
            factor = access.index.coefficient(var)
            if factor in (1, -1):
                score += 3 * access.weight
            elif factor == 0:
                score += access.weight
        ranking = (score, axis)
        if best is None or ranking > best_score:
            best, best_score = axis, ranking
    return best


def _distance(var: Var, accesses: Sequence[AccessIndex]) -> int:
    total = 0
    for access in accesses:
        factor = access.index.coefficient(var)
        total += access.weight * (abs(factor) if factor is not None else 1)
    return total


def _joined(ordered: list[Var], accesses: Sequence[AccessIndex]) -> list[list[Var]]:
    """Return runs of dims that can be counted by one variable."""
    runs: list[list[Var]] = []
    for var in ordered:
        if runs and all(_continues(runs[-1][-1], var, access.index) for access in accesses):
            runs[-1].append(var)
        else:
            runs.append([var])
    return runs


def _continues(slow: Var, fast: Var, index: Index) -> bool:
    a, b = index.coefficient(slow), index.coefficient(fast)
    if not slow.extent or not fast.extent:
        return False
    return a is not None and b is not None and a == b * fast.extent


def _rename(runs: list[list[Var]], letter: str, place: dict[Var, Index]) -> tuple[Var, ...]:
    variables: list[Var] = []
    for number, run in enumerate(runs):
        extent = 1
        for var in run:
            extent *= var.extent
        joined = Var(f"{letter}{number}", extent)
        variables.append(joined)
        if len(run) == 1:
            place[run[0]] = of(joined)
            continue
        parts = unravel(of(joined), tuple(var.extent for var in run))
        place.update(zip(run, parts, strict=True))
    return tuple(variables)


def outer_loops(loops: Loops, body: list[Stmt]) -> list[Stmt]:
    """Wrap the body in the kept loops and say which of them the threads share."""
    outer = [var for var in loops.kept if var != loops.vector]
    rows = 1
    for var in outer:
        rows *= var.extent
    vector_kept = loops.vector in loops.kept
    split_outer = not vector_kept or rows >= ENOUGH_ROWS
    if vector_kept:
        assert loops.vector is not None
        kind = "vector" if split_outer else "parallel vector"
        body = [For(loops.vector, tuple(body), kind)]
    for var in reversed(outer):
        body = [For(var, tuple(body), "parallel" if split_outer else "serial")]
    return body
