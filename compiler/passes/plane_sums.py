"""Turns sums of products of planes into one kernel: slices of channels, over all tiles in blocks.

Slices, not tiles, are shared between threads, so that each sum stays with one thread. A slice's
planes are made from its channels alone; each channel's are made once for each slice of the others.
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

SLICES = (64, 48)  # channels of a slice, of which there are at least two
BLOCK_TILES = (16, 64)  # least and most tiles of a block


def _slice(channels: int) -> int | None:
    fitting = (size for size in SLICES if channels % size == 0 and channels > size)
    return next(fitting, None)


def _block(tiles: int) -> int | None:
    least, most = BLOCK_TILES
    return next((size for size in range(most, least - 1, -1) if tiles % size == 0), None)


def has_slices(tiles: int, *channels: int) -> bool:
    """Return whether tiles and channels can be cut evenly."""
    return _block(tiles) is not None and all(_slice(count) is not None for count in channels)


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
        return of(self.number) * self.inside.extent + inside

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
    tiles = first.blocks.tiles
    count = _block(prod(tiles))
    assert count is not None, f"no blocks for {node}"
    block, tile = Var("block", prod(tiles) // count), Var("tile", count)
    at = unravel(of(block) * count + of(tile), tiles)
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
    finish = _finish(group, storage, targets, (first, second), sums)
    body = (_clear(sums.buffer), For(block, blocks, "serial"), finish)
    return (For(first.number, (For(second.number, body, "parallel"),), "parallel"),)


def _finish(
    group: Group,
    storage: Mapping[Node, Storage],
    targets: Mapping[Node, Sequence[Storage]],
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
    result = Local("result", node.dtype, frozenset((first.number, first.inside, element)))
    body = GroupBody(group, storage, targets, place, {node: result}).epilogue()
    hand_out = For(element, (Define(result, Load(buffer, of(element))), *body), "vector")
    return For(sums.row, (For(sums.column, stores, "vector"), hand_out), "serial")


def _clear(buffer: Buffer) -> Stmt:
    element = Var("element", buffer.size)
    return For(element, (Store(buffer, of(element), Const(0, buffer.dtype)),), "vector")
