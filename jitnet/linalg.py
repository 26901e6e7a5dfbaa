"""jitnet.linalg: linear algebra under the names of torch.linalg and the array API standard.

Decompositions, inverses and systems are computed by NumPy (LAPACK), in compiled functions too; see
docs/compiled-ops.md. Matrices are the last two dims, all others are batches.
"""

from __future__ import annotations

from jitnet.compiler.ir.errors import LinAlgError as LinAlgError
from jitnet.runtime.dtype import DType

from . import keywords
from .errors import ShapeError, at_line
from .functional.chains import linalg_vander as vander
from .functional.chains import multi_dot as multi_dot
from .functional.diagonals import diagonal as _diagonal
from .functional.factors import cholesky as cholesky
from .functional.factors import cholesky_ex as cholesky_ex
from .functional.factors import eig as eig
from .functional.factors import eigh as eigh
from .functional.factors import eigvals as eigvals
from .functional.factors import eigvalsh as eigvalsh
from .functional.factors import householder_product as householder_product
from .functional.factors import linalg_lu as lu
from .functional.factors import linalg_lu_solve as lu_solve
from .functional.factors import linalg_qr as qr
from .functional.factors import linalg_svd as svd
from .functional.factors import lu_factor as lu_factor
from .functional.factors import lu_factor_ex as lu_factor_ex
from .functional.factors import svdvals as svdvals
from .functional.linear_algebra import cross as _cross
from .functional.linear_algebra import matmul as matmul
from .functional.linear_algebra import outer as outer
from .functional.linear_algebra import tensordot as tensordot
from .functional.out import with_out
from .functional.promote import broadcast_shapes
from .functional.reduction import vector_norm as vector_norm
from .functional.solving import det as det
from .functional.solving import inv as inv
from .functional.solving import inv_ex as inv_ex
from .functional.solving import matrix_exp as matrix_exp
from .functional.solving import matrix_power as matrix_power
from .functional.solving import slogdet as slogdet
from .functional.solving import solve as solve
from .functional.solving import solve_ex as solve_ex
from .functional.solving import solve_triangular as solve_triangular
from .functional.solving import tensorinv as tensorinv
from .functional.solving import tensorsolve as tensorsolve
from .functional.spectral import cond as cond
from .functional.spectral import lstsq as lstsq
from .functional.spectral import matrix_norm as matrix_norm
from .functional.spectral import matrix_rank as matrix_rank
from .functional.spectral import norm as norm
from .functional.spectral import pinv as pinv
from .functional.standard import matrix_transpose as matrix_transpose
from .functional.standard import standard_sum
from .functional.standard import vecdot as vecdot
from .tensor import Tensor

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor",
    "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensordot", "tensorinv",
    "tensorsolve", "trace", "vander", "vecdot", "vector_norm",
]  # fmt: skip


def diagonal(
    A: Tensor,  # noqa: N803
    *,
    offset: int = 0,
    dim1: int = -2,
    dim2: int = -1,
) -> Tensor:
    """Return the diagonals of matrices, which are the last two dims."""
    return _diagonal(A, offset, dim1, dim2)


def trace(x: Tensor, /, *, offset: int = 0, dtype: DType | None = None) -> Tensor:
    """Return the sums of the diagonals of matrices; unsigned whole numbers add up as uint64."""
    return _diagonal(x, offset, -2, -1).sum(-1, dtype=dtype or standard_sum(x.dtype))  # type: ignore[no-any-return]


@with_out
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Return the vector products of three-dimensional vectors along a dim of both."""
    if input.ndim != other.ndim and dim >= 0:
        raise ShapeError(
            at_line(
                "linalg.cross: inputs must have the same number of dimensions, or dim be "
                f"negative, got {input._type} and {other._type}"
            )
        )
    if {input._type.shape[dim], other._type.shape[dim]} != {3}:
        raise ShapeError(at_line(f"linalg.cross: inputs dimension {dim} must have length 3"))
    shape = broadcast_shapes(tuple(input.shape), tuple(other.shape))
    return _cross(input.expand(shape), other.expand(shape), dim)


keywords.install(globals())
