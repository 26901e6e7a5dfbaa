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
    CallHost,
    Check,
    Const,
    Contract,
    Define,
    Expr,
    Fetch,
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
        defined: list[Stmt] = []
        naming = self._naming(repeated, defined)
        result: list[Stmt] = []
        for stmt in stmts:
            if isinstance(stmt, For | Contract):
                result.append(replace(stmt, body=self.body(stmt.body)))
                continue
            changed = naming.statement(stmt)
            result.extend([*defined, changed])
            defined.clear()
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
        renaming = Mapper(lambda expr: names.get(id(expr)))
        return [*first, *map(renaming.statement, stmts)]

    def _naming(self, repeated: set[int], defined: list[Stmt]) -> Mapper:
        """Return what names each repeated operation, and defines it in `defined`."""

        def change(expr: Expr) -> Expr | None:
            if id(expr) not in repeated or not isinstance(expr, Apply):
                return None
            args = tuple(mapper.expr(arg) for arg in expr.args)
            local = self._local(expr)
            defined.append(Define(local, Apply(expr.fn, args, expr.dtype)))
            return local

        mapper = Mapper(change)
        return mapper


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


class Mapper:
    """Puts what `change` gives for an expression in its place; shared parts stay shared."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._done: dict[int, Expr] = {}

    def statement(self, stmt: Stmt) -> Stmt:
        """Return a statement, and what is inside it, with its expressions mapped."""
        match stmt:
            case Define():
                return Define(stmt.local, self.expr(stmt.expr))
            case Store():
                return replace(stmt, expr=self.expr(stmt.expr), index=self._index(stmt.index))
            case Accumulate() | Check():
                return replace(stmt, expr=self.expr(stmt.expr))
            case For() | Contract():
                return replace(stmt, body=tuple(map(self.statement, stmt.body)))
            case Begin() | Fetch() | CallHost():
                return stmt
            case _:
                assert_never(stmt)

    def expr(self, expr: Expr) -> Expr:
        """Return an expression mapped."""
        if id(expr) not in self._done:
            changed = self._change(expr)
            self._done[id(expr)] = self._inside(expr) if changed is None else changed
        return self._done[id(expr)]

    def _inside(self, expr: Expr) -> Expr:
        match expr:
            case Apply():
                args = tuple(map(self.expr, expr.args))
                same = all(new is old for new, old in zip(args, expr.args, strict=True))
                return expr if same else Apply(expr.fn, args, expr.dtype)
            case Load():
                index = self._index(expr.index)
                bounds = tuple(map(self._bound, expr.conditions))
                same = index is expr.index and bounds == expr.conditions
                return expr if same else Load(expr.buffer, index, bounds)
            case Position():
                return Position(self._index(expr.index), expr.dtype)
            case Holds():
                return Holds(tuple(map(self._bound, expr.bounds)), expr.dtype)
            case Const() | Local():
                return expr
            case _:
                assert_never(expr)

    def _bound(self, bound: Bound) -> Bound:
        return replace(bound, index=self._index(bound.index))

    def _index(self, index: Index) -> Index:
        terms = tuple((self._atom(atom), factor) for atom, factor in index.terms)
        return index if terms == index.terms else Index(index.const, terms)

    def _atom(self, atom: Atom) -> Atom:
        match atom:
            case Lookup():
                return Lookup(self.expr(atom.expr), atom.size)
            case FloorDiv():
                return FloorDiv(self._index(atom.value), atom.by)
            case Mod():
                return Mod(self._index(atom.value), atom.by)
            case Var():
                return atom
            case _:
                assert_never(atom)


def name_locals(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """Return a kernel's statements with names for what is used more than once."""
    return Namer().body(body)
