"""The sums of products that matmul and convolutions are: loop variables, and who is read where."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, of
from jitnet.compiler.ir.loops import Bound
from jitnet.compiler.ir.lowering import Contraction
from jitnet.compiler.ops.phases import Phase, phases
from jitnet.runtime.dataclass import dataclass

from .orders import place_of
from .storage import Place

PANEL_BYTES = 128  # of columns: two vectors of the widest target, and a multiple of any other's
TOGETHER = 4  # vectors of images whose sums are of the same terms: as many as a tile has
COLUMN_AXIS = {ops.conv: 0, ops.matmul: -1}  # of the second operand: what lies in lanes


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
    within: tuple[Bound, ...] = ()  # terms for which one of these fails do not count


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


def places(node: Node) -> dict[Node, Place]:
    """Return a place in each operand, of the form in which a contraction reads all of them."""
    found = {arg: place_of(arg.shape) for arg in node.args}
    if node.op in COLUMN_AXIS:
        operand = node.args[1]
        axis = COLUMN_AXIS[node.op] % len(operand.shape)
        _, column = _columns(operand, axis, "o", operand.shape[axis])
        found[operand] = (*found[operand][:axis], column, *found[operand][axis + 1 :])
    return found


def _vars(letter: str, sizes: Sequence[int]) -> tuple[Var, ...]:
    return tuple(Var(f"{letter}{axis}", size) for axis, size in enumerate(sizes))


def _ofs(variables: Sequence[Var]) -> Place:
    return tuple(of(var) for var in variables)


def _matmul(node: Node) -> Product:
    a, b = node.args
    batch = _vars("b", a.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    row, inner = Var("m", m), Var("k", k)
    columns, column = _columns(b, len(b.shape) - 1, "n", n)
    lead = _ofs(batch)
    return Product(
        batch,
        (row,),
        columns,
        (inner,),
        (*lead, of(row), of(inner)),
        (*lead, of(inner), column),
        (*lead, of(row), column),
    )


def are_panels(node: Node, axis: int) -> bool:
    """Whether a dim of an operand is joined of panels and the columns of each: see panels.py."""
    if node.op is not ops.reshape or node.args[0].op is not ops.permute:
        return False
    split, joined = node.args[0].shape, node.shape
    if len(split) != len(joined) + 1:
        return False
    around = (*split[:axis], split[axis] * split[axis + 1], *split[axis + 2 :])
    return around == joined and split[axis + 1] * node.dtype.size == PANEL_BYTES


def _columns(node: Node, axis: int, letter: str, size: int) -> tuple[tuple[Var, ...], Index]:
    """Return the variables of the columns of an operand: two where these lie in panels."""
    if size == node.shape[axis] and are_panels(node, axis):
        panels, lanes = node.args[0].shape[axis : axis + 2]
        panel, lane = Var(letter, panels), Var("l", lanes)
        return (panel, lane), of(panel) * lanes + of(lane)
    column = Var(letter, size)
    return (column,), of(column)


def _group_var(node: Node) -> tuple[Var, int]:
    groups = node.params["groups"]
    return Var("g", groups), groups


def _pixel(
    node: Node, image: Var, channel: Index, out: Sequence[Var], taps: Sequence[Var]
) -> Place:
    """Return where in an image a convolution reads for an output position and a tap."""
    stride, dilation = node.params["stride"], node.params["dilation"]
    spatial = (
        of(o) * s + of(k) * d for o, s, k, d in zip(out, stride, taps, dilation, strict=True)
    )
    return (of(image), channel, *spatial)


def _conv(node: Node) -> Product:
    x, w = node.args
    group, groups = _group_var(node)
    image, channel = Var("b", x.shape[0]), Var("c", w.shape[1])
    columns, column = _columns(w, 0, "o", w.shape[0] // groups)
    out, taps = _vars("y", node.shape[2:]), _vars("k", w.shape[2:])
    out_channel = of(group) * (w.shape[0] // groups) + column
    return Product(
        (group,),
        (image, *out),
        columns,
        (channel, *taps),
        _pixel(node, image, of(group) * channel.extent + of(channel), out, taps),
        (out_channel, of(channel), *_ofs(taps)),
        (of(image), out_channel, *_ofs(out)),
    )


def _conv_weight_grad(node: Node) -> Product:
    g, x = node.args
    group, groups = _group_var(node)
    image, channel = Var("b", x.shape[0]), Var("c", node.shape[1])
    column = Var("o", node.shape[0] // groups)
    out, taps = _vars("y", g.shape[2:]), _vars("k", node.shape[2:])
    out_channel = of(group) * column.extent + of(column)
    return Product(
        (group,),
        (channel, *taps),
        (column,),
        (image, *out),
        _pixel(node, image, of(group) * channel.extent + of(channel), out, taps),
        (of(image), out_channel, *_ofs(out)),
        (out_channel, of(channel), *_ofs(taps)),
        swapped=True,
    )


def _conv_input_grad(node: Node) -> list[Product]:
    """One product for each combination of phases; `margin` is the padding that g already has."""
    kernel = node.args[1].shape[2:]
    per_dim = [
        phases(size, kernel, stride, dilation, low)
        for size, kernel, stride, dilation, (low, _) in zip(
            node.shape[2:],
            kernel,
            node.params["stride"],
            node.params["dilation"],
            node.params["padding"],
            strict=True,
        )
    ]
    combos: list[list[Phase]] = [[]]
    for options in per_dim:
        combos = [[*combo, option] for combo in combos for option in options]
    return [_phase_product(node, combo) for combo in combos]


def _phase_product(node: Node, combo: Sequence[Phase]) -> Product:
    """Return the product for one combination of phases.

    Where taps reach beyond g, these do not count. Pixels for which the same do are one by one, the
    images of each together.
    """
    g, w = node.args
    group, groups = _group_var(node)
    column, channel = Var("c", w.shape[1]), Var("o", w.shape[0] // groups)
    rows = _vars("y", [phase.count for phase in combo])
    taps = _vars("k", [phase.taps for phase in combo])
    source: list[Index] = []
    kernel_at: list[Index] = []
    target: list[Index] = []
    for phase, t, j, before, stride in zip(
        combo, rows, taps, node.params["margin"], node.params["stride"], strict=True
    ):
        source.append(of(t) - of(j) * phase.place_step + (phase.place + before))
        kernel_at.append(of(j) * phase.tap_step + phase.tap)
        target.append(of(t) * stride + phase.first)
    sizes = zip(source, g.shape[2:], strict=True)
    within = tuple(Bound(place, 0, size) for place, size in sizes if not _is_inside(place, size))
    together = math.gcd(g.shape[0], TOGETHER) if within else g.shape[0]
    block, image = Var("n", g.shape[0] // together), Var("b", together)
    at = of(block) * together + of(image)
    in_channel = of(group) * column.extent + of(column)
    out_channel = of(group) * channel.extent + of(channel)
    return Product(
        (group, block, *rows[:-1]) if within else (group,),
        (image, rows[-1]) if within else (image, *rows),
        (column,),
        (*taps, channel) if within else (channel, *taps),
        (at, out_channel, *source),
        (out_channel, of(column), *kernel_at),
        (at, in_channel, *target),
        within=within,
    )


def _is_inside(place: Index, size: int) -> bool:
    low, high = place.bounds
    return low >= 0 and high < size


def multiply_adds(node: Node) -> int:
    """Return the multiply-adds of a contraction."""
    total = 0
    for product in products(node):
        sizes = (*product.batch, *product.rows, *product.columns, *product.inner)
        total += math.prod(var.extent for var in sizes)
    return total
