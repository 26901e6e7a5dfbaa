"""What a mask chooses and which elements differ, found by ops where the tensor is.

For tensors on a GPU: running sums say how many there are, the only number that the host waits for;
a binary search in them finds each. On the CPU NumPy is asked instead.
"""

from __future__ import annotations

from typing import NamedTuple

from jitnet.runtime.dtype import float32, float64, int64

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .joining import cat, stack


class Distinct(NamedTuple):
    """Different elements in order; where each is first; which each element is; how often."""

    values: Tensor
    first: Tensor
    inverse: Tensor
    counts: Tensor


def held_places(mask: Tensor) -> Tensor:
    """Return where elements are not 0, as places among all, in order: int64 [count]."""
    until = mask.reshape(-1).ne(0).cumsum(0, dtype=int64)
    return _passed(until, 1)


def held_rows(mask: Tensor) -> Tensor:
    """Return where elements are not 0, as coordinates: int64 [count, dims]."""
    lines = held_coordinates(mask)
    rank = len(mask._type.shape)
    return stack(list(lines), 1) if rank else lines[0].reshape(-1, 1)[:, :0]  # type: ignore[no-any-return]


def held_coordinates(mask: Tensor) -> tuple[Tensor, ...]:
    """Return where elements are not 0, one vector for each dim."""
    place = held_places(mask)
    found = []
    for size in reversed(mask._type.shape or (1,)):
        found.append(place % max(size, 1))
        place = place // max(size, 1)
    return tuple(found[::-1])


def repeated_places(counts: Tensor) -> Tensor:
    """Return 0 as often as the first of counts says, 1 as often as the second says, ..."""
    if counts._type.numel and counts.min().item() < 0:
        raise RuntimeError(at_line("repeats can not be negative"))
    return _passed(counts.cumsum(0, dtype=int64), 0)


def _passed(until: Tensor, first: int) -> Tensor:
    """Return how many of the rising numbers each of first, first + 1, ... has passed."""
    from .sorting import searchsorted

    count = int(until[-1].item()) if until._type.numel else 0
    wanted = creation.arange(first, first + count, device=until.device)
    return searchsorted(until, wanted, right=first == 0)  # type: ignore[no-any-return]


def runs(x: Tensor, nan_is_one: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return where each run of equal elements of a line begins, each one's run, runs' lengths."""
    size = x._type.shape[0]
    fresh = x[1:].ne(x[:-1])
    if nan_is_one and x._type.dtype.is_inexact:
        fresh = fresh.logical_and(x[1:].isnan().logical_and(x[:-1].isnan()).logical_not())
    one = creation.ones(min(size, 1), dtype=fresh.dtype, device=x.device)
    fresh = cat([one, fresh]) if size else one
    begins = held_places(fresh)
    ends = cat([begins[1:], creation.full((min(size, 1),), size, device=x.device)])
    return begins, fresh.cumsum(0, dtype=int64) - 1, ends - begins


def distinct(x: Tensor, nan_is_one: bool) -> Distinct:
    """Return the different elements; NaNs are one, or each one of its own."""
    order = x.reshape(-1).argsort(stable=True)
    line = x.reshape(-1)[order]
    begins, run, counts = runs(line, nan_is_one)
    inverse = run[order.argsort()].reshape(x._type.shape)
    return Distinct(line[begins], order[begins], inverse, counts)


def occurrences(x: Tensor, weights: Tensor | None, minlength: int) -> Tensor:
    """Return how often 0, 1, ... occur in a line of whole numbers, or the sums of their weights."""
    from .sorting import searchsorted

    low, high = (x.min().item(), x.max().item()) if x._type.numel else (0, -1)
    if low < 0:
        raise RuntimeError(at_line(f"bincount wants numbers >= 0, got {low}"))
    length = max(minlength, high + 1)
    if weights is not None:
        dtype = float32 if weights.dtype is float32 else float64
        zeros = creation.zeros(length, dtype=dtype, device=x.device)
        return zeros.index_add(0, x, weights.to(dtype))  # type: ignore[no-any-return]
    edges = creation.arange(length + 1, device=x.device)
    before = searchsorted(x.to(int64).sort()[0], edges)
    return before[1:] - before[:-1]  # type: ignore[no-any-return]
