"""jitnet.linalg: norms and products under the names of torch.linalg and the array API standard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.runtime.dtype import DType

from . import creation, keywords
from .errors import at_line
from .functional.diagonals import diagonal as _diagonal
from .functional.linear_algebra import cross as _cross
from .functional.linear_algebra import matmul as matmul
from .functional.linear_algebra import outer as outer
from .functional.linear_algebra import tensordot as tensordot
from .functional.promote import broadcast_shapes
from .functional.reduction import norm as _norm
from .functional.reduction import vector_norm as vector_norm
from .functional.standard import matrix_transpose as matrix_transpose
from .functional.standard import vecdot as vecdot
from .functional.triangular import cholesky as cholesky
from .functional.triangular import solve_triangular as solve_triangular
from .tensor import Tensor

__all__ = [
    "cross",
    "matrix_power",
    "matrix_transpose",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
    "cholesky",
    "solve_triangular",
    "diagonal",
    "matmul",
    "matrix_norm",
    "multi_dot",
    "norm",
    "vector_norm",
]


def norm(
    A: Tensor,  # noqa: N803
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return a vector's norm, or a matrix's where dim names two dims."""
    if ord is None or isinstance(dim, int) or (dim is None and A.ndim == 1):
        return _norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)


def matrix_norm(
    A: Tensor,  # noqa: N803
    ord: Any = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return "fro", the largest column sum (1) or the largest row sum (inf) of matrices."""
    x = A if dtype is None else A.to(dtype)
    rows, columns = dim[0] % x.ndim, dim[1] % x.ndim
    if ord == "fro":
        return _norm(x, 2, (rows, columns), keepdim)
    along = {1: (rows, columns), float("inf"): (columns, rows)}.get(ord)
    if along is None:
        raise NotImplementedError(at_line(f"matrix_norm knows 'fro', 1 and inf, got {ord!r}"))
    sums = x.abs().sum(along[0], keepdim=True)
    top = sums.amax(along[1], keepdim=True)
    shape = [size for axis, size in enumerate(top.shape) if axis not in (rows, columns)]
    return top if keepdim else top.reshape(shape)  # type: ignore[no-any-return]


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Return the product of several matrices, from left to right."""
    result = tensors[0]
    for factor in tensors[1:]:
        result = matmul(result, factor)
    return result


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
    """Return the sums of the diagonals of matrices."""
    return _diagonal(x, offset, -2, -1).sum(-1, dtype=dtype)  # type: ignore[no-any-return]


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Return the vector products of three-dimensional vectors along a dim of both."""
    if input.ndim != other.ndim or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            at_line(f"cross wants 3 elements along dim {dim}: {input._type} and {other._type}")
        )
    shape = broadcast_shapes(tuple(input.shape), tuple(other.shape))
    return _cross(input.expand(shape), other.expand(shape), dim)


def matrix_power(A: Tensor, n: int) -> Tensor:  # noqa: N803
    """Return matrices multiplied with themselves, n >= 0 times, by repeated squaring."""
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise RuntimeError(at_line(f"matrix_power wants square matrices, got {A._type}"))
    if n < 0:
        raise NotImplementedError(at_line(f"matrix_power wants n >= 0, got {n}: invert first"))
    result = None if n else creation.eye(A.shape[-1], dtype=A.dtype).expand(A.shape).clone()
    power = A
    while n:
        if n % 2:
            result = power if result is None else matmul(result, power)
        n //= 2
        power = matmul(power, power) if n else power
    assert result is not None
    return result


keywords.install(globals())
