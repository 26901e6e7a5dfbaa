"""Decompositions of matrices: torch.linalg's, and torch's older names for them."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ops.factors import qr_shapes, reflector_shapes
from jitnet.compiler.ops.matrices import unpack
from jitnet.compiler.ops.spectra import eigh_shapes, svd_shapes

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .linear_algebra import product
from .matrices import alike, matrices, one_batch
from .out import with_out
from .precision import autocast_widens
from .promote import to_dtype
from .solving import first_zero, lu_parts, solve_triangular

__all__ = [
    "cholesky", "geqrf", "lu", "lu_solve", "lu_unpack", "orgqr", "ormqr", "qr", "svd",
]  # fmt: skip

qr_result = namedtuple("qr_result", ["Q", "R"])
geqrf_result = namedtuple("geqrf_result", ["a", "tau"])
svd_result = namedtuple("svd_result", ["U", "S", "Vh"])
old_svd_result = namedtuple("svd_result", ["U", "S", "V"])
eig_result = namedtuple("eig_result", ["eigenvalues", "eigenvectors"])
eigh_result = namedtuple("eigh_result", ["eigenvalues", "eigenvectors"])
lu_result = namedtuple("lu_result", ["P", "L", "U"])
lu_factor_ex_result = namedtuple("lu_factor_ex_result", ["LU", "pivots", "info"])
cholesky_ex_result = namedtuple("cholesky_ex_result", ["L", "info"])
lu_factor_result = namedtuple("lu_factor_result", ["LU", "pivots"])


@with_out
@autocast_widens
def cholesky(A: Tensor, upper: bool = False) -> Tensor:  # noqa: N803
    """Return L with L @ L.mH = A, which is positive definite; its lower half is read.

    upper: L.mH, of the upper half. LinAlgError where a matrix is not positive definite.
    """
    x = matrices("linalg.cholesky", A, square=True)
    return ops.cholesky(x.mH).mH if upper else ops.cholesky(x)  # type: ignore[no-any-return]


@with_out
@autocast_widens
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:  # noqa: N803
    """Return factors, NaN where there is none, and the order of the minor to blame; 0 for none."""
    x = matrices("linalg.cholesky_ex", A, square=True)
    half = x.mH if upper else x
    found = ops.cholesky(half, check=check_errors)
    return cholesky_ex_result(found.mH if upper else found, ops.bad_minor(half.detach()))


# -- QR -----------------------------------------------------------------------------------------


@with_out
@autocast_widens
def linalg_qr(A: Tensor, mode: str = "reduced") -> Any:  # noqa: N803
    """Return (Q, R) with Q @ R = A, Q's columns orthonormal, R upper triangular.

    mode: "reduced" (Q [..., M, K], K = min(M, N)), "complete" (Q [..., M, M]), "r" (Q is empty).
    """
    x = matrices("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            at_line(f"qr received unrecognized mode '{mode}', wants 'reduced', 'r', or 'complete'")
        )
    return qr_result(*unpack(ops.qr(x, mode=mode), qr_shapes(tuple(x._type.shape), mode)))


@with_out
def qr(input: Tensor, some: bool = True) -> Any:
    """Return (Q, R): torch.qr; some=False gives all columns of Q."""
    return linalg_qr(input, "reduced" if some else "complete")


@with_out
def geqrf(input: Tensor) -> Any:
    """Return LAPACK's form of QR: R with the reflectors below it, and their factors tau."""
    x = matrices("geqrf", input)
    return geqrf_result(*unpack(ops.geqrf(x), reflector_shapes(tuple(x._type.shape))))


@with_out
def householder_product(A: Tensor, tau: Tensor) -> Tensor:  # noqa: N803
    """Return the first columns of the product of the reflectors below A's diagonal."""
    x, factors = _reflectors("linalg.householder_product", A, tau)
    m, n = x._type.shape[-2:]
    start = creation.eye(m, n, dtype=x._type.dtype, device=x.device).expand(x._type.shape)
    return _reflected(x, factors, start, turned=False)


orgqr = householder_product


