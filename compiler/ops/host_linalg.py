"""What NumPy's linear algebra lacks, written on it; and its failures in PyTorch's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ir.errors import LinAlgError

Array = NDArray[Any]
PANEL = 32  # columns that are eliminated before the rest of a matrix hears of it
SINGLE = 8  # rows below which a triangular system is solved one by one


def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function divide by zero and overflow without a warning."""

    def run(*args: Any, **params: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **params)

    return run


# -- failures -----------------------------------------------------------------------------------


def which(bad: Array) -> str:
    """Return "(Batch element 3): " for the first of several matrices that is bad."""
    if not bad.ndim:
        return ""
    return f"(Batch element {int(np.flatnonzero(bad)[0])}): "


def singular_solver(a: Array) -> LinAlgError:
    """Return the error of a system that a singular matrix keeps from being solved."""
    bad = np.linalg.slogdet(a)[0] == 0
    return LinAlgError(
        f"linalg.solve: {which(bad)}The solver failed because the input matrix is singular."
    )


def singular_inverse(a: Array) -> LinAlgError:
    """Return the error of an inverse that is not there."""
    factors, _ = lu(a)
    zero = np.diagonal(factors, axis1=-2, axis2=-1) == 0
    bad = zero.any(-1)
    first = int(zero.reshape(-1, a.shape[-1])[np.flatnonzero(bad)[:1]].argmax()) + 1
    return LinAlgError(
        f"linalg.inv: {which(bad)}The diagonal element {first} is zero, the inversion could not be "
        "completed because the input matrix is singular."
    )


def not_positive(a: Array) -> LinAlgError:
    """Return the error of a matrix that has no Cholesky factor."""
    orders = bad_minors(a)
    order = orders.reshape(-1)[np.flatnonzero(orders)[0]]
    return LinAlgError(
        f"linalg.cholesky: {which(orders > 0)}The factorization could not be completed because the "
        f"input is not positive-definite (the leading minor of order {order} is not "
        "positive-definite)."
    )


def bad_minors(a: Array) -> Array:
    """Return the order of each matrix's first leading minor that is not positive; 0 for none."""
    found = np.zeros(a.shape[:-2], np.int32)
    for at in np.ndindex(found.shape):
        low, high = 0, a.shape[-1]  # minors up to low are positive, one up to high is not
        if _has_factor(a[at]):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _has_factor(a[at][:middle, :middle]) else (low, middle)
        found[at] = high
    return found


def _has_factor(matrix: Array) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def one_by_one(function: Callable[..., Array], first: Array, *rest: Array) -> Array:
    """Apply a function to each of a batch of matrices; where it fails, the result is NaN."""
    shape = (rest[0] if rest else first).shape
    result = np.full(shape, np.nan, first.dtype)
    for at in np.ndindex(first.shape[:-2]):
        try:
            result[at] = function(first[at], *(each[at] for each in rest))
        except np.linalg.LinAlgError:
            continue  # NaN says it
    return result


def no_convergence(name: str) -> LinAlgError:
    """Return the error of an iteration that found nothing."""
    return LinAlgError(
        f"{name}: The algorithm failed to converge because the input matrix is ill-conditioned, "
        "has too many repeated values, or contained non-finite values."
    )


# -- triangular systems -------------------------------------------------------------------------


def solve_lower(a: Array, b: Array, unit: bool) -> Array:
    """Return X with a @ X = b, of a's lower triangle only; zeros on the diagonal give infinity."""
    size = a.shape[-1]
    if size <= SINGLE:
        return _solve_rows(a, b, unit)
    half = size // 2
    first = solve_lower(a[..., :half, :half], b[..., :half, :], unit)
    rest = b[..., half:, :] - a[..., half:, :half] @ first
    second = solve_lower(a[..., half:, half:], rest, unit)
    return np.concatenate([first, second], -2)


def _solve_rows(a: Array, b: Array, unit: bool) -> Array:
    x = np.empty(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype)
    for i in range(a.shape[-1]):
        known = np.matmul(a[..., i : i + 1, :i], x[..., :i, :])[..., 0, :]
        row = b[..., i, :] - known
        x[..., i, :] = row if unit else row / a[..., i, i, None]
    return x


def solve_upper(a: Array, b: Array, unit: bool) -> Array:
    """Return X with a @ X = b, of a's upper triangle only."""
    return solve_lower(a[..., ::-1, ::-1], b[..., ::-1, :], unit)[..., ::-1, :]


# -- LU -----------------------------------------------------------------------------------------


