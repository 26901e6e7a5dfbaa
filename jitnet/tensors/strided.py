"""A view of a line of elements with any strides, as the steps of slicing that make it."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..grad_mode import no_grad
from ..tensor import Tensor

Dim = tuple[int, int, int]  # size, stride, axis
_MOST_ROWS = 64  # in a step: a slice of every 64th row at most


def strided_view(
    line: Tensor, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Tensor:
    """Return the elements of a one-dimensional base at these places, sharing its memory.

    Strides that views cannot make, such as windows that overlap, give a tensor that shares memory
    as two `from_numpy` of one array do.
    """
    with no_grad():
        found = cut_view(line, offset, shape, strides)
        return _unknown(line, offset, shape, strides) if found is None else found


def cut_view(
    line: Tensor, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> Tensor | None:
    """Return the view of a line at these places; None where views cannot make it.

    Made of slices, reshapes and permutations, so that all that follows views (gradients, compiled
    code) knows what it shares.
    """
    if 0 in shape:
        return line[:0].reshape(shape)  # type: ignore[no-any-return]
    dims = [
        (size, step, axis)
        for axis, (size, step) in enumerate(zip(shape, strides, strict=True))
        if size != 1 and step != 0
    ]
    dims.sort(key=lambda dim: -dim[1])
    cut = _cut(line, offset, dims)
    if cut is None:
        return None
    order = [axis for _, _, axis in dims]
    moved = cut.permute([order.index(axis) for axis in sorted(order)])
    kept = [size if axis in order else 1 for axis, size in enumerate(shape)]
    return moved.reshape(kept).expand(shape)  # type: ignore[no-any-return]


def _cut(line: Tensor, offset: int, dims: list[Dim]) -> Tensor | None:
    """Return the elements with dims in the order of their strides, the largest first.

    Each dim is cut out of the last one, as rows of which the dims after it take a part.
    """
    sizes: tuple[int, ...] = ()
    for position, (size, step, _) in enumerate(dims):
        inner = 1 + sum((n - 1) * s for n, s, _ in dims[position + 1 :])
        if inner == 1:
            return line[..., offset : offset + (size - 1) * step + 1 : step]
        rows = _rows(line.shape[-1], offset, size, step, inner)
        if rows is None:
            return None
        start, every, width = rows
        count = (size - 1) * every + 1
        line = line[..., start : start + count * width].reshape((*sizes, count, width))
        line = line[..., ::every, :]
        sizes, offset = (*sizes, size), offset - start
    return line[..., offset : offset + 1].reshape(sizes)


def _rows(block: int, offset: int, size: int, step: int, inner: int) -> tuple[int, int, int] | None:
    """Return where rows begin, how many make a step, and their width; None if there are none.

    Every row that is looked at has `inner` elements from offset; none reaches out of the block.
    """
    for every in range(1, min(step // inner, _MOST_ROWS) + 1):
        width = step // every
        first = max(0, offset + inner - width)
        last = min(offset, block - ((size - 1) * every + 1) * width)
        if step % every == 0 and first <= last:
            return last, every, width
    return None


def _unknown(line: Tensor, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    array: np.ndarray = line._copied()
    steps = [step * array.itemsize for step in strides]
    return Tensor._from_array(as_strided(array[offset:], shape, steps))