@with_out
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """Return Q @ other, or other @ Q, for the reflectors of geqrf; with transpose, of Q.mT."""
    x, factors = _reflectors("ormqr", input, tau)
    if left:
        return _reflected(x, factors, alike("ormqr", x, other), turned=transpose)
    return _reflected(x, factors, alike("ormqr", x, other).mH, turned=not transpose).mH  # type: ignore[no-any-return]


def _reflectors(name: str, A: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:  # noqa: N803
    x, factors = matrices(name, A), alike(name, A, tau)
    m, n = x._type.shape[-2:]
    if m < n and name.startswith("linalg"):
        raise ShapeError(
            at_line(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
        )
    if factors._type.shape[:-1] != x._type.shape[:-2] or factors._type.shape[-1] > n:
        raise ShapeError(
            at_line(f"{name}: wants tau [..., K <= {n}] for {x._type}, got {factors._type}")
        )
    return x, factors


def _reflected(x: Tensor, tau: Tensor, other: Tensor, turned: bool) -> Tensor:
    """Return the product of all reflectors 1 - tau v v.mH, turned or not, and other."""
    count = tau._type.shape[-1]
    tau = tau.conj() if turned and tau._type.dtype.is_complex else tau
    below = x.tril(-1)
    unit = below + creation.eye(*x._type.shape[-2:], dtype=x._type.dtype, device=x.device)
    order = range(count) if turned else range(count - 1, -1, -1)
    for number in order:
        v = unit[..., number : number + 1]
        scaled = v * tau[..., number, None, None]
        other = other - product(scaled, product(v.mH, other))
    return other


# -- LU -----------------------------------------------------------------------------------------


@with_out
@autocast_widens
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:  # noqa: N803
    """Return (LU, pivots): both factors in one matrix, and the rows that were exchanged, from 1."""
    return lu_factor_result(*lu_parts(matrices("linalg.lu_factor", A), bool(pivot)))


@with_out
@autocast_widens
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:  # noqa: N803
    """Return what lu_factor does, and which pivot was zero, from 1; 0 for none."""
    both, pivots = lu_parts(matrices("linalg.lu_factor_ex", A), bool(pivot))
    return lu_factor_ex_result(both, pivots, first_zero(both.detach()))


@with_out
def linalg_lu(A: Tensor, *, pivot: bool = True) -> Any:  # noqa: N803
    """Return (P, L, U) with P @ L @ U = A; without pivoting P is empty."""
    both, pivots = lu_factor(A, pivot=pivot)
    found = lu_unpack(both, pivots, unpack_pivots=pivot)
    return lu_result(*found)


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:  # noqa: N803
    """Return (LU, pivots), and where a pivot was zero first: torch.lu."""
    both, pivots = lu_factor(A, pivot=pivot, out=out)
    if not get_infos:
        return both, pivots
    return both, pivots, first_zero(both.detach())


@with_out
def lu_unpack(
    LU_data: Tensor,  # noqa: N803
    LU_pivots: Tensor,  # noqa: N803
    unpack_data: bool = True,
    unpack_pivots: bool = True,
) -> Any:
    """Return (P, L, U) of what lu_factor gives; what is not asked for is empty."""
    x = matrices("lu_unpack", LU_data)
    m, n = x._type.shape[-2:]
    size = min(m, n)
    nothing = x.new_zeros((0,))
    lower = upper = permuting = nothing
    if unpack_pivots:
        order = ops.permutation(LU_pivots, rows=m).unsqueeze(-2)
        permuting = to_dtype(creation.counting((m,), 0).unsqueeze(-1) == order, x._type.dtype)
    if unpack_data:
        one = creation.eye(m, size, dtype=x._type.dtype, device=x.device)
        lower = x[..., :size].tril(-1) + one
        upper = x[..., :size, :].triu()
    return lu_result(permuting, lower, upper)


@with_out
def linalg_lu_solve(
    LU: Tensor,  # noqa: N803
    pivots: Tensor,
    B: Tensor,  # noqa: N803
    *,
    left: bool = True,
    adjoint: bool = False,
) -> Tensor:
    """Return X with A @ X = B, given lu_factor(A); X @ A = B, left=False; of A.mH, adjoint=True."""
    x = matrices("linalg.lu_solve", LU, square=True)
    if not left:
        return linalg_lu_solve(x, pivots, B.mH, adjoint=not adjoint).mH  # type: ignore[no-any-return]
    both, b = one_batch(x, alike("linalg.lu_solve", x, B))
    order = ops.permutation(pivots, rows=x._type.shape[-1])
    if adjoint:
        half = solve_triangular(both.mH, b, upper=False)
        found = solve_triangular(both.mH, half, upper=True, unitriangular=True)
        return _rows(found, order.argsort(-1))
    half = solve_triangular(both, _rows(b, order), upper=False, unitriangular=True)
    return solve_triangular(both, half, upper=True)  # type: ignore[no-any-return]


def _rows(x: Tensor, order: Tensor) -> Tensor:
    """Return the rows of matrices in an order of their own."""
    return x.gather(-2, order.unsqueeze(-1).expand(x._type.shape))  # type: ignore[no-any-return]


@with_out
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:  # noqa: N803
    """Return X with A @ X = b, given lu_factor(A): torch.lu_solve."""
    return linalg_lu_solve(LU_data, LU_pivots, b)  # type: ignore[no-any-return]


# -- singular values ----------------------------------------------------------------------------


@with_out
@autocast_widens
def linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:  # noqa: N803
    """Return (U, S, Vh) with U @ diag(S) @ Vh = A, S descending; `driver` is for other devices.

    The signs of U's columns are LAPACK's; gradients that depend on them mean nothing.
    """
    x = matrices("linalg.svd", A)
    _no_driver("linalg.svd", driver)
    shapes = svd_shapes(tuple(x._type.shape), full_matrices)
    u, s, vh = unpack(ops.svd(x, full=bool(full_matrices)), shapes)
    return svd_result(u, _real(s), vh)


def _real(x: Tensor) -> Tensor:
    """Return numbers that lay among complex ones, and are real."""
    return x.real if x._type.dtype.is_complex else x


@with_out
@autocast_widens
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:  # noqa: N803
    """Return the singular values of matrices, descending."""
    _no_driver("linalg.svdvals", driver)
    return ops.svdvals(matrices("linalg.svdvals", A))


def _no_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            at_line(f"{name}: keyword argument `driver=` is only supported on CUDA inputs")
        )


@with_out
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """Return (U, S, V) with U @ diag(S) @ V.mH = input: torch.svd; without vectors, zeros."""
    if compute_uv:
        u, s, vh = linalg_svd(input, not some)
        return old_svd_result(u, s, vh.mH)
    *batch, m, n = input._type.shape
    u, v = input.new_zeros((*batch, m, m)), input.new_zeros((*batch, n, n))
    return old_svd_result(u, svdvals(input), v)


# -- eigenvalues --------------------------------------------------------------------------------


@with_out
@autocast_widens
def eigh(A: Tensor, UPLO: str = "L") -> Any:  # noqa: N803
    """Return (eigenvalues, ascending, eigenvectors) of symmetric matrices; one triangle is read."""
    x = matrices("linalg.eigh", A, square=True)
    found = ops.eigh(x, uplo=_triangle("linalg.eigh", UPLO))
    values, vectors = unpack(found, eigh_shapes(tuple(x._type.shape)))
    return eigh_result(_real(values), vectors)


@with_out
@autocast_widens
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:  # noqa: N803
    """Return the eigenvalues of symmetric matrices, ascending."""
    x = matrices("linalg.eigvalsh", A, square=True)
    return ops.eigvalsh(x, uplo=_triangle("linalg.eigvalsh", UPLO))


@with_out
@autocast_widens
def eig(A: Tensor) -> Any:  # noqa: N803
    """Return (eigenvalues, eigenvectors) of square matrices, in any order, as complex numbers."""
    x = matrices("linalg.eig", A, square=True)
    return eig_result(*unpack(ops.eig(x), eigh_shapes(tuple(x._type.shape))))


@with_out
@autocast_widens
def eigvals(A: Tensor) -> Tensor:  # noqa: N803
    """Return the eigenvalues of square matrices, in any order, as complex numbers."""
    return ops.eigvals(matrices("linalg.eigvals", A, square=True))


def _triangle(name: str, uplo: str) -> str:
    if uplo not in ("L", "U", "l", "u"):
        raise RuntimeError(
            at_line(f"{name}: Expected UPLO argument to be 'L' or 'U', but got {uplo}")
        )
    return uplo.upper()
