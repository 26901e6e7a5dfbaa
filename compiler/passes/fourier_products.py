"""Short Fourier transforms as products with constant matrices, on pairs as memory holds them.

A complex transform of n points is one real product: rows of 2 n floats, parts side by side, times a
matrix [2 n, 2 n]. Longer ones are NumPy's, whose count of operations grows more slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ir.graph import Node, make
from jitnet.compiler.ops.movement import inverse as undone

from .complex_rules import Pair, joined, taken_apart

MOST_COMPLEX = 32  # points of a transform that is a product: beyond, the host is as fast
MOST_REAL = 64

Matrix = np.ndarray


def transform(z: Pair, axes: Sequence[int], inverse: bool) -> Pair | None:
    """Return fourier(z), or None where some dim is too long for a product."""
    sizes = [z.re.shape[axis] for axis in axes]
    if not sizes or not 0 < min(sizes) <= max(sizes) <= MOST_COMPLEX:
        return None
    whole = joined(z)
    for axis, size in zip(axes, sizes, strict=True):
        whole = _along(whole, axis, 2, _complex_matrix(size, inverse), 2)
    return taken_apart(whole)


def half_transform(x: Node, axis: int) -> Pair | None:
    """Return half_fourier(x), or None where the dim is too long."""
    size = x.shape[axis]
    if not 0 < size <= MOST_REAL:
        return None
    cos, sin = _waves(size, size, size // 2 + 1)
    return taken_apart(_along(x, axis, 1, _columns(cos, -sin), 2))


def half_inverse(z: Pair, axis: int, size: int) -> Node | None:
    """Return half_inverse(z), or None where the dim is too long."""
    if not 0 < size <= MOST_REAL:
        return None
    count = size // 2 + 1
    cos, sin = _waves(size, count, size)
    weight = np.full((count, 1), 2.0)  # for the frequency and its mirror image
    weight[0] = 1.0
    if size % 2 == 0:
        weight[-1] = 1.0
    rows = _columns((weight * cos).T, (-weight * sin).T).T
    return _along(joined(z), axis, 2, rows, 1)


def _waves(size: int, rows: int, columns: int) -> tuple[Matrix, Matrix]:
    """Return the cosines and sines of 2 pi j k / size, exact where they are 0 or 1."""
    turns = np.outer(np.arange(rows), np.arange(columns)) % size
    quarter = (4 * turns) % size == 0
    angle = 2 * math.pi * turns / size
    cos, sin = np.cos(angle), np.sin(angle)
    return np.where(quarter, np.rint(cos), cos), np.where(quarter, np.rint(sin), sin)


def _columns(first: Matrix, second: Matrix) -> Matrix:
    """Return the columns of two matrices in turns."""
    return np.stack([first, second], -1).reshape(len(first), -1)


def _complex_matrix(size: int, inverse: bool) -> Matrix:
    """Return the matrix that turns rows of pairs into rows of pairs."""
    cos, sin = _waves(size, size, size)
    sin = sin if inverse else -sin
    of_real, of_imaginary = _columns(cos, sin), _columns(-sin, cos)
    return np.stack([of_real, of_imaginary], 1).reshape(2 * size, 2 * size)


def _along(x: Node, axis: int, width: int, matrix: Matrix, gives: int) -> Node:
    """Multiply lines along a dim by a matrix; width and gives: floats of each element, 1 or 2."""
    rank = len(x.shape) - (width == 2)
    order = (*(dim for dim in range(rank) if dim != axis), axis)
    rest = tuple(x.shape[dim] for dim in order[:-1])
    moved = _permuted(x, (*order, *range(rank, len(x.shape))))
    rows = ops.reshape(moved, shape=(numel(rest), x.shape[axis] * width))
    factor = make(ops.constant, value=np.ascontiguousarray(matrix.astype(x.dtype.numpy)))
    found = ops.matmul(rows, factor)
    last = (gives,) if gives == 2 else ()
    apart = ops.reshape(found, shape=(*rest, matrix.shape[1] // gives, *last))
    back = (*undone(order), *range(rank, rank + len(last)))
    return _permuted(apart, back)


def _permuted(x: Node, axes: tuple[int, ...]) -> Node:
    return x if axes == tuple(range(len(axes))) else ops.permute(x, axes=axes)
