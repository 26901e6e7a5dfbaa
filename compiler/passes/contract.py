"""Turns matmul and convolution groups into Contract statements: sums of products over strides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import Contract, Load, Local, Operand, Stmt

from .fuse import Group
from .lower import GroupBody
from .products import Product, products
from .storage import Place, Reader, Storage, without_widening


def lower_contraction(
    group: Group, storage: Mapping[Node, Storage], targets: Mapping[Node, Sequence[Storage]]
) -> tuple[Stmt, ...]:
    """Return the Contract statements of a group, each with the group's other values as its body."""
    node = group.roots[0]
    reader = Reader(storage)
    stmts: list[Stmt] = []
    for number, product in enumerate(products(node)):
        result = Local(f"{node.op.name}{number}", node.dtype)
        place = tuple(at for at, size in zip(product.result, node.shape, strict=True) if size != 1)
        body = GroupBody(group, storage, targets, place, {node: result}).epilogue()
        first, second = reversed(node.args) if product.swapped else node.args
        stmts.append(
            Contract(
                product.batch,
                product.rows,
                product.columns,
                product.inner,
                operand(reader, first, product.a, product.rows, product),
                operand(reader, second, product.b, product.columns, product),
                result,
                tuple(body),
                product.within,
            )
        )
    return tuple(stmts)


def operand(
    reader: Reader, node: Node, place: Place, outer: tuple[Var, ...], product: Product
) -> Operand:
    """Return how an argument is read at a place that the product's variables decide."""
    load = without_widening(reader.read(node, place))
    assert isinstance(load, Load) and not load.conditions, f"{node} is not an affine read"

    def strides(variables: tuple[Var, ...]) -> tuple[int, ...]:
        factors = [load.index.coefficient(var) for var in variables]
        assert all(factor is not None for factor in factors), f"{node} is not an affine read"
        return tuple(factor or 0 for factor in factors)

    return Operand(
        load.buffer,
        load.index.const,
        strides(product.batch),
        strides(outer),
        strides(product.inner),
    )
