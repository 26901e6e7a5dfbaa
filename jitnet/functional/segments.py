"""Reductions of runs of neighbours along one dim."""

from __future__ import annotations

import math
from typing import Any

from jitnet.runtime.dtype import int64

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .choice import where
from .joining import narrow
from .promote import normal_dim
from .running import cumsum
from .scattering import scatter_reduce

__all__ = ["segment_reduce"]

_STARTS = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
_SCATTERED = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}


def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Tensor:
    """Return the "sum", "mean", "max", "min" or "prod" of each segment of data along axis.

    lengths: [*data.shape[:axis], segments], of the segments, which follow each other; or
    offsets: [..., segments + 1], where they begin, and the end.  unsafe: do not look whether they
    make up the whole dim.  initial: what each reduction starts with.
    """
    if reduce not in _STARTS:
        raise RuntimeError(at_line(f"segment_reduce wants one of {list(_STARTS)}, got {reduce!r}"))
    dim = normal_dim(axis, len(data._type.shape))
    ends, counts = _segments(data, dim, lengths, offsets, unsafe)
    size, batch = data._type.shape[dim], data._type.shape[:dim]
    # The number of each place's segment: how many have ended there or before.
    begun = creation.zeros((*batch, size + 1), dtype=int64, device=data.device)
    begun = begun.scatter_add(dim, ends, creation.ones_like(ends))
    places = cumsum(begun, dim)[..., :size]
    rest = (1,) * (len(data._type.shape) - dim - 1)
    places = places.reshape(*places.shape, *rest).expand(data._type.shape)
    count = ends._type.shape[-1]
    shape = (*batch, count + 1, *data._type.shape[dim + 1 :])
    start = _STARTS[reduce] if initial is None else initial
    made = creation.full(shape, start, dtype=data.dtype, device=data.device)
    made = scatter_reduce(made, dim, places, data, _SCATTERED[reduce])
    made = narrow(made, dim, 0, count)  # the last one is of what no segment has
    if reduce != "mean":
        return made
    each = counts.reshape(*counts.shape, *rest).to(data.dtype)
    empty = math.nan if initial is None else initial
    return where(each > 0, made / each, empty)  # type: ignore[no-any-return]


def _segments(
    data: Tensor, dim: int, lengths: Tensor | None, offsets: Tensor | None, unsafe: bool
) -> tuple[Tensor, Tensor]:
    """Return where segments end, and how long they are."""
    given = lengths if lengths is not None else offsets
    if given is None:
        raise RuntimeError(at_line("segment_reduce: either lengths or offsets must be given"))
    if given._type.dtype.kind not in ("int", "uint"):
        raise TypeError(at_line(f"segment_reduce wants whole lengths, got {given._type}"))
    if given._type.shape[:-1] != data._type.shape[:dim] or len(given._type.shape) != dim + 1:
        raise ShapeError(
            at_line(
                f"segment_reduce along dim {dim} of {data._type} wants lengths or offsets of shape "
                f"{[*data._type.shape[:dim], 'n']}, got {given._type}"
            )
        )
    given = given.to(int64)
    counts = given if lengths is not None else given[..., 1:] - given[..., :-1]
    if not unsafe and not creation.unread(data):
        whole = counts.sum(-1) == data._type.shape[dim]
        begins = True if lengths is not None else bool((given[..., 0] == 0).all())
        if not begins or bool((counts < 0).any()) or not bool(whole.all()):
            raise RuntimeError(
                at_line(
                    f"segment_reduce wants segments of 0 or more that make up all "
                    f"{data._type.shape[dim]} of dim {dim}, got {given.tolist()}"
                )
            )
    return cumsum(counts, -1), counts
