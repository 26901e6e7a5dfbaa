"""Triangular matrices: the Cholesky factor and systems, one step a row, in terms of other ops.

So they compile and have gradients as they stand; meant for matrices of up to some hundred rows.
"""

from __future__ import annotations

from typing import Any

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .joining import cat, stack
from .padding import pad
from .promote import need_float
from .unary import sqrt


def _square(name: str, x: Tensor) -> int:
    need_float(name, x)
    if x.ndim < 2 or x._type.shape[-1] != x._type.shape[-2]:
        raise ShapeError(at_line(f"{name} wants square matrices [..., N, N], got {x._type}"))
    return x._type.shape[-1]


def cholesky(input: Tensor, *, upper: bool = False) -> Tensor:
    """Return the triangular L with L @ L.mT = input, symmetric and positive definite [..., N, N].

    RuntimeError where a matrix is not positive definite; compiled, NaN.
    """
    size = _square("cholesky", input)
    input = (input + input.mT) * 0.5  # so that the gradient is symmetric, as PyTorch's
    columns: list[Tensor] = []
    for j in range(size):
        column = input[..., j:, j]
        for i, before in enumerate(columns):
            row = before[..., j - i : j - i + 1]
            column = column - before[..., j - i :] * row
        pivot = column[..., :1]
        if not creation.tracing() and not (pivot.detach() > 0).all().item():
            raise RuntimeError(
                at_line(
                    f"cholesky: the leading minor of order {j + 1} is not positive-definite; add "
                    "a small number to the diagonal"
                )
            )
        columns.append(column / sqrt(pivot))
    if not columns:
        return input.clone()  # type: ignore[no-any-return]
    lower = stack([pad(column, (j, 0)) for j, column in enumerate(columns)], -1)
    return lower.mT if upper else lower


def solve_triangular(
    input: Tensor,
    B: Tensor,  # noqa: N803
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Tensor:
    """Return X with input @ X = B (or X @ input = B, left=False), input triangular [..., N, N]."""
    size = _square("solve_triangular", input)
    if not left:
        return solve_triangular(input.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT  # type: ignore[no-any-return]
    if B.ndim < 2 or B._type.shape[-2] != size:
        raise ShapeError(
            at_line(f"solve_triangular wants B [..., {size}, K] for {input._type}, got {B._type}")
        )
    order = list(range(size - 1, -1, -1)) if upper else list(range(size))
    rows: dict[int, Any] = {}
    for done, i in enumerate(order):
        row = B[..., i : i + 1, :]
        if done:
            known = cat([rows[j] for j in sorted(rows)], -2)
            factors = input[..., i : i + 1, min(rows) : max(rows) + 1]
            row = row - factors @ known
        rows[i] = row if unitriangular else row / input[..., i : i + 1, i : i + 1]
    return cat([rows[i] for i in range(size)], -2) if rows else B.clone()  # type: ignore[no-any-return]
