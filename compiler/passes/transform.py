"""Turns transforms of blocks into loops: a block is read, mapped in registers, and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import of
from jitnet.compiler.ir.loops import Apply, Const, Define, Expr, Local, Stmt, Store
from jitnet.compiler.ir.lowering import Blocks, Transform

from .fuse import Group
from .lower import GroupBody, accesses_of, choose_loops, outer_loops
from .storage import Place, Reader, Storage

Results = dict[tuple[int, int], Expr]  # the elements of a mapped block


def lower_transform(
    group: Group, storage: Mapping[Node, Storage], targets: Mapping[Node, Sequence[Storage]]
) -> tuple[Stmt, ...]:
    """Return the loops over blocks; a group's other values are computed from each result."""
    node = group.roots[0]
    lower = node.op.lower
    assert isinstance(lower, Transform)
    blocks = lower.blocks(node)

    def body(at: Place) -> list[Stmt]:
        return _body(group, storage, targets, blocks, at)

    variables = blocks.variables
    space = Group("loops", tuple(var.extent for var in variables))
    draft = body(tuple(of(var) for var in variables))
    loops = choose_loops(space, variables, accesses_of(draft))
    return tuple(outer_loops(loops, body(loops.place)))


def _body(
    group: Group,
    storage: Mapping[Node, Storage],
    targets: Mapping[Node, Sequence[Storage]],
    blocks: Blocks,
    at: Place,
) -> list[Stmt]:
    node, reader = group.roots[0], Reader(storage)
    results = mapped(blocks, lambda i, j: reader.read(node.args[0], blocks.source(at, i, j)))
    return write_results(group, storage, targets, blocks, at, results)


def write_results(
    group: Group,
    storage: Mapping[Node, Storage],
    targets: Mapping[Node, Sequence[Storage]],
    blocks: Blocks,
    at: Place,
    results: Results,
) -> list[Stmt]:
    """Return what is done with one block: all of it is computed before any of it is written."""
    node = group.roots[0]
    defined: list[Stmt] = []
    stores: list[Stmt] = []
    for (i, j), expr in results.items():
        result = Local(f"result{i}{j}", node.dtype, expr.vars)
        target = blocks.target(at, i, j)
        place = tuple(p for p, extent in zip(target, node.shape, strict=True) if extent != 1)
        defined.append(Define(result, expr))
        stores.extend(GroupBody(group, storage, targets, place, {node: result}).epilogue())
    return [*defined, *_by_buffer(stores)]


def _by_buffer(stores: Sequence[Stmt]) -> list[Stmt]:
    """Return stores with those to one buffer side by side, so that neighbours can be joined."""
    order: dict[object, int] = {}

    def number(stmt: Stmt) -> int:
        assert isinstance(stmt, Store)
        return order.setdefault(stmt.buffer, len(order))

    return sorted(stores, key=number)


def mapped(blocks: Blocks, element: Callable[[int, int], Expr]) -> Results:
    """Return matrix @ block @ matrix.T, where element(i, j) gives the block."""
    size = range(len(blocks.matrix[0]))
    block = [[element(i, j) for j in size] for i in size]
    columns = [_combined(blocks.matrix, column) for column in zip(*block, strict=True)]
    rows = [_combined(blocks.matrix, row) for row in zip(*columns, strict=True)]
    return {(i, j): expr for i, row in enumerate(rows) for j, expr in enumerate(row)}


def _combined(matrix: Sequence[Sequence[float]], values: Sequence[Expr]) -> list[Expr]:
    """Return matrix @ values; factors of 1, -1 and 0 cost no product."""
    return [_sum(factors, values) for factors in matrix]


def _sum(factors: Sequence[float], values: Sequence[Expr]) -> Expr:
    total: Expr | None = None
    dtype = values[0].dtype
    for factor, value in zip(factors, values, strict=True):
        if factor == 0:
            continue
        size = abs(factor)
        term = value if size == 1 else Apply("mul", (value, Const(size, dtype)), dtype)
        if total is None:
            total = term if factor > 0 else Apply("neg", (term,), dtype)
        else:
            total = Apply("add" if factor > 0 else "sub", (total, term), dtype)
    assert total is not None, "a row of zeros"
    return total
