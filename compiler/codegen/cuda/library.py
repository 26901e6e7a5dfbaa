"""Which products a GPU leaves to its vendor's library, and what that is asked for.

The rule is made of what NVIDIA says of its GPUs; it has not been measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jitnet.compiler.ir.index import Index, Var
from jitnet.compiler.ir.loops import Apply, Buffer, Contract, Expr, Local, Operand, Store
from jitnet.runtime.cuda.gemm import Gemm, Matrix
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType, bfloat16, float16, float32, float64

from .tiling import Cores

LEAST_SIDE = 256  # rows, columns and terms: with fewer, little is won over kernels made for it
LEAST_MULTIPLICATIONS = 1 << 30
# Terms from which on what follows a product may be a kernel of its own. Its sums are then written
# and read once more, 8 bytes each: 2.4 ps of an H100's memory, against 2 operations a term at
# about 60 TFLOP/s one by one and 600 on tensor cores. So it costs a fifth or less.
LEAST_TERMS_APART = 512
LEAST_TERMS_APART_ON_TENSOR_CORES = 4096
_MOST = 1 << 31  # cuBLAS counts in 32 bits

_SUMS: dict[DType, DType] = {
    float32: float32,
    float64: float64,
    float16: float32,
    bfloat16: float32,
}


@dataclass(frozen=True)
class Request:
    """What the library is asked for.

    operands: the buffers of a, b and c there, and at which element each begins.
    """

    gemm: Gemm
    operands: tuple[tuple[Buffer, int], ...]


def is_large(stmt: Contract) -> bool:
    """Whether a product is so large that the library is worth a call."""
    sides = [_size(stmt.rows), _size(stmt.columns), _size(stmt.inner)]
    return min(sides) >= LEAST_SIDE and _size(stmt.batch) * prod(sides) >= LEAST_MULTIPLICATIONS


def pays_apart(stmt: Contract, cores: Cores) -> bool:
    """Whether a product is worth the library if what follows it becomes a kernel of its own."""
    tensor = stmt.a.buffer.dtype.narrow or ("tf32" in cores and stmt.a.buffer.dtype is float32)
    least = LEAST_TERMS_APART_ON_TENSOR_CORES if tensor else LEAST_TERMS_APART
    return _size(stmt.inner) >= least


def request_of(stmt: Contract, cores: Cores) -> Request | None:
    """Return a product as the library takes it; None for what it does not do.

    That is: matrices of one dtype and one step between them, and sums that are only stored.
    Its matrices lie by columns, so it is asked for the transpose: columns x rows = b' @ a'.
    """
    target = _target(stmt)
    if target is None or stmt.within or stmt.a.buffer.dtype is not stmt.b.buffer.dtype:
        return None
    if _SUMS.get(stmt.a.buffer.dtype) is not stmt.result.dtype:
        return None
    found = (
        _matrix(stmt, stmt.b, stmt.columns, stmt.b.outer, stmt.inner, stmt.b.inner),
        _matrix(stmt, stmt.a, stmt.inner, stmt.a.inner, stmt.rows, stmt.a.outer),
        _matrix(stmt, target, stmt.columns, target.inner, stmt.rows, target.outer),
    )
    m, n, k, count = map(_size, (stmt.columns, stmt.rows, stmt.inner, stmt.batch))
    a, b, c = found
    if a is None or b is None or c is None or c.op != "N" or max(m, n, k, count) >= _MOST:
        return None
    gemm = Gemm(m, n, k, a, b, c, count, _compute(stmt, cores))
    operands = tuple((each.buffer, each.offset) for each in (stmt.b, stmt.a, target))
    return Request(gemm, operands)


def _compute(stmt: Contract, cores: Cores) -> str:
    if stmt.result.dtype is float64:
        return "64F"
    return "32F_FAST_TF32" if "tf32" in cores and stmt.a.buffer.dtype is float32 else "32F"


def _target(stmt: Contract) -> Operand | None:
    """Return where sums go, rows as outer and columns as inner; None if more is done with them."""
    match stmt.body:
        case (Store(buffer=buffer, index=index, expr=expr, accumulate=False),):
            groups = [_factors(index, each) for each in (stmt.batch, stmt.rows, stmt.columns)]
            if index.is_affine and _is_result(stmt, expr, buffer):
                return Operand(buffer, index.const, *groups)
    return None


def _factors(index: Index, variables: Sequence[Var]) -> tuple[int, ...]:
    return tuple(index.coefficient(var) or 0 for var in variables)


def _is_result(stmt: Contract, expr: Expr, buffer: Buffer) -> bool:
    """Whether an expression is the sum, in its own dtype or that of narrow operands."""
    match expr:
        case Local():
            return expr == stmt.result and buffer.dtype is expr.dtype
        case Apply(fn="cast", args=(arg,)):
            is_narrow = buffer.dtype.narrow and buffer.dtype is stmt.a.buffer.dtype
            return arg == stmt.result and expr.dtype is buffer.dtype and is_narrow
    return False


def _matrix(
    stmt: Contract,
    item: Operand,
    down: Sequence[Var],
    down_strides: Sequence[int],
    across: Sequence[Var],
    across_strides: Sequence[int],
) -> Matrix | None:
    """Return how matrices lie that are `down` x `across`; None if they do not lie so."""
    step = _stride(stmt.batch, item.batch)
    i, j = _stride(down, down_strides), _stride(across, across_strides)
    if step is None or i is None or j is None or max(i, j) >= _MOST:
        return None
    dtype = item.buffer.dtype.name
    if i == 1 and j >= _size(down):
        return Matrix(dtype, "N", j, step)
    if j == 1 and i >= _size(across):
        return Matrix(dtype, "T", i, step)
    return None


def _size(variables: Sequence[Var]) -> int:
    return prod(var.extent for var in variables)


def _stride(variables: Sequence[Var], strides: Sequence[int]) -> int | None:
    """Return the one stride that dims have as if they were one; None where they have several."""
    found, reach = 0, None
    for var, stride in zip(reversed(variables), reversed(strides), strict=True):
        if var.extent == 1:
            continue
        if reach is None:
            found = stride
        elif stride != reach:
            return None
        reach = stride * var.extent
    return found