def lu(a: Array, pivoting: bool = True) -> tuple[Array, Array]:
    """Return (factors, pivots) as LAPACK's getrf: pivots count rows from 1, [..., min(m, n)].

    Columns are eliminated in panels, so that most of the work is products of matrices.
    """
    *batch, m, n = a.shape
    x = np.array(a, order="C").reshape(numel(batch), m, n)
    steps = min(m, n)
    pivots = np.zeros((len(x), steps), np.int64)
    for start in range(0, steps, PANEL):
        stop = min(start + PANEL, steps)
        for j in range(start, stop):
            pivots[:, j] = _pivot(x, j) if pivoting else j
            _eliminate(x, j, stop)
        if stop < n:
            diagonal = x[:, start:stop, start:stop]
            x[:, start:stop, stop:] = solve_lower(diagonal, x[:, start:stop, stop:], True)
            x[:, stop:, stop:] -= x[:, stop:, start:stop] @ x[:, start:stop, stop:]
    return x.reshape(*batch, m, n), pivots.reshape(*batch, steps) + 1


def _pivot(x: Array, j: int) -> Array:
    """Bring the largest element of a column to the diagonal; return the row that it was in."""
    every = np.arange(len(x))
    column = x[:, j:, j]
    sizes = np.abs(column.real) + np.abs(column.imag)  # as LAPACK measures complex numbers
    found: Array = sizes.argmax(-1) + j
    rows = x[every, found]
    x[every, found] = x[:, j]
    x[:, j] = rows
    return found


def _eliminate(x: Array, j: int, stop: int) -> None:
    """Divide a column by its pivot, and take its multiples from the panel's columns behind it."""
    pivot = x[:, j, j, None]
    x[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)
    x[:, j + 1 :, j + 1 : stop] -= x[:, j + 1 :, j, None] * x[:, None, j, j + 1 : stop]


def permutation(pivots: Array, *, rows: int) -> Array:
    """Return which row of the matrix each row of its factors comes from, [..., rows]."""
    *batch, steps = pivots.shape
    swaps = pivots.reshape(numel(batch), steps) - 1
    order = np.broadcast_to(np.arange(rows), (len(swaps), rows)).copy()
    every = np.arange(len(swaps))
    for j in range(steps):
        taken = order[every, swaps[:, j]]
        order[every, swaps[:, j]] = order[:, j]
        order[:, j] = taken
    return np.asarray(order.reshape(*batch, rows), np.int64)


# -- exponential --------------------------------------------------------------------------------

_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
    40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_RADIUS = 5.371920351148152  # of the 1-norm, within which the approximation is exact in float64


def matrix_exp(a: Array) -> Array:
    """Return exp(a) by scaling, a Pade approximant of degree 13, and squaring (Higham 2005)."""
    x = a.astype(np.result_type(a.dtype, np.float64))
    norm = np.abs(x).sum(-2).max(-1, initial=0)
    finite = np.isfinite(norm)
    ratio = np.where(finite, norm, 0) / _RADIUS
    squarings = np.maximum(np.ceil(np.log2(np.maximum(ratio, 1))), 0).astype(int)
    x = np.where(finite[..., None, None], x, 0) / 2.0 ** squarings[..., None, None]
    result = _approximant(x)
    for step in range(int(squarings.max(initial=0))):
        more = (squarings > step)[..., None, None]
        result = np.where(more, result @ result, result)
    return np.where(finite[..., None, None], result, np.nan).astype(a.dtype)


def _approximant(x: Array) -> Array:
    one = np.eye(x.shape[-1])
    x2 = x @ x
    x4, b = x2 @ x2, _PADE
    x6 = x4 @ x2
    odd = x6 @ _terms(b[9::2], x2, x4, x6) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * one
    even = x6 @ _terms(b[8::2], x2, x4, x6) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * one
    u = x @ odd
    found: Array = np.linalg.solve(even - u, even + u)
    return found


def _terms(factors: Sequence[float], *powers: Array) -> Array:
    return sum(factor * power for factor, power in zip(factors, powers, strict=True))  # type: ignore[return-value]


# -- determinants -------------------------------------------------------------------------------


def cofactors(a: Array) -> Array:
    """Return det(a) * inv(a).mT, of a singular matrix too: from its singular values."""
    u, s, vh = np.linalg.svd(a)
    size = a.shape[-1]
    others = np.where(np.eye(size, dtype=bool), 1, s[..., None, :]).prod(-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    found: Array = (sign[..., None, None] * u.conj() * others[..., None, :]) @ vh.conj()
    return found.astype(a.dtype, copy=False)
