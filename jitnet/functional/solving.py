"""Inverses, linear systems and determinants: torch.linalg's, on matrices in the last two dims."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ops.factors import lu_shapes
from jitnet.compiler.ops.matrices import unpack
from jitnet.runtime.dtype import int32

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .choice import where
from .linear_algebra import product
from .matrices import alike, is_vector, matrices, one_batch
from .out import with_out
from .precision import autocast_widens, rounded_once
from .promote import normal_dim, to_dtype

slogdet_result = namedtuple("slogdet_result", ["sign", "logabsdet"])
inv_ex_result = namedtuple("inv_ex_result", ["inverse", "info"])
solve_ex_result = namedtuple("solve_ex_result", ["result", "info"])
triangular_solve_result = namedtuple("triangular_solve_result", ["solution", "cloned_coefficient"])


@with_out
@autocast_widens
def inv(A: Tensor) -> Tensor:  # noqa: N803
    """Return the inverses of square matrices; LinAlgError where one is singular."""
    return ops.inv(matrices("linalg.inv", A, square=True))


@with_out
def inverse(input: Tensor) -> Tensor:
    """Return the inverses of square matrices: torch.inverse."""
    return inv(input)  # type: ignore[no-any-return]


@with_out
@autocast_widens
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:  # noqa: N803
    """Return inverses, NaN of singular matrices, and which diagonal element was zero, from 1."""
    x = matrices("linalg.inv_ex", A, square=True)
    info = first_zero(lu_parts(x.detach())[0])
    return inv_ex_result(ops.inv(x, check=check_errors), info)


def lu_parts(x: Tensor, pivot: bool = True) -> list[Tensor]:
    """Return both triangular factors in one matrix, and the rows exchanged as numbers from 1."""
    found = unpack(ops.lu(x, pivot=pivot), lu_shapes(tuple(x._type.shape)))
    pivots = found[1].detach()
    return [found[0], to_dtype(pivots.real if x._type.dtype.is_complex else pivots, int32)]


def first_zero(factors: Tensor) -> Tensor:
    """Return which diagonal element is the first that is zero, counted from 1; 0 for none."""
    diagonal = factors.diagonal(dim1=-2, dim2=-1)
    size = diagonal._type.shape[-1]
    if not size:
        return diagonal.new_zeros(diagonal._type.shape[:-1], dtype=int32)  # type: ignore[no-any-return]
    zero = diagonal == 0
    first = to_dtype(zero, int32).argmax(-1) + 1
    return to_dtype(first * zero.any(-1), int32)


# -- systems ------------------------------------------------------------------------------------


@with_out
@autocast_widens
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:  # noqa: N803
    """Return X with A @ X = B, or X @ A = B with left=False; B may be a vector for each matrix.

    LinAlgError where a matrix is singular.
    """
    return _solved("linalg.solve", A, B, left, True)


@with_out
@autocast_widens
def solve_ex(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    *,
    left: bool = True,
    check_errors: bool = False,
) -> Any:
    """Return what solve does, NaN for singular matrices, and which pivot was zero, from 1."""
    found = _solved("linalg.solve_ex", A, B, left, check_errors)
    return solve_ex_result(found, first_zero(lu_parts(A.detach())[0]))


def _solved(name: str, A: Tensor, B: Tensor, left: bool, check: bool) -> Tensor:  # noqa: N803
    a, b = matrices(name, A, square=True), alike(name, A, B)
    if left and is_vector(a, b):
        return _solved(name, a, b.unsqueeze(-1), left, check).squeeze(-1)  # type: ignore[no-any-return]
    if not left:
        return _solved(name, a.mT, b.mT, True, check).mT  # type: ignore[no-any-return]
    return ops.solve(*_system(name, a, b), check=check)


def _system(name: str, a: Tensor, b: Tensor) -> list[Tensor]:
    """Return both sides of A @ X = B with the same batch dims."""
    if b.ndim < 2 or b._type.shape[-2] != a._type.shape[-1]:
        raise ShapeError(
            at_line(f"{name}: Incompatible shapes of A and B, got {a._type} and {b._type}")
        )
    return one_batch(a, b)


@with_out
@autocast_widens
def solve_triangular(
    A: Tensor,  # noqa: N803
    B: Tensor,  # noqa: N803
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Tensor:
    """Return X with A @ X = B (or X @ A = B, left=False), one triangle of A read.

    unitriangular: the diagonal counts as ones, and is not read.
    """
    name = "linalg.solve_triangular"
    a, b = matrices(name, A, square=True), alike(name, A, B)
    if not left:
        return solve_triangular(a.mT, b.mT, upper=not upper, unitriangular=unitriangular).mT  # type: ignore[no-any-return]
    return ops.solve_triangular(
        *_system(name, a, b), upper=bool(upper), unitriangular=bool(unitriangular)
    )


@with_out
def triangular_solve(
    input: Tensor,
    A: Tensor,  # noqa: N803
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Any:
    """Return (X, A) with A @ X = input, or A.mT @ X = input: torch.triangular_solve."""
    a, reads_upper = (A.mT, not upper) if transpose else (A, upper)
    found = solve_triangular(a, input, upper=reads_upper, unitriangular=unitriangular)
    return triangular_solve_result(found, A.clone())


@with_out
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:  # noqa: N803
    """Return X with A @ X = B, given the Cholesky factor L of A, or U = L.mH with upper=True."""
    lower = L.mH if upper else L
    half = solve_triangular(lower, B, upper=False)
    return solve_triangular(lower.mH, half, upper=True)  # type: ignore[no-any-return]


@with_out
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:  # noqa: N803
    """Return the inverse of A, given its Cholesky factor."""
    x = matrices("cholesky_inverse", L, square=True)
    return cholesky_solve(_eye(x, x._type.shape[-1]), x, upper)  # type: ignore[no-any-return]


def _eye(x: Tensor, size: int) -> Tensor:
    return creation.eye(size, dtype=x._type.dtype, device=x.device)


@with_out
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:  # noqa: N803
    """Return B with tensordot(A, tensordot(B, x, ind), ...) = x; ind dims of A are its rows."""
    rows, columns = tuple(A._type.shape[:ind]), tuple(A._type.shape[ind:])
    if ind <= 0 or numel(rows) != numel(columns):
        raise ShapeError(
            at_line(
                "linalg.tensorinv: Expected self to satisfy the requirement prod(self.shape[ind:]) "
                f"== prod(self.shape[:ind]) with ind > 0, got {A._type} and ind={ind}"
            )
        )
    return inv(A.reshape(numel(rows), numel(columns))).reshape(columns + rows)  # type: ignore[no-any-return]


@with_out
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:  # noqa: N803
    """Return X with tensordot(A, X, X.ndim) = B; dims of A are moved to its end before."""
    if dims is not None:
        moved = [normal_dim(dim, A.ndim) for dim in dims]
        A = A.permute([axis for axis in range(A.ndim) if axis not in moved] + moved)  # noqa: N806
    shape = tuple(A._type.shape[B.ndim :])
    if numel(shape) != B._type.numel or A._type.numel != numel(shape) ** 2:
        raise ShapeError(
            at_line(
                "linalg.tensorsolve: Expected self to satisfy the requirement "
                f"prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), got {A._type} "
                f"and {B._type}"
            )
        )
    matrix = A.reshape(B._type.numel, numel(shape))
    return solve(matrix, B.reshape(-1)).reshape(shape)  # type: ignore[no-any-return]


# -- determinants -------------------------------------------------------------------------------


@with_out
@autocast_widens
def det(A: Tensor) -> Tensor:  # noqa: N803
    """Return the determinants of square matrices."""
    return ops.det(matrices("linalg.det", A, square=True))


@with_out
@autocast_widens
def slogdet(A: Tensor) -> Any:  # noqa: N803
    """Return (sign, log of the absolute value) of determinants; (0, -inf) of singular ones."""
    x = matrices("linalg.slogdet", A, square=True)
    batch = tuple(x._type.shape[:-2])
    sign, size = unpack(ops.slogdet(x), (batch, batch))
    if x._type.dtype.is_complex:
        return slogdet_result(sign, size.real)
    return slogdet_result(sign.detach(), size)


@with_out
def logdet(A: Tensor) -> Tensor:  # noqa: N803
    """Return the logs of determinants; NaN of negative ones, -inf of 0."""
    sign, size = slogdet(A)
    if sign._type.dtype.is_complex:
        return sign.log() + size  # type: ignore[no-any-return]
    return where(sign == -1, float("nan"), size)  # type: ignore[no-any-return]


# -- exponential and powers ---------------------------------------------------------------------


@autocast_widens
@rounded_once
def matrix_exp(A: Tensor) -> Tensor:  # noqa: N803
    """Return the exponentials of square matrices."""
    return ops.matrix_exp(matrices("linalg.matrix_exp", A, square=True))


@with_out
def matrix_power(A: Tensor, n: int) -> Tensor:  # noqa: N803
    """Return matrices multiplied with themselves n times, by repeated squaring; of inverses, -n."""
    if A.ndim < 2 or A._type.shape[-1] != A._type.shape[-2]:
        raise ShapeError(
            at_line(f"linalg.matrix_power: A must be batches of square matrices, got {A._type}")
        )
    if n == 0:
        return _eye(A, A._type.shape[-1]).expand(A._type.shape).clone()  # type: ignore[no-any-return]
    power = inv(A) if n < 0 else A
    result, rest = None, abs(n)
    while rest:
        if rest % 2:
            result = power if result is None else product(result, power)
        rest //= 2
        power = product(power, power) if rest else power
    assert result is not None
    return result.clone() if n == 1 else result
