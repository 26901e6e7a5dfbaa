"""Singular values and eigenvalues, which NumPy computes; several results lie in one flat value.

Gradients: Giles (2008) for symmetric matrices, Townsend, "Differentiating the Singular Value
Decomposition" (2016), and for all others Boeddeker et al. (2017), as named there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import host_linalg
from .complex_parts import conj, real
from .elementwise import add, mul, sub
from .factors import matrix
from .host_linalg import Array, quietly
from .leaves import full_like
from .matrices import (
    Shape,
    adjoint,
    as_dtype_of,
    diagonal_only,
    differences,
    divided,
    left,
    off_diagonal,
    over_columns,
    over_rows,
    pack,
    packed_type,
    product,
    skew,
    top,
    unpack,
    with_columns,
    with_rows,
)
from .reduce import sum
from .solving import solve, square

# -- singular values ----------------------------------------------------------------------------


def svd_shapes(shape: Shape, full: bool) -> tuple[Shape, Shape, Shape]:
    """Return the shapes of U, S and Vh."""
    *batch, m, n = shape
    size = min(m, n)
    u, vh = (m, n) if full else (size, size)
    return (*batch, m, u), (*batch, size), (*batch, vh, n)


def _svd_type(a: TensorType, *, full: bool) -> TensorType:
    matrix("svd", a)
    return packed_type(a, svd_shapes(a.shape, full))


def _svd(a: Array, *, full: bool) -> Array:
    try:
        return pack(np.linalg.svd(a, full_matrices=full), a.dtype)
    except np.linalg.LinAlgError:
        raise host_linalg.no_convergence("linalg.svd") from None


def _svd_grad(g: Any, y: Any, a: Any, *, full: bool) -> tuple[Any]:
    """With full matrices, of the columns and rows that belong to singular values."""
    shapes = svd_shapes(tuple(a.shape), full)
    size = shapes[1][-1]
    (u, s, vh), (gu, gs, gvh) = unpack(y, shapes), unpack(g, shapes)
    if full:
        u, gu, vh, gvh = left(u, size), left(gu, size), top(vh, size), top(gvh, size)
    return (_svd_grad_thin(u, s, vh, gu, gs, gvh),)


def _svd_grad_thin(u: Any, s: Any, vh: Any, gu: Any, gs: Any, gvh: Any) -> Any:
    m, size, n = u.shape[-2], s.shape[-1], vh.shape[-1]
    gaps = differences(mul(s, s))
    turned = skew(product(adjoint(u), gu))
    about_u = divided(off_diagonal(turned), gaps)
    about_v = divided(off_diagonal(skew(product(vh, adjoint(gvh)))), gaps)
    diagonal = with_rows(diagonal_only(full_like(gaps, value=1)), gs)
    if u.dtype.is_complex:  # vectors turn by a phase: of U's and V's together
        diagonal = add(diagonal, over_rows(diagonal_only(turned), add(s, s)))
    inner = add(add(with_columns(about_u, s), with_rows(about_v, s)), diagonal)
    if m > size:
        out = over_columns(gu, s)
        inner_u = add(product(u, inner), sub(out, product(u, adjoint(u), out)))
        return product(inner_u, vh)
    if n > size:
        out = over_rows(gvh, s)
        inner_v = add(product(inner, vh), sub(out, product(out, adjoint(vh), vh)))
        return product(u, inner_v)
    return product(u, inner, vh)


def _svdvals_type(a: TensorType) -> TensorType:
    batch, m, n = matrix("svdvals", a)
    return TensorType(a.dtype.to_real(), (*batch, min(m, n)))


def _svdvals(a: Array) -> Array:
    try:
        return np.asarray(np.linalg.svd(a, compute_uv=False), a.real.dtype)
    except np.linalg.LinAlgError:
        raise host_linalg.no_convergence("linalg.svdvals") from None


def _svdvals_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    u, _, vh = unpack(svd(a, full=False), svd_shapes(tuple(a.shape), False))
    return (product(with_columns(u, as_dtype_of(g, u)), vh),)


svd = Op("linalg.svd", _svd_type, quietly(_svd), _svd_grad, Host(), keeps=(-1,))
svdvals = Op("linalg.svdvals", _svdvals_type, quietly(_svdvals), _svdvals_grad, Host(), keeps=(0,))


# -- eigenvalues of symmetric matrices ----------------------------------------------------------


def eigh_shapes(shape: Shape) -> tuple[Shape, Shape]:
    """Return the shapes of the eigenvalues and the eigenvectors."""
    return shape[:-1], shape


def _eigh_type(a: TensorType, *, uplo: str) -> TensorType:
    return packed_type(a, eigh_shapes(square("eigh", a).shape))


def _eigh(a: Array, *, uplo: str) -> Array:
    try:
        return pack(np.linalg.eigh(a, "L" if uplo == "L" else "U"), a.dtype)
    except np.linalg.LinAlgError:
        raise host_linalg.no_convergence("linalg.eigh") from None


def _eigh_grad(g: Any, y: Any, a: Any, *, uplo: str) -> tuple[Any]:
    shapes = eigh_shapes(tuple(a.shape))
    (values, vectors), (g_values, g_vectors) = unpack(y, shapes), unpack(g, shapes)
    turned = adjoint(vectors)
    inner = divided(off_diagonal(product(turned, g_vectors)), differences(values))
    inner = add(inner, with_rows(diagonal_only(full_like(inner, value=1)), g_values))
    return (product(vectors, inner, turned),)


def _eigvalsh_type(a: TensorType, *, uplo: str) -> TensorType:
    return TensorType(a.dtype.to_real(), square("eigvalsh", a).shape[:-1])


def _eigvalsh(a: Array, *, uplo: str) -> Array:
    try:
        return np.asarray(np.linalg.eigvalsh(a, "L" if uplo == "L" else "U"), a.real.dtype)
    except np.linalg.LinAlgError:
        raise host_linalg.no_convergence("linalg.eigvalsh") from None


def _eigvalsh_grad(g: Any, y: Any, a: Any, *, uplo: str) -> tuple[Any]:
    _, vectors = unpack(eigh(a, uplo=uplo), eigh_shapes(tuple(a.shape)))
    weighted = with_columns(vectors, as_dtype_of(g, vectors))
    return (product(weighted, adjoint(vectors)),)


eigh = Op("linalg.eigh", _eigh_type, quietly(_eigh), _eigh_grad, Host(), keeps=(-1,))
eigvalsh = Op(
    "linalg.eigvalsh", _eigvalsh_type, quietly(_eigvalsh), _eigvalsh_grad, Host(), keeps=(0,)
)


# -- eigenvalues of any matrices ----------------------------------------------------------------


def _eig_type(a: TensorType) -> TensorType:
    kind = square("eig", a)
    return packed_type(TensorType(kind.dtype.to_complex(), kind.shape), eigh_shapes(kind.shape))


def _eig(a: Array) -> Array:
    try:
        return pack(np.linalg.eig(a), np.result_type(a.dtype, np.complex64))
    except np.linalg.LinAlgError:
        raise host_linalg.no_convergence("linalg.eig") from None


def _eig_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    """Boeddeker et al., "On the Computation of Complex-valued Gradients ..." (2017), 4.77."""
    shapes = eigh_shapes(tuple(a.shape))
    (values, vectors), (g_values, g_vectors) = unpack(y, shapes), unpack(g, shapes)
    turned = adjoint(vectors)
    inner = product(turned, g_vectors)
    # Each vector has the length 1, so that nothing changes along it.
    along = as_dtype_of(real(diagonal_of(inner)), inner)
    inner = sub(inner, with_columns(product(turned, vectors), along))
    inner = divided(off_diagonal(inner), conj(differences(values)))
    inner = add(inner, with_rows(diagonal_only(full_like(inner, value=1)), g_values))
    found = solve(turned, product(inner, turned))
    return (found if a.dtype.is_complex else real(found),)


def diagonal_of(x: Any) -> Any:
    """Return the diagonal of matrices, as vectors."""
    return sum(diagonal_only(x), axes=(len(x.shape) - 2,))


def _eigvals_type(a: TensorType) -> TensorType:
    kind = square("eigvals", a)
    return TensorType(kind.dtype.to_complex(), kind.shape[:-1])


def _eigvals(a: Array) -> Array:
    try:
        return np.asarray(np.linalg.eigvals(a), np.result_type(a.dtype, np.complex64))
    except np.linalg.LinAlgError:
        raise host_linalg.no_convergence("linalg.eigvals") from None


def _eigvals_grad(g: Any, y: Any, a: Any) -> tuple[Any]:
    _, vectors = unpack(eig(a), eigh_shapes(tuple(a.shape)))
    turned = adjoint(vectors)
    found = solve(turned, with_rows(turned, g))
    return (found if a.dtype.is_complex else real(found),)


eig = Op("linalg.eig", _eig_type, quietly(_eig), _eig_grad, Host(), keeps=(-1,))
eigvals = Op("linalg.eigvals", _eigvals_type, quietly(_eigvals), _eigvals_grad, Host(), keeps=(0,))

OPS = (svd, svdvals, eigh, eigvalsh, eig, eigvals)
