"""Decompositions of matrices, which NumPy computes; several results lie in one flat value.

Gradients: Giles (2008) for Cholesky's factor, and Roberts and Roberts, "QR and LQ Decomposition
Matrix Backpropagation Algorithms for Square, Wide, and Deep Matrices" (2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int32, int64

from . import check, host_linalg
from .complex_parts import holomorphic
from .elementwise import add, cast, eq, mul, sub
from .host_linalg import Array, quietly
from .leaves import full_like, iota_like
from .matmul import transposed
from .matrices import (
    Shape,
    adjoint,
    as_dtype_of,
    beside,
    bottom,
    diagonal_only,
    half_diagonal,
    left,
    lower,
    pack,
    packed_type,
    product,
    real_part,
    right,
    strictly_lower,
    symmetric,
    top,
    unpack,
    upon,
    upper,
)
from .movement import expand, reshape
from .solving import INEXACT, solve_triangular, square


def matrix(name: str, a: TensorType) -> tuple[Shape, int, int]:
    """Return batch dims, rows and columns; an error for what is no matrix of floats."""
    check.kind(name, INEXACT, a)
    check.rank_at_least(name, 2, a)
    return a.shape[:-2], a.shape[-2], a.shape[-1]


# -- Cholesky -----------------------------------------------------------------------------------


def _cholesky(a: Array, *, check: bool = True) -> Array:
    """Where check is False, a matrix that is not positive definite has a factor of NaN."""
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        if check:
            raise host_linalg.not_positive(a) from None
        return host_linalg.one_by_one(np.linalg.cholesky, a)


def _cholesky_grad(g: Any, y: Any, a: Any, **params: Any) -> tuple[Any]:
    """Symmetric, as PyTorch's, though one triangle is read."""
    turned = adjoint(y)
    inner = symmetric(half_diagonal(lower(product(turned, g))))
    half = solve_triangular(turned, inner, upper=True, unitriangular=False)
    found = solve_triangular(turned, adjoint(half), upper=True, unitriangular=False)
    return (_halved(found),)


def _halved(x: Any) -> Any:
    return mul(x, full_like(x, value=0.5))


cholesky = Op(
    "linalg.cholesky",
    lambda a, **params: square("cholesky", a),
    _cholesky,
    _cholesky_grad,
    Host(),
    keeps=(-1,),
)


def _minor_type(a: TensorType) -> TensorType:
    return TensorType(int32, square("cholesky", a).shape[:-2])


bad_minor = Op("linalg.bad_minor", _minor_type, host_linalg.bad_minors, lower=Host())


# -- QR -----------------------------------------------------------------------------------------


def qr_shapes(shape: Shape, mode: str) -> tuple[Shape, Shape]:
    """Return the shapes of Q and R; mode is "reduced", "complete" or "r" (Q is empty)."""
    *batch, m, n = shape
    inner = m if mode == "complete" else min(m, n)
    q = (0,) if mode == "r" else (*batch, m, inner)
    return q, (*batch, inner, n)


def _qr_type(a: TensorType, *, mode: str) -> TensorType:
    matrix("qr", a)
    return packed_type(a, qr_shapes(a.shape, mode))


def _qr(a: Array, *, mode: str) -> Array:
    if mode == "r":
        return pack([np.asarray(np.linalg.qr(a, "r"))], a.dtype)
    found = np.linalg.qr(a, "complete" if mode == "complete" else "reduced")
    return pack(found, a.dtype)


def _qr_grad(g: Any, y: Any, a: Any, *, mode: str) -> tuple[Any]:
    shapes = qr_shapes(tuple(a.shape), mode)
    m, n = a.shape[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'; "
            "use mode='reduced'"
        )
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and there are more "
            "rows than columns; use mode='reduced'"
        )
    (q, r), (gq, gr) = unpack(y, shapes), unpack(g, shapes)
    if m >= n:
        return (_qr_grad_deep(q, r, gq, gr),)
    wide = right(gr, m)
    behind = right(a, m)
    first = _qr_grad_deep(q, left(r, m), add(gq, product(behind, adjoint(wide))), left(gr, m))
    return (beside(first, product(q, wide)),)


def _qr_grad_deep(q: Any, r: Any, gq: Any, gr: Any) -> Any:
    inner = sub(product(gr, adjoint(r)), product(adjoint(q), gq))
    inner = half_diagonal(symmetric(upper(inner)))
    whole = add(gq, product(q, inner))
    turned = solve_triangular(r, adjoint(whole), upper=True, unitriangular=False)
    return adjoint(turned)


