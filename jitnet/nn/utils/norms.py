"""Weights divided by a norm: weight norm and spectral norm, as formulas."""

from __future__ import annotations

import jitnet.functional as F
from jitnet import creation
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor


def norm_except_dim(v: Tensor, pow: int = 2, dim: int | None = 0) -> Tensor:
    """Return the norms of v's slices along dim, broadcastable over v; None: of all of v."""
    if dim is None or dim == -1:
        return F.norm(v, pow)
    axes = tuple(axis for axis in range(v.dim()) if axis != dim % v.dim())
    return F.norm(v, pow, axes, keepdim=True) if axes else F.abs(v)


def with_norm(v: Tensor, g: Tensor, dim: int | None) -> Tensor:
    """Return v with its slices' norms set to g."""
    return v * (g / norm_except_dim(v, 2, dim))


def rows(weight: Tensor, dim: int) -> Tensor:
    """Return weight as a matrix whose rows are its slices along dim."""
    if dim:
        weight = weight.movedim(dim, 0)
    return weight.reshape(weight.shape[0], -1)


def start(weight: Tensor, dim: int, eps: float, steps: int = 15) -> tuple[Tensor, Tensor]:
    """Return first singular vectors u and v of a weight's rows, after some steps from random."""
    with no_grad():
        matrix = rows(weight.detach(), dim)
        u = F.normalize(
            creation.randn(matrix.shape[0], dtype=matrix.dtype, device=matrix.device),
            dim=0,
            eps=eps,
        )
        v = F.normalize(
            creation.randn(matrix.shape[1], dtype=matrix.dtype, device=matrix.device),
            dim=0,
            eps=eps,
        )
        improve(matrix, u, v, steps, eps)
    return u, v


def improve(matrix: Tensor, u: Tensor, v: Tensor, steps: int, eps: float) -> None:
    """Write better singular vectors over u and v, by the power method."""
    with no_grad():
        for _ in range(steps):
            u.copy_(F.normalize(F.mv(matrix.detach(), v), dim=0, eps=eps))
            v.copy_(F.normalize(F.mv(matrix.detach().t(), u), dim=0, eps=eps))


def by_spectrum(weight: Tensor, u: Tensor, v: Tensor, dim: int) -> Tensor:
    """Return weight divided by its largest singular value, as u and v measure it."""
    sigma = F.dot(u.clone(), F.mv(rows(weight, dim), v.clone()))
    return weight / sigma
