"""Turns sums of products of planes into one kernel: slices of channels, over all tiles in blocks.

Slices, not tiles, are shared between threads, so that each sum stays with one thread. A slice's
planes are made from its channels alone; each channel's are made once for each slice of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Var, of, unravel
from jitnet.compiler.ir.loops import Buffer, Const, Contract, For, Local, Operand, Stmt, Store
from jitnet.compiler.ir.lowering import Blocks, PlaneSum

from .fuse import Group
from .planes import Planes, over
from .storage import Place, Reader, Storage
from .transform import mapped, write_results

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
        self.channel = of(self.number) * size + of(self.inside)

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
    target, place = lower.target(node), (first.channel, second.channel)
    last = write_results(group, storage, targets, target, place, mapped(target, sums.load))
    body = (_clear(sums.buffer), For(block, blocks, "serial"), over(row, column, last))
    return (For(first.number, (For(second.number, body, "parallel"),), "parallel"),)


def _clear(buffer: Buffer) -> Stmt:
    element = Var("element", buffer.size)
    return For(element, (Store(buffer, of(element), Const(0, buffer.dtype)),), "vector")
