"""What singular values tell: norms, conditions, ranks, pseudoinverses, least squares."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType, int64

from .. import capture, creation
from ..errors import ShapeError, at_line
from ..limits import finfo
from ..tensor import Tensor
from .choice import where
from .factors import eigvalsh, svdvals
from .linear_algebra import product
from .matrices import alike, is_vector, matrices, one_batch
from .out import with_out
from .precision import autocast_widens
from .promote import fit, normal_dim, to_dtype
from .reduction import norm as _norm
from .reduction import vector_norm
from .solving import inv

lstsq_result = namedtuple("lstsq_result", ["solution", "residuals", "rank", "singular_values"])
DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


# -- norms --------------------------------------------------------------------------------------


@with_out
def norm(
    A: Tensor,  # noqa: N803
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return a vector's norm, or a matrix's where dim names two dims, or ord is a word."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    pair = dim is not None and not isinstance(dim, int) and len(tuple(dim)) == 2
    if pair or (dim is None and A.ndim == 2) or isinstance(ord, str):
        along = dim if dim is not None else (-2, -1)
        if isinstance(along, int) or len(tuple(along)) != 2 or (dim is None and A.ndim != 2):
            raise RuntimeError(
                at_line(
                    f"linalg.norm: If dim is specified, it must be of length 1 or 2, and the norm "
                    f"{ord!r} is one of matrices; got {A._type} and dim={dim}"
                )
            )
        return matrix_norm(A, ord, along, keepdim, dtype=dtype)  # type: ignore[no-any-return]
    if dim is None and A.ndim != 1:
        raise RuntimeError(
            at_line(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{A.ndim}D."
            )
        )
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


@with_out
def matrix_norm(
    A: Tensor,  # noqa: N803
    ord: Any = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Return norms of matrices in two dims: "fro", "nuc", 1, 2, inf, and -1, -2, -inf.

    1 and inf: the largest sum of a column, of a row.  2: the largest singular value.  "nuc": the
    sum of all.  A minus sign asks for the smallest.
    """
    x = A if dtype is None else to_dtype(A, dtype)
    rows, columns = (normal_dim(axis, x.ndim) for axis in dim)
    if rows == columns:
        raise RuntimeError(at_line(f"linalg.matrix_norm: dims must be different. Got {dim}"))
    if ord == "fro":
        return _norm(x, 2, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        found = _of_values(x.movedim((rows, columns), (-2, -1)), ord)
    elif ord in (1, -1, math.inf, -math.inf):
        found = _of_sums(x.abs(), ord, (rows, columns))
    else:
        raise RuntimeError(
            at_line(
                f"linalg.matrix_norm: Order {ord!r} not supported; use 'fro', 'nuc', 1, 2 or inf, "
                "or their negatives"
            )
        )
    if not keepdim:
        return found
    shape = [1 if axis in (rows, columns) else size for axis, size in enumerate(x._type.shape)]
    return found.reshape(shape)  # type: ignore[no-any-return]


def _of_values(x: Tensor, ord: Any) -> Tensor:
    """Return the norms that singular values make."""
    values = svdvals(x)
    if ord == "nuc":
        return values.sum(-1)  # type: ignore[no-any-return]
    return _largest(values, -1) if ord == 2 else values.amin(-1)  # type: ignore[no-any-return]


def _largest(sizes: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Return the largest of sizes, 0 where there are none."""
    if sizes._type.shape[dim] == 0:
        return sizes.sum(dim, keepdim)  # type: ignore[no-any-return]
    return sizes.amax(dim, keepdim)  # type: ignore[no-any-return]


def _of_sums(sizes: Tensor, ord: float, pair: tuple[int, int]) -> Tensor:
    """Return the largest or smallest sums of columns (1) or rows (inf)."""
    first, second = pair if abs(ord) == 1 else pair[::-1]
    sums = sizes.sum(first, keepdim=True)
    found = _largest(sums, second, True) if ord > 0 else sums.amin(second, True)
    return found.squeeze(pair)  # type: ignore[no-any-return]


@with_out
def cond(A: Tensor, p: Any = None) -> Tensor:  # noqa: N803
    """Return the norms of matrices times those of their inverses; infinity of singular ones.

    p: as of matrix_norm; None or 2 is the largest over the smallest singular value.
    """
    if p in (None, 2, -2):
        values = svdvals(matrices("linalg.cond", A))
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest  # type: ignore[no-any-return]
    x = matrices("linalg.cond", A, square=True)
    singular = ops.det(x.detach()) == 0
    one = creation.eye(x._type.shape[-1], dtype=x._type.dtype, device=x.device)
    safe = where(singular.unsqueeze(-1).unsqueeze(-1), one, x)
    return where(singular, math.inf, matrix_norm(x, p) * matrix_norm(inv(safe), p))  # type: ignore[no-any-return]


# -- ranks --------------------------------------------------------------------------------------


@with_out
def matrix_rank(
    A: Tensor,  # noqa: N803
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """Return how many singular values are larger than atol and than rtol times the largest."""
    x = matrices("linalg.matrix_rank", A)
    if tol is not None:
        atol, rtol = tol, 0.0
    values = (eigvalsh(x).abs() if hermitian else svdvals(x)).detach()
    absolute, relative = _tolerances(x, atol, rtol)
    if not values._type.shape[-1]:
        return x.new_zeros(x._type.shape[:-2], dtype=int64)  # type: ignore[no-any-return]
    cutoff = absolute.maximum(relative * values.amax(-1))
    return (values > cutoff.unsqueeze(-1)).sum(-1)  # type: ignore[no-any-return]


def _tolerances(x: Tensor, atol: Any, rtol: Any) -> tuple[Tensor, Tensor]:
    """Return both tolerances for each matrix; without any, a rounding error's."""
    if rtol is None:
        usual = finfo(x._type.dtype.to_real()).eps * max(x._type.shape[-2:])
        if isinstance(atol, Tensor):
            rtol = where(atol > 0, 0.0, usual)
        else:
            rtol = 0.0 if atol is not None and atol > 0 else usual
    batch = x._type.shape[:-2]
    dtype = x._type.dtype.to_real()
    return fit(0.0 if atol is None else atol, dtype, batch), fit(rtol, dtype, batch)


@with_out
@autocast_widens
def pinv(
    A: Tensor,  # noqa: N803
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """Return Moore and Penrose's inverse; singular values count as matrix_rank counts them."""
    x = matrices("linalg.pinv", A, square=hermitian)
    absolute, relative = _tolerances(x, atol, rcond if rtol is None else rtol)
    return ops.pinv(x, absolute.detach(), relative.detach(), hermitian=bool(hermitian))


@with_out
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Return Moore and Penrose's inverse: torch.pinverse."""
    return pinv(input, rcond)  # type: ignore[no-any-return]


# -- least squares ------------------------------------------------------------------------------


@autocast_widens
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:  # noqa: N803
    """Return X that makes A @ X - B smallest, and its residuals, A's rank and singular values.

    driver: "gelsy" (so, if None), "gels", "gelsd" or "gelss" decides which of the others are there,
    as in PyTorch; the solution is always that of the pseudoinverse. Compiled, residuals are there
    if they would be for matrices of full rank.
    """
    x = matrices("linalg.lstsq", A)
    b = alike("linalg.lstsq", x, B)
    driver = "gelsy" if driver is None else driver
    if driver not in DRIVERS:
        raise RuntimeError(
            at_line(f"torch.linalg.lstsq: parameter `driver` should be one of {DRIVERS}")
        )
    vectors = is_vector(x, b)
    b = b.unsqueeze(-1) if vectors else b
    if b.ndim < 2 or b._type.shape[-2] != x._type.shape[-2]:
        raise ShapeError(
            at_line(
                "torch.linalg.lstsq: input.size(-2) should match other.size(-2), got "
                f"{x._type} and {b._type}"
            )
        )
    whole, right = one_batch(x, b)
    solution = product(pinv(whole, rcond), right)
    values = svdvals(x.detach())
    rank = matrix_rank(x.detach(), rtol=rcond)
    nothing = x.new_zeros((0,), dtype=x._type.dtype.to_real())
    residuals = nothing
    if _has_residuals(x, rank, driver):
        residuals = (product(whole, solution) - right).abs().square().sum(-2)
    return lstsq_result(
        solution.squeeze(-1) if vectors else solution,
        residuals,
        nothing.to(int64) if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else nothing,
    )


def _has_residuals(x: Tensor, rank: Tensor, driver: str) -> bool:
    m, n = x._type.shape[-2:]
    if m <= n or driver == "gelsy":
        return False
    return driver == "gels" or capture.active is not None or bool((rank == n).all())
