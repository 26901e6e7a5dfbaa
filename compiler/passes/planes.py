"""Turns products of planes into one kernel: blocks of tiles pass through the cache, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt, prod

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.index import Index, Var, of, unravel
from jitnet.compiler.ir.loops import Buffer, Contract, For, Load, Local, Operand, Stmt, Store
from jitnet.compiler.ir.lowering import PlaneProduct

from .contract import operand
from .fuse import Group
from .products import Product
from .storage import Reader, Storage
from .transform import Results, mapped, write_results

BLOCK_ELEMENTS = 1 << 17  # of both planes of a block: half of a level 2 cache in single precision
LEAST_TILES = 12  # of a block: fewer fill no register tile
SHARES = 4  # threads that blocks should be shared out evenly to
LINE_BYTES = 64


def tiles_of_block(tiles: int, channels: int) -> int | None:
    """Return how many of the tiles make a block; None where no number of them is right.

    channels: of both planes of a tile together.
    """
    most = BLOCK_ELEMENTS // (16 * channels)
    fitting = [count for count in range(LEAST_TILES, most + 1) if tiles % count == 0]

    def turns(count: int) -> int:
        return -(-tiles // count // SHARES) * (count + 1)

    return min(fitting, key=turns, default=None)


class Planes:
    """Scratch that holds planes: for each of them, rows of neighbouring columns.

    A plane takes a cache line more than its elements, whose number is often a power of two: else
    all elements of a block, one in each plane, would fall into one set of the cache.
    """

    def __init__(self, name: str, node: Node, plane: Var, row: Var, column: Var) -> None:
        self.row, self.column = row, column
        self.side = isqrt(plane.extent)
        self.step = row.extent * column.extent + LINE_BYTES // node.dtype.size
        self.buffer = Buffer(name, node.dtype, plane.extent * self.step, "scratch")

    def at(self, plane: Index) -> Index:
        """Return the place of an element of a plane."""
        return plane * self.step + of(self.row) * self.column.extent + of(self.column)

    def load(self, i: int, j: int) -> Load:
        """Return element i, j of a block."""
        return Load(self.buffer, self.at(Index(i * self.side + j)))

    def stores(self, block: Results) -> list[Stmt]:
        """Return what writes a block."""
        return [
            Store(self.buffer, self.at(Index(i * self.side + j)), expr)
            for (i, j), expr in block.items()
        ]


def lower_planes(
    group: Group, storage: Mapping[Node, Storage], targets: Mapping[Node, Sequence[Storage]]
) -> tuple[Stmt, ...]:
    """Return the loop over blocks: tiles to planes, their products, planes to results."""
    node, reader = group.roots[0], Reader(storage)
    lower = node.op.lower
    assert isinstance(lower, PlaneProduct)
    source, target = lower.source(node), lower.target(node)
    planes, inner, outer = node.args[1].shape
    count = tiles_of_block(prod(source.tiles), inner + outer)
    assert count is not None, f"no blocks for {node}"
    block, tile = Var("block", prod(source.tiles) // count), Var("tile", count)
    plane, k, n = Var("plane", planes), Var("k", inner), Var("n", outer)
    at = unravel(of(block) * count + of(tile), source.tiles)
    factors, sums = Planes("factors", node, plane, tile, k), Planes("sums", node, plane, tile, n)
    from_image = mapped(
        source, lambda i, j: reader.read(node.args[0], source.source((*at, of(k)), i, j))
    )
    product = Product((plane,), (tile,), (n,), (k,), (), (of(plane), of(k), of(n)), ())
    result = Local("product", node.dtype)
    contract = Contract(
        product.batch,
        product.rows,
        product.columns,
        product.inner,
        Operand(factors.buffer, 0, (factors.step,), (inner,), (1,)),
        operand(reader, node.args[1], product.b, product.columns, product),
        result,
        (Store(sums.buffer, sums.at(of(plane)), result),),
    )
    place = (*at, of(n))
    last = write_results(group, storage, targets, target, place, mapped(target, sums.load))
    body = (over(tile, k, factors.stores(from_image)), contract, over(tile, n, last))
    return (For(block, body, "parallel"),)


def over(row: Var, column: Var, body: Sequence[Stmt]) -> Stmt:
    """Return a loop over rows around one over columns, in vectors."""
    return For(row, (For(column, tuple(body), "vector"),), "serial")
