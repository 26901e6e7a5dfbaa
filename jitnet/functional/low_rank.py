"""A few singular values or eigenvalues of large matrices: svd_lowrank, pca_lowrank, lobpcg."""

from __future__ import annotations

from typing import Any

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .factors import cholesky, eigh, linalg_qr, linalg_svd
from .linear_algebra import matmul
from .matrices import matrices
from .promote import to_shape
from .reduction import mean
from .solving import solve_triangular

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]

Three = tuple[Tensor, Tensor, Tensor]


def svd_lowrank(
    A: Tensor,  # noqa: N803
    q: int | None = 6,
    niter: int | None = 2,
    M: Tensor | None = None,  # noqa: N803
) -> Three:
    """Return (U, S, V) of the q largest singular values of A - M, about: A - M ~ U diag(S) V.mH.

    A random subspace, multiplied niter times (Halko, Martinsson and Tropp, 2009).
    """
    x = matrices("svd_lowrank", A)
    if M is not None:
        x = x - to_shape(M, x._type.shape)
    m, n = x._type.shape[-2:]
    count = min(6, m, n) if q is None else q
    if not 0 <= count <= min(m, n):
        raise ValueError(
            at_line(f"q(={count}) must be from 0 to {min(m, n)}, not greater than min(m, n)")
        )
    if niter is not None and niter < 0:
        raise ValueError(at_line(f"niter(={niter}) must be non-negative integer"))
    basis = _range(x, count, 2 if niter is None else niter)
    u, s, vh = linalg_svd(matmul(basis.mH, x), full_matrices=False)
    return matmul(basis, u), s, vh.mH


def _range(x: Tensor, count: int, rounds: int) -> Tensor:
    """Return orthonormal columns [..., m, count] that span most of what x reaches."""
    batch, columns = x._type.shape[:-2], x._type.shape[-1]
    start = creation.randn((*batch, columns, count), dtype=x._type.dtype, device=x.device)
    basis = linalg_qr(matmul(x, start))[0]
    for _ in range(rounds):
        back = linalg_qr(matmul(x.mH, basis))[0]
        basis = linalg_qr(matmul(x, back))[0]
    return basis  # type: ignore[no-any-return]


def pca_lowrank(
    A: Tensor,  # noqa: N803
    q: int | None = None,
    center: bool = True,
    niter: int = 2,
) -> Three:
    """Return svd_lowrank of the rows of A, less their mean if center: V's columns are principal."""
    x = matrices("pca_lowrank", A)
    away = x - mean(x, -2, keepdim=True) if center else x
    return svd_lowrank(away, q, niter)


def lobpcg(
    A: Tensor,  # noqa: N803
    k: int | None = None,
    B: Tensor | None = None,  # noqa: N803
    X: Tensor | None = None,  # noqa: N803
    n: int | None = None,
    iK: Tensor | None = None,  # noqa: N803
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:
    """Return the k largest (or smallest) eigenvalues of A x = e B x, and their vectors.

    A and B: symmetric, B positive definite. eigh finds them all, exactly; what steers PyTorch's
    iteration (X, iK, niter, tol, method ...) is accepted, and decides k where only X says it.
    """
    x = matrices("lobpcg", A, square=True)
    size = x._type.shape[-1]
    count = n if n is not None else k
    if count is None:
        count = 1 if X is None else X._type.shape[-1]
    if size < 3 * count:
        raise ShapeError(
            at_line(
                f"lobpcg is not applicable when the number of A rows (={size}) is smaller than 3 x "
                f"the number of requested eigenpairs (={count})"
            )
        )
    lower = None if B is None else cholesky(matrices("lobpcg", B, square=True))
    if lower is not None:
        x = solve_triangular(lower, x, upper=False)
        x = solve_triangular(lower, x.mH, upper=False).mH
    values, vectors = eigh(x)
    if largest is None or largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    values, vectors = values[..., :count], vectors[..., :count]
    if lower is not None:
        vectors = solve_triangular(lower.mH, vectors, upper=True)
    return values, vectors
