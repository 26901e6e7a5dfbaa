"""Inverses, linear systems, determinants and exponentials of matrices; NumPy computes them.

Gradients are those of Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), but where another source is named.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import check, host_linalg
from .complex_parts import complex, conj, holomorphic, imag, real
from .elementwise import add, mul, neg, sub
from .host_linalg import Array, quietly
from .leaves import full_like
from .matmul import transposed
from .matrices import (
    adjoint,
    beside,
    lower,
    over,
    pack,
    packed_type,
    product,
    right,
    strictly_lower,
    top,
    unpack,
    upon,
    upper,
)
from .reduce import sum

INEXACT = ("float", "complex")


def square(name: str, a: TensorType) -> TensorType:
    """Return the type of square matrices; an error for all else."""
    check.kind(name, INEXACT, a)
    check.rank_at_least(name, 2, a)
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name} wants square matrices, got {a}")
    return a


# -- inverse and systems ------------------------------------------------------------------------


def _inv(a: Array, *, check: bool = True) -> Array:
    """Where check is False, a singular matrix has an inverse of NaN."""
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        if check:
            raise host_linalg.singular_inverse(a) from None
        return host_linalg.one_by_one(np.linalg.inv, a)


def _inv_grad(g: Any, y: Any, a: Any, **params: Any) -> tuple[Any]:
    flipped = transposed(y)
    return (neg(product(flipped, g, flipped)),)


def _system_type(name: str, a: TensorType, b: TensorType) -> TensorType:
    square(name, a)
    check.same_dtype(name, a, b)
    if len(b.shape) != len(a.shape) or b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(f"{name} wants B [..., N, K] for A [..., N, N], got {a} and {b}")
    return b


def _solve(a: Array, b: Array, *, check: bool = True) -> Array:
    """Where check is False, a singular matrix has a solution of NaN."""
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if check:
            raise host_linalg.singular_solver(a) from None
        return host_linalg.one_by_one(np.linalg.solve, a, b)


def _solve_grad(g: Any, y: Any, a: Any, b: Any, **params: Any) -> tuple[Any, Any]:
    found = solve(transposed(a), g, **params)
    return neg(product(found, transposed(y))), found


def _solve_triangular(a: Array, b: Array, *, upper: bool, unitriangular: bool) -> Array:
    run = host_linalg.solve_upper if upper else host_linalg.solve_lower
    return run(a, b, unitriangular)


def _solve_triangular_grad(
    g: Any, y: Any, a: Any, b: Any, *, upper: bool, unitriangular: bool
) -> tuple[Any, Any]:
    found = solve_triangular(transposed(a), g, upper=not upper, unitriangular=unitriangular)
    whole = neg(product(found, transposed(y)))
    return _triangle(whole, upper, unitriangular), found


def _triangle(x: Any, is_upper: bool, unitriangular: bool) -> Any:
    """Return the part of a gradient that goes to the elements that are read."""
    if is_upper:
        return upper(x, 1 if unitriangular else 0)
    return strictly_lower(x) if unitriangular else lower(x)


inv = Op(
    "linalg.inv",
    lambda a, **params: square("inv", a),
    _inv,
    holomorphic(_inv_grad),
    Host(),
    keeps=(-1,),
)
solve: Op = Op(
    "linalg.solve",
    lambda a, b, **params: _system_type("solve", a, b),
    _solve,
    holomorphic(_solve_grad),
    Host(),
    keeps=(0, -1),
)
solve_triangular: Op = Op(
    "linalg.solve_triangular",
    lambda a, b, *, upper, unitriangular: _system_type("solve_triangular", a, b),
    quietly(_solve_triangular),
    holomorphic(_solve_triangular_grad),
    Host(),
    keeps=(0, -1),
)


# -- determinants -------------------------------------------------------------------------------


def _det_type(a: TensorType) -> TensorType:
    return TensorType(square("det", a).dtype, a.shape[:-2])


def _det(a: Array) -> Array:
    return np.asarray(np.linalg.det(a), a.dtype)


def _det_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    found = cofactors(a)
    return (mul(over(g, found), found),)


def _cofactors_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    """Of y = det(a) inv(a).mT, where a is not singular."""
    flipped = transposed(inv(a))
    rank = len(a.shape)
    weight = sum(mul(g, y), axes=(rank - 2, rank - 1))
    return (sub(mul(over(weight, flipped), flipped), product(y, transposed(g), flipped)),)


def _slogdet_type(a: TensorType) -> TensorType:
    batch = square("slogdet", a).shape[:-2]
    return packed_type(a, (batch, batch))


def _slogdet(a: Array) -> Array:
    return pack(np.linalg.slogdet(a), a.dtype)


def _slogdet_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    """The log's real part is that of the size; its imaginary part turns the sign."""
    batch = tuple(a.shape[:-2])
    (sign, _), (g_sign, g_log) = unpack(y, (batch, batch)), unpack(g, (batch, batch))
    weight = g_log
    if g.dtype.is_complex:
        turning = mul(conj(g_sign), sign)
        weight = complex(real(g_log), neg(imag(turning)))
    flipped = adjoint(inv(a))
    return (mul(over(weight, flipped), flipped),)


