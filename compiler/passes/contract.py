"""Turns matmul and convolution groups into Contract statements: sums of products over strides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, of
from jitnet.compiler.ir.loops import Contract, Load, Local, Operand, Stmt
from jitnet.compiler.ir.lowering import Contraction
from jitnet.compiler.ops.phases import Phase, phases

from .fuse import Group
from .lower import GroupBody
from .storage import Place, Reader, Storage


@dataclass(frozen=True)
class Product:
    """One sum of products: its loop variables, and the places of both arguments and the result."""

    batch: tuple[Var, ...]
    rows: tuple[Var, ...]
    columns: tuple[Var, ...]
    inner: tuple[Var, ...]
    a: Place
    b: Place
    result: Place
    swapped: bool = False  # whether `a` is the node's second argument


def products(node: Node) -> list[Product]:
    """Return the sums of products that make up a contraction (several for a strided gradient)."""
    lower = node.op.lower
    assert isinstance(lower, Contraction)
    match lower.kind:
        case "matmul":
            return [_matmul(node)]
        case "conv":
            return [_conv(node)]
        case "conv_weight_grad":
            return [_conv_weight_grad(node)]
        case "conv_input_grad":
            return _conv_input_grad(node)
        case other:
            raise AssertionError(other)


def _vars(letter: str, sizes: Sequence[int]) -> tuple[Var, ...]:
    return tuple(Var(f"{letter}{axis}", size) for axis, size in enumerate(sizes))


def _ofs(variables: Sequence[Var]) -> Place:
    return tuple(of(var) for var in variables)


def _matmul(node: Node) -> Product:
    a, b = node.args
    batch = _vars("b", a.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    row, column, inner = Var("m", m), Var("n", n), Var("k", k)
    lead = _ofs(batch)
    return Product(
        batch,
        (row,),
        (column,),
        (inner,),
        (*lead, of(row), of(inner)),
        (*lead, of(inner), of(column)),
        (*lead, of(row), of(column)),
    )


def _group_var(node: Node) -> tuple[Var, int]:
    groups = node.params["groups"]
    return Var("g", groups), groups


def _conv(node: Node) -> Product:
    x, w = node.args
    group, groups = _group_var(node)
    image, channel = Var("b", x.shape[0]), Var("c", w.shape[1])
    column = Var("o", w.shape[0] // groups)
    out, taps = _vars("y", node.shape[2:]), _vars("k", w.shape[2:])
    stride, dilation = node.params["stride"], node.params["dilation"]
    spatial = tuple(
        of(o) * s + of(k) * d for o, s, k, d in zip(out, stride, taps, dilation, strict=True)
    )
    out_channel = of(group) * column.extent + of(column)
    return Product(
        (group,),
        (image, *out),
        (column,),
        (channel, *taps),
        (of(image), of(group) * channel.extent + of(channel), *spatial),
        (out_channel, of(channel), *_ofs(taps)),
        (of(image), out_channel, *_ofs(out)),
    )


def _conv_weight_grad(node: Node) -> Product:
    g, x = node.args
    group, groups = _group_var(node)
    image, channel = Var("b", x.shape[0]), Var("c", node.shape[1])
    column = Var("o", node.shape[0] // groups)
    out, taps = _vars("y", g.shape[2:]), _vars("k", node.shape[2:])
    stride, dilation = node.params["stride"], node.params["dilation"]
    spatial = tuple(
        of(o) * s + of(k) * d for o, s, k, d in zip(out, stride, taps, dilation, strict=True)
    )
    out_channel = of(group) * column.extent + of(column)
    return Product(
        (group,),
        (channel, *taps),
        (column,),
        (image, *out),
        (of(image), of(group) * channel.extent + of(channel), *spatial),
        (of(image), out_channel, *_ofs(out)),
        (out_channel, of(channel), *_ofs(taps)),
        swapped=True,
    )


def _conv_input_grad(node: Node) -> list[Product]:
    """One product for each combination of phases; `margin` is the padding that g already has."""
    g, w = node.args
    group, groups = _group_var(node)
    image, column = Var("b", g.shape[0]), Var("c", w.shape[1])
    channel = Var("o", w.shape[0] // groups)
    margin = node.params["margin"]
    per_dim = [
        phases(size, kernel, stride, dilation, low)
        for size, kernel, stride, dilation, (low, _) in zip(
            node.shape[2:],
            w.shape[2:],
            node.params["stride"],
            node.params["dilation"],
            node.params["padding"],
            strict=True,
        )
    ]
    combos: list[list[Phase]] = [[]]
    for options in per_dim:
        combos = [[*combo, option] for combo in combos for option in options]
    found: list[Product] = []
    for combo in combos:
        rows = _vars("y", [phase.count for phase in combo])
        taps = _vars("k", [phase.taps for phase in combo])
        source: list[Index] = []
        kernel_at: list[Index] = []
        target: list[Index] = []
        for phase, t, j, before, stride in zip(
            combo, rows, taps, margin, node.params["stride"], strict=True
        ):
            source.append(of(t) - of(j) * phase.place_step + (phase.place + before))
            kernel_at.append(of(j) * phase.tap_step + phase.tap)
            target.append(of(t) * stride + phase.first)
        in_channel = of(group) * column.extent + of(column)
        out_channel = of(group) * channel.extent + of(channel)
        found.append(
            Product(
                (group,),
                (image, *rows),
                (column,),
                (channel, *taps),
                (of(image), out_channel, *source),
                (out_channel, of(column), *kernel_at),
                (of(image), in_channel, *target),
            )
        )
    return found


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
            )
        )
    return tuple(stmts)


def operand(
    reader: Reader, node: Node, place: Place, outer: tuple[Var, ...], product: Product
) -> Operand:
    """Return how an argument is read at a place that the product's variables decide."""
    load = reader.read(node, place)
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


def multiply_adds(node: Node) -> int:
    """Return the multiply-adds of a contraction."""
    total = 0
    for product in products(node):
        sizes = (*product.batch, *product.rows, *product.columns, *product.inner)
        total += math.prod(var.extent for var in sizes)
    return total
