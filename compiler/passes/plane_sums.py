"""Turns sums of products of planes into one kernel: slices of channels, over all tiles in blocks.

Threads share slices out, so that each sum stays with one of them. A slice's planes are made from
its channels alone; each channel's are made once for each slice of the others. Where there are few
slices, tiles fall into parts, as many for any number of threads, which somebody else adds up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, of, unravel
from jitnet.compiler.ir.loops import (
    Buffer,
    Const,
    Contract,
    Define,
    For,
    Load,
    Local,
    Operand,
    Stmt,
    Store,
)
from jitnet.compiler.ir.lowering import Blocks, PlaneSum

from .fuse import Group
from .lower import GroupBody
from .planes import Planes, over
from .storage import Place, Reader, Storage
from .transform import mapped

SLICES = (64, 48)  # channels of a slice
ENOUGH_SLICES = 4  # to share out without parts
PARTS = (8, 4, 2)
BLOCK_TILES = (16, 64)  # least and most tiles of a block


def _slice(channels: int) -> int | None:
    return next((size for size in SLICES if channels % size == 0), None)


def _block(tiles: int) -> int | None:
    least, most = BLOCK_TILES
    return next((size for size in range(most, least - 1, -1) if tiles % size == 0), None)


def parts_of(tiles: int, *channels: int) -> int | None:
    """Return how many parts the tiles fall into; None where channels or tiles cannot be cut."""
    slices = 1
    for count in channels:
        size = _slice(count)
        if size is None:
            return None
        slices *= count // size
    fitting = (1,) if slices >= ENOUGH_SLICES else PARTS
    return next((n for n in fitting if tiles % n == 0 and _block(tiles // n) is not None), None)


class _Factor:
    """A slice of the channels of one of the images."""

    def __init__(self, name: str, image: Node, blocks: Blocks) -> None:
        channels = blocks.variables[-1].extent
        size = _slice(channels)
        assert size is not None, f"no slices of {image}"
        self.name, self.image, self.blocks = name, image, blocks
        self.number = Var(f"{name}_slice", channels // size)
        self.inside = Var(name, size)
        self.channel = self.channel_of(of(self.inside))

    def channel_of(self, inside: Index) -> Index:
        """Return the number of a channel from its place in the slice."""
        return _counter(self.number) * self.inside.extent + inside

    def fill(self, planes: Planes, reader: Reader, at: Place) -> Stmt:
        """Return the loop over the tiles of a block, at place `at`, that writes their planes."""
        place = (*at, self.channel)
        block = mapped(
            self.blocks, lambda i, j: reader.read(self.image, self.blocks.source(place, i, j))
        )
        return over(planes.row, self.inside, planes.stores(block))


def lower_plane_sums(
    group: Group, storage: Mapping[Node, Storage], targets: Mapping[Node, Sequence[Storage]]
) -> tuple[Stmt, ...]:
    """Return the loops over slices, and over blocks of tiles inside."""
    node, reader = group.roots[0], Reader(storage)
    lower = node.op.lower
    assert isinstance(lower, PlaneSum)
    first = _Factor("row", node.args[0], lower.first(node))
    second = _Factor("column", node.args[1], lower.second(node))
    tiles, part = first.blocks.tiles, Var("part", node.shape[0])
    each = prod(tiles) // part.extent
    count = _block(each)
    assert count is not None, f"no blocks for {node}"
    block, tile = Var("block", each // count), Var("tile", count)
    at = unravel(_counter(part) * each + of(block) * count + of(tile), tiles)
    plane, row, column = Var("plane", len(first.blocks.matrix) ** 2), first.inside, second.inside
    rows, columns = (Planes(x.name, node, plane, tile, x.inside) for x in (first, second))
    sums = Planes("sums", node, plane, row, column)
    result = Local("product", node.dtype)
    contract = Contract(
        (plane,),
        (row,),
        (column,),
        (tile,),
        Operand(rows.buffer, 0, (rows.step,), (1,), (row.extent,)),
        Operand(columns.buffer, 0, (columns.step,), (1,), (column.extent,)),
        result,
        (Store(sums.buffer, sums.at(of(plane)), result, accumulate=True),),
    )
    blocks = (first.fill(rows, reader, at), second.fill(columns, reader, at), contract)
    finish = _finish(group, storage, targets, part, (first, second), sums)
    body: tuple[Stmt, ...] = (_clear(sums.buffer), For(block, blocks, "serial"), finish)
    for var in (second.number, first.number, part):
        if var.extent > 1:
            body = (For(var, body, "parallel"),)
    return body


def _finish(
    group: Group,
    storage: Mapping[Node, Storage],
    targets: Mapping[Node, Sequence[Storage]],
    part: Var,
    factors: tuple[_Factor, _Factor],
    sums: Planes,
) -> Stmt:
    """Return the loop that makes results of sums and hands them to the group, row by row.

    The results of neighbouring sums lie apart, each as one of a block: so a row of them goes to
    scratch first, and is handed out from there in the order of memory.
    """
    node = group.roots[0]
    assert isinstance(node.op.lower, PlaneSum)
    first, second = factors
    target = node.op.lower.target(node)
    results = mapped(target, sums.load)
    sides = (1 + max(i for i, _ in results), 1 + max(j for _, j in results))
    size = prod(sides)
    buffer = Buffer("results", node.dtype, second.inside.extent * size, "scratch")
    stores = tuple(
        Store(buffer, of(second.inside) * size + (i * sides[1] + j), expr)
        for (i, j), expr in results.items()
    )
    element = Var("element", buffer.size)
    column, *at = unravel(of(element), (second.inside.extent, *sides))
    place = (first.channel, second.channel_of(column), *at)
    if part.extent > 1:
        place = (of(part), *place)
    result = Local("result", node.dtype, frozenset((part, first.number, first.inside, element)))
    body = GroupBody(group, storage, targets, place, {node: result}).epilogue()
    hand_out = For(element, (Define(result, Load(buffer, of(element))), *body), "vector")
    return For(sums.row, (For(sums.column, stores, "vector"), hand_out), "serial")


def _counter(var: Var) -> Index:
    """Return a loop variable, or 0 where there is no loop."""
    return of(var) if var.extent > 1 else Index(0)


def _clear(buffer: Buffer) -> Stmt:
    element = Var("element", buffer.size)
    return For(element, (Store(buffer, of(element), Const(0, buffer.dtype)),), "vector")
