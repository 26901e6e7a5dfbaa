"""How a product is cut into tiles, and which instructions multiply them."""

from __future__ import annotations

from math import prod

from jitnet.compiler.ir.loops import Contract
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType, float32, float64

ENOUGH_BLOCKS = 132  # processors of a large GPU: smaller tiles below as many blocks
SIDES = (128, 64, 32, 16)
ELEMENTS = 1024  # of an operand that are in shared memory at a time, for multiplications one by one
LEAST_LINES = 4  # rows and columns of a product: with fewer, most of a tile's threads idle
WORDS = 16  # of a line, of 4 bytes, that are in shared memory at a time, for tensor cores

Cores = frozenset[str]  # the numbers that tensor cores may multiply: "float16", "bfloat16", "tf32"


def cores_of(capability: tuple[int, int], tf32: bool) -> Cores:
    """Return what the tensor cores of a GPU may multiply; tf32: whether float32 may be rounded.

    What kernels ask of them came with sm_80; others multiply one by one, in float32.
    """
    if capability < (8, 0):
        return frozenset()
    return frozenset({"float16", "bfloat16", *(["tf32"] if tf32 else [])})


@dataclass(frozen=True)
class Tiling:
    """How a product is cut.

    side: rows and columns that a block makes.  tensor: the name of the kind of number that tensor
    cores multiply, or "" for multiplications one by one.
    """

    stmt: Contract
    side: int
    tensor: str = ""

    @property
    def rows(self) -> int:
        """Rows of all results of one batch."""
        return prod(var.extent for var in self.stmt.rows)

    @property
    def columns(self) -> int:
        """Columns of all results of one batch."""
        return prod(var.extent for var in self.stmt.columns)

    @property
    def terms(self) -> int:
        """Terms of each sum."""
        return prod(var.extent for var in self.stmt.inner)

    @property
    def depth(self) -> int:
        """Terms that are in shared memory at a time."""
        if not self.tensor:
            return ELEMENTS // self.side
        return WORDS if self.tensor == "tf32" else 2 * WORDS

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 2 * self.side if self.tensor else 256

    @property
    def across(self) -> int:
        """Tiles along the columns."""
        return max(-(-self.columns // self.side), 1)

    @property
    def down(self) -> int:
        """Tiles along the rows."""
        return max(-(-self.rows // self.side), 1)

    @property
    def blocks(self) -> int:
        """Blocks of the grid, in one direction: the others end at 65,535."""
        return self.across * self.down * prod(var.extent for var in self.stmt.batch)


def has_tiles(stmt: Contract) -> bool:
    """Whether a product is tiled; vectors and whole numbers are multiplied in plain loops."""
    whole = Tiling(stmt, SIDES[-1])
    return stmt.result.dtype.kind == "float" and min(whole.rows, whole.columns) >= LEAST_LINES


def tiling_of(stmt: Contract, cores: Cores) -> Tiling:
    """Return the largest tiles that leave work for all processors."""
    tensor = _tensor(stmt, cores)
    least = 64 if tensor else 16
    sides = [side for side in SIDES if side >= least]
    if stmt.result.dtype is float64:  # sums of 8 bytes: half as many fit in registers
        sides.remove(128)
    for side in sides[:-1]:
        tiling = Tiling(stmt, side, tensor)
        enough = tiling.blocks >= ENOUGH_BLOCKS or side == 32
        if enough and min(tiling.rows, tiling.columns) > side // 2:
            return tiling
    return Tiling(stmt, sides[-1], tensor)


def _tensor(stmt: Contract, cores: Cores) -> str:
    """Return what tensor cores multiply, if there is enough of it."""
    wide = Tiling(stmt, 16)
    if min(wide.rows, wide.columns) < 16 or wide.terms < 16 or stmt.within:
        return ""
    dtypes: set[DType] = {stmt.a.buffer.dtype, stmt.b.buffer.dtype}
    if len(dtypes) > 1:
        return ""
    (dtype,) = dtypes
    name = "tf32" if dtype is float32 else dtype.name
    return name if name in cores else ""
