"""Names values that a loop body uses more than once, or must read before it overwrites them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from jitnet.compiler.ir.index import Atom, FloorDiv, Index, Lookup, Mod, Var
from jitnet.compiler.ir.loops import (
    Accumulate,
    Apply,
    Begin,
    Bound,
    Check,
    Const,
    Contract,
    Define,
    Expr,
    For,
    Holds,
    Load,
    Local,
    Position,
    Stmt,
    Store,
    expressions,
    subexpressions,
)

Change = Callable[[Expr], Expr | None]


class Namer:
    """Gives out names within one kernel."""

    def __init__(self) -> None:
        self._count = 0

    def body(self, stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
        """Return the statements with their shared expressions and endangered loads defined."""
        stmts = self._read_first(stmts)
        repeated = _repeated(stmts)
        known: dict[int, Local] = {}
        result: list[Stmt] = []
        for stmt in stmts:
            if isinstance(stmt, For | Contract):
                result.append(replace(stmt, body=self.body(stmt.body)))
                continue
            defined: list[Stmt] = []
            changed = _map_statement(stmt, self._naming(repeated, known, defined))
            result.extend([*defined, changed])
        return tuple(result)

    def _local(self, expr: Expr) -> Local:
        self._count += 1
        return Local(f"v{self._count}", expr.dtype, expr.vars)

    def _read_first(self, stmts: Sequence[Stmt]) -> list[Stmt]:
        """Load what this body overwrites before it does: no statement sees the new value."""
        written = {stmt.buffer for stmt in stmts if isinstance(stmt, Store) and not stmt.accumulate}
        names: dict[int, Local] = {}
        first: list[Stmt] = []
        for stmt in stmts:
            for expr in expressions(stmt):
                for inner in subexpressions(expr):
                    if not isinstance(inner, Load) or inner.buffer not in written:
                        continue
                    if id(inner) not in names:
                        names[id(inner)] = self._local(inner)
                        first.append(Define(names[id(inner)], inner))
        if not first:
            return list(stmts)
        return [*first, *(_map_statement(stmt, lambda expr: names.get(id(expr))) for stmt in stmts)]

    def _naming(self, repeated: set[int], known: dict[int, Local], defined: list[Stmt]) -> Change:
        def change(expr: Expr) -> Expr | None:
            if id(expr) in known:
                return known[id(expr)]
            if id(expr) not in repeated or not isinstance(expr, Apply):
                return None
            args = tuple(map_expr(arg, change) for arg in expr.args)
            local = self._local(expr)
            defined.append(Define(local, Apply(expr.fn, args, expr.dtype)))
            known[id(expr)] = local
            return local

        return change


def _repeated(stmts: Sequence[Stmt]) -> set[int]:
    """Return the ids of operations that are used in more than one place of a body."""
    uses: Counter[int] = Counter()
    seen: set[int] = set()

    def visit(expr: Expr) -> None:
        if not isinstance(expr, Apply):
            return
        uses[id(expr)] += 1
        if id(expr) in seen:
            return
        seen.add(id(expr))
        for arg in expr.args:
            visit(arg)

    for stmt in stmts:
        for expr in expressions(stmt):
            visit(expr)
    return {key for key, count in uses.items() if count > 1}


def _map_statement(stmt: Stmt, change: Change) -> Stmt:
    match stmt:
        case Define():
            return Define(stmt.local, map_expr(stmt.expr, change))
        case Accumulate():
            return replace(stmt, expr=map_expr(stmt.expr, change))
        case Store():
            expr, index = map_expr(stmt.expr, change), _map_index(stmt.index, change)
            return replace(stmt, expr=expr, index=index)
        case Check():
            return replace(stmt, expr=map_expr(stmt.expr, change))
        case For() | Contract():
            body = tuple(_map_statement(inner, change) for inner in stmt.body)
            return replace(stmt, body=body)
        case Begin():
            return stmt
        case _:
            assert_never(stmt)


def map_expr(expr: Expr, change: Change) -> Expr:
    """Return expr with every part for which change gives something replaced by that."""
    changed = change(expr)
    if changed is not None:
        return changed
    match expr:
        case Apply():
            args = tuple(map_expr(arg, change) for arg in expr.args)
            same = all(new is old for new, old in zip(args, expr.args, strict=True))
            return expr if same else Apply(expr.fn, args, expr.dtype)
        case Load():
            index = _map_index(expr.index, change)
            bounds = tuple(_map_bound(bound, change) for bound in expr.conditions)
            same = index is expr.index and bounds == expr.conditions
            return expr if same else Load(expr.buffer, index, bounds)
        case Position():
            return Position(_map_index(expr.index, change), expr.dtype)
        case Holds():
            return Holds(tuple(_map_bound(bound, change) for bound in expr.bounds), expr.dtype)
        case Const() | Local():
            return expr
        case _:
            assert_never(expr)


def _map_bound(bound: Bound, change: Change) -> Bound:
    return replace(bound, index=_map_index(bound.index, change))


def _map_index(index: Index, change: Change) -> Index:
    if not any(not isinstance(atom, Var) for atom, _ in index.terms):
        return index
    terms: list[tuple[Atom, int]] = []
    for atom, factor in index.terms:
        match atom:
            case Lookup():
                terms.append((Lookup(map_expr(atom.expr, change), atom.size), factor))
            case FloorDiv():
                terms.append((FloorDiv(_map_index(atom.value, change), atom.by), factor))
            case Mod():
                terms.append((Mod(_map_index(atom.value, change), atom.by), factor))
            case Var():
                terms.append((atom, factor))
            case _:
                assert_never(atom)
    if tuple(terms) == index.terms:
        return index
    return Index(index.const, tuple(terms))


def name_locals(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """Return a kernel's statements with names for what is used more than once."""
    return Namer().body(body)