qr = Op("linalg.qr", _qr_type, quietly(_qr), _qr_grad, Host(), keeps=(0, -1))


def reflector_shapes(shape: Shape) -> tuple[Shape, Shape]:
    """Return the shapes of LAPACK's geqrf: R with the reflectors below it, and their factors."""
    return shape, (*shape[:-2], min(shape[-2:]))


def _geqrf_type(a: TensorType) -> TensorType:
    matrix("geqrf", a)
    return packed_type(a, reflector_shapes(a.shape))


def _geqrf(a: Array) -> Array:
    reflectors, factors = np.linalg.qr(a, "raw")
    return pack([np.swapaxes(reflectors, -1, -2), factors], a.dtype)


geqrf = Op("geqrf", _geqrf_type, quietly(_geqrf), lower=Host())


# -- LU -----------------------------------------------------------------------------------------


def lu_shapes(shape: Shape) -> tuple[Shape, Shape]:
    """Return the shapes of both factors in one matrix, and of the pivots."""
    return shape, (*shape[:-2], min(shape[-2:]))


def _lu_type(a: TensorType, *, pivot: bool) -> TensorType:
    matrix("lu_factor", a)
    return packed_type(a, lu_shapes(a.shape))


def _lu(a: Array, *, pivot: bool) -> Array:
    return pack(host_linalg.lu(a, pivot), a.dtype)  # pivots below 2^24, so exact in float32


def _lu_grad(g: Any, y: Any, a: Any, *, pivot: bool) -> tuple[Any]:
    shapes = lu_shapes(tuple(a.shape))
    both, pivots = unpack(y, shapes)
    g_both, _ = unpack(g, shapes)
    m, n = a.shape[-2:]
    size = min(m, n)
    gl, gu = strictly_lower(left(g_both, size)), upper(top(g_both, size))
    square_part = left(top(both, size), size)
    below, beyond = bottom(left(both, size), size), right(top(both, size), size)
    if m > n:
        g_below = _over_upper(square_part, bottom(gl, size))
        gu = sub(gu, product(transposed(below), g_below))
        found = upon(_lu_grad_square(square_part, top(gl, size), gu), g_below)
    elif m < n:
        g_beyond = _over_lower(square_part, right(gu, size))
        gl = sub(gl, strictly_lower(product(g_beyond, transposed(beyond))))
        found = beside(_lu_grad_square(square_part, gl, left(gu, size)), g_beyond)
    else:
        found = _lu_grad_square(square_part, gl, gu)
    return (_rows_back(found, pivots) if pivot else found,)


def _lu_grad_square(both: Any, gl: Any, gu: Any) -> Any:
    """Return L^-T (tril(L^T gl, -1) + triu(gu U^T)) U^-T."""
    unit = add(strictly_lower(both), diagonal_only(full_like(both, value=1)))
    inner = add(
        strictly_lower(product(transposed(unit), gl)),
        upper(product(gu, transposed(upper(both)))),
    )
    return _over_lower(both, _over_upper(both, inner))


def _over_upper(both: Any, x: Any) -> Any:
    """Return x U^-T."""
    found = solve_triangular(both, transposed(x), upper=True, unitriangular=False)
    return transposed(found)


def _over_lower(both: Any, x: Any) -> Any:
    """Return L^-T x."""
    return solve_triangular(transposed(both), x, upper=True, unitriangular=True)


def _rows_back(x: Any, pivots: Any) -> Any:
    """Return the rows of x where the factors' rows came from."""
    *batch, m, _ = x.shape
    order = permutation(cast(real_part(pivots), dtype=int64), rows=m)
    shape = (*batch, m, m)
    came = expand(reshape(order, shape=(*batch, 1, m)), shape=shape)
    chosen = eq(iota_like(came, axis=len(shape) - 2), came)
    return product(as_dtype_of(cast(chosen, dtype=x.dtype.to_real()), x), x)


def _permutation_type(pivots: TensorType, *, rows: int) -> TensorType:
    check.kind("permutation", ("int",), pivots)
    check.rank_at_least("permutation", 1, pivots)
    return TensorType(int64, (*pivots.shape[:-1], rows))


lu = Op("linalg.lu_factor", _lu_type, quietly(_lu), holomorphic(_lu_grad), Host(), keeps=(-1,))
permutation = Op("permutation", _permutation_type, host_linalg.permutation, lower=Host())

OPS = (cholesky, bad_minor, qr, geqrf, lu, permutation)
