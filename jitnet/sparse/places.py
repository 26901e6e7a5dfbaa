"""Arithmetic of coordinates: flat indices, and coordinates from them."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.dims import contiguous_strides

from .. import creation
from .. import functional as F
from ..tensor import Tensor


def flat_places(places: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return where coordinates [dims, n] lie in a contiguous tensor of these sizes, [n]."""
    flat = creation.zeros(places._type.shape[1], dtype=places.dtype, device=places.device)
    for row, step in zip(places, contiguous_strides(tuple(sizes)), strict=True):
        flat = flat + row * step
    return flat


def coordinates(flat: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the coordinates [dims, n] of flat indices [n]."""
    if not sizes:
        return creation.zeros((0, flat._type.numel), dtype=flat.dtype, device=flat.device)
    steps = contiguous_strides(tuple(sizes))
    rows = [flat // step % max(size, 1) for size, step in zip(sizes, steps, strict=True)]
    return F.stack(rows)  # type: ignore[no-any-return]


def starts_of(rows: Tensor, count: int) -> Tensor:
    """Return where each of `count` rows begins among row numbers in order, and how many there are.

    rows: [n].  Result: [count + 1].
    """
    counts = creation.zeros(count + 1, dtype=rows.dtype, device=rows.device)
    return F.cumsum(F.index_add(counts, 0, rows + 1, creation.ones_like(rows)), 0)


def rows_of(starts: Tensor, found: int) -> Tensor:
    """Return the row number of each of `found` elements, given where rows begin."""
    begun = creation.zeros(found + 1, dtype=starts.dtype, device=starts.device)
    inner = starts[1:-1]
    return F.cumsum(F.index_add(begun, 0, inner, creation.ones_like(inner)), 0)[:found]
