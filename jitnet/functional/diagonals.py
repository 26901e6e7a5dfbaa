"""Triangles and diagonals of matrices."""

from __future__ import annotations

from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType, bool_, int64

from .. import creation
from ..device import home
from ..errors import DTypeError, at_line
from ..tensor import Tensor, strides_of
from .joining import span
from .out import with_out
from .precision import autocast_widens, rounded_once
from .promote import normal_dim
from .shape import expand, movedim, reshape, transpose, unsqueeze
from .unary import clone

__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal", "trace", "tril", "tril_indices", "triu",
    "triu_indices",
]  # fmt: skip

# -- diagonals and triangles --------------------------------------------------------------------


def _below(x: Tensor, diagonal: int) -> Tensor:
    """Return where column <= row + diagonal, for the last two dims."""
    if x.ndim < 2:
        raise RuntimeError(at_line(f"tril and triu want at least 2 dims, got {x._type}"))
    shape = x._type.shape[-2:]
    row, column = creation.counting(shape, 0), creation.counting(shape, 1)
    return column.le(row + diagonal)  # type: ignore[no-any-return]


@with_out
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return the lower triangle, 0 above the diagonal."""
    return _kept(_below(input, diagonal), input)


@with_out
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return the upper triangle, 0 below the diagonal."""
    return _kept(~_below(input, diagonal - 1), input)


def _kept(mask: Tensor, x: Tensor) -> Tensor:
    """Return x where mask holds, 0 of its dtype elsewhere."""
    from .choice import where

    return where(mask, x, False if x._type.dtype is bool_ else 0)  # type: ignore[no-any-return]


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return the diagonal of two dims as last dim: a view where memory allows."""
    a, b = normal_dim(dim1, input.ndim), normal_dim(dim2, input.ndim)
    x = movedim(input, (a, b), (-2, -1))
    rows, columns = x._type.shape[-2:]
    *_, down, right = strides_of(x)
    if right == rows * down:  # a transposed matrix: as a view, its dims join in this order only
        x, offset, rows, columns = transpose(x, -2, -1), -offset, columns, rows
    start = offset if offset >= 0 else -offset * columns
    count = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    if count == 0:
        start = 0
    batch = x._type.shape[:-2]
    flat = reshape(x, *batch, rows * columns)
    step = columns + 1
    stop = min(start + step * (count - 1) + 1, rows * columns) if count else start
    return span(flat, flat.ndim - 1, start, stop, step)


@with_out
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return a matrix's diagonal, or the matrix that has a vector on its diagonal."""
    if input.ndim == 2:
        return clone(_diagonal(input, diagonal))
    if input.ndim != 1:
        raise RuntimeError(at_line(f"diag wants a vector or a matrix, got {input._type}"))
    return diag_embed(input, diagonal)


_diagonal = diagonal


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return matrices (of dims dim1 and dim2) with the last dim of input on their diagonal."""
    first, second = (normal_dim(dim, input.ndim, extra=1) for dim in (dim1, dim2))
    if first == second:
        raise RuntimeError(at_line(f"diag_embed wants two dims, got {dim1} and {dim2}"))
    count = input._type.shape[-1]
    size = count + abs(offset)
    low, high = (max(-offset, 0), max(offset, 0)) if offset else (0, 0)
    shape = (size, size)
    row, column = creation.counting(shape, 0), creation.counting(shape, 1)
    on = column.eq(row + offset)
    rank = input.ndim
    line = ops.pad(
        input,
        low=(0,) * (rank - 1) + (low,),
        high=(0,) * (rank - 1) + (high,),
        value=0,
    )
    made = _kept(on, expand(unsqueeze(line, -1), *line._type.shape, size))
    return movedim(made, (-2, -1), (first, second))


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return the matrix that has all elements on its diagonal."""
    return diag_embed(input.reshape(-1), offset)


@autocast_widens
@rounded_once
def trace(input: Tensor) -> Tensor:
    """Return the sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError(at_line(f"trace wants a matrix, got {input._type}"))
    return diagonal(input).sum()  # type: ignore[no-any-return]


def _indices(row: int, col: int, offset: int, dtype: DType | None, lower: bool) -> Tensor:
    import numpy as np

    if row < 0 or col < 0:
        raise RuntimeError(at_line(f"a triangle wants sizes >= 0, got {row} and {col}"))
    if dtype is not None and dtype.kind not in ("int", "uint"):
        raise DTypeError(at_line(f"indices are whole numbers, not {dtype.name}"))
    find = np.tril_indices if lower else np.triu_indices
    rows, columns = find(row, offset, col)
    return creation.literal(np.stack([rows, columns]).astype((dtype or int64).numpy))


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    layout: Any = None,
) -> Tensor:
    """Return the places of the lower triangle, [2, count]."""
    return creation.on_device(_indices(row, col, offset, dtype, lower=True), home(device))


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    layout: Any = None,
) -> Tensor:
    """Return the places of the upper triangle, [2, count]."""
    return creation.on_device(_indices(row, col, offset, dtype, lower=False), home(device))