det = Op("linalg.det", _det_type, quietly(_det), holomorphic(_det_grad), Host(), keeps=(0,))
cofactors: Op = Op(
    "linalg.cofactors",
    lambda a: square("cofactors", a),
    host_linalg.cofactors,
    holomorphic(_cofactors_grad),
    Host(),
    keeps=(0, -1),
)
slogdet = Op(
    "linalg.slogdet", _slogdet_type, quietly(_slogdet), _slogdet_grad, Host(), keeps=(0, -1)
)


# -- pseudoinverse ------------------------------------------------------------------------------


def _pinv_type(a: TensorType, atol: TensorType, rtol: TensorType, *, hermitian: bool) -> TensorType:
    check.kind("pinv", INEXACT, a)
    check.kind("pinv", ("float",), atol, rtol)
    check.rank_at_least("pinv", 2, a)
    if not atol.shape == rtol.shape == a.shape[:-2]:
        raise ShapeError(f"pinv wants atol and rtol for each matrix of {a}, got {atol} and {rtol}")
    *batch, m, n = a.shape
    return TensorType(a.dtype, (*batch, n, m))


def _pinv(a: Array, atol: Array, rtol: Array, *, hermitian: bool) -> Array:
    """Leave singular values out that are no larger than atol and than rtol times the largest."""
    *batch, m, n = a.shape
    if not min(m, n):
        return np.zeros((*batch, n, m), a.dtype)
    if hermitian:
        s, u = np.linalg.eigh(a)
        vh = np.swapaxes(u, -1, -2).conj()
    else:
        u, s, vh = np.linalg.svd(a, full_matrices=False)
    sizes = np.abs(s)
    large = sizes > np.maximum(atol, rtol * sizes.max(-1))[..., None]
    scaled = np.where(large, 1 / np.where(large, s, 1), 0).astype(a.dtype)
    found: Array = np.swapaxes(vh, -1, -2).conj() @ (
        scaled[..., None] * np.swapaxes(u, -1, -2).conj()
    )
    return found


def _pinv_grad(
    g: Any, y: Any, a: Any, atol: Any, rtol: Any, *, hermitian: bool
) -> tuple[Any, None, None]:
    """Golub and Pereyra, "The differentiation of pseudo-inverses ..." (1973), formula 4.12."""
    flipped, turned = adjoint(y), adjoint(g)
    first = product(flipped, g, flipped)
    inner = product(flipped, y)  # (a a.mH)^+
    outer = product(y, flipped)  # (a.mH a)^+
    second = product(sub(turned, product(a, y, turned)), outer)
    third = product(inner, sub(turned, product(turned, y, a)))
    return sub(add(second, third), first), None, None


pinv = Op("linalg.pinv", _pinv_type, quietly(_pinv), _pinv_grad, Host(), keeps=(0, -1))


# -- exponential --------------------------------------------------------------------------------


def _matrix_exp_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    """The exponential of [[a.mT, g], [0, a.mT]] holds it in its corner (Najfeld and Havel 1995)."""
    size = a.shape[-1]
    flipped = transposed(a)
    block = upon(beside(flipped, g), beside(full_like(g, value=0), flipped))
    return (right(top(matrix_exp(block), size), size),)


matrix_exp: Op = Op(
    "linalg.matrix_exp",
    lambda a: square("matrix_exp", a),
    quietly(host_linalg.matrix_exp),
    holomorphic(_matrix_exp_grad),
    Host(),
    keeps=(0,),
)

OPS = (inv, solve, solve_triangular, det, cofactors, slogdet, pinv, matrix_exp)
