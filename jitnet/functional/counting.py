"""Runs and places of elements: shapes that depend on data, so mostly eager."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import convert

from .. import capture, creation
from ..errors import at_line
from ..tensor import Tensor
from .choice import where
from .joining import cat, stack
from .promote import normal_dim
from .selecting import runs
from .sorting import _comparable

__all__ = ["nonzero_static", "unique_consecutive"]


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the first of each run of equal elements (or parts along dim); eager only."""
    capture.refuse("unique_consecutive() (a shape that depends on data)", "call it outside")
    if creation.unread(input) and dim is None:
        return _runs_of(input, return_inverse, return_counts)
    array = _comparable(input)
    axis = None if dim is None else normal_dim(dim, input.ndim)
    lines = array.reshape(-1, 1) if axis is None else np.moveaxis(array, axis, 0)
    rows = lines.reshape(lines.shape[0], numel(lines.shape[1:]))
    fresh = np.ones(rows.shape[0], bool)
    fresh[1:] = (rows[1:] != rows[:-1]).any(1)
    kept = lines[fresh].reshape(-1) if axis is None else np.moveaxis(lines[fresh], 0, axis)
    found = [Tensor._from_array(convert(np.ascontiguousarray(kept), input._type.dtype))]
    run = np.cumsum(fresh, dtype=np.int64) - 1
    if return_inverse:
        found.append(Tensor._from_array(run.reshape(input._type.shape) if axis is None else run))
    if return_counts:
        counts = np.bincount(run, minlength=int(fresh.sum())).astype(np.int64)
        found.append(Tensor._from_array(counts))
    return tuple(found) if len(found) > 1 else found[0]


def _runs_of(x: Tensor, return_inverse: bool, return_counts: bool) -> Any:
    begins, run, lengths = runs(x.reshape(-1), nan_is_one=False)
    found = [x.reshape(-1)[begins]]
    if return_inverse:
        found.append(run.reshape(x._type.shape))
    if return_counts:
        found.append(lengths)
    return tuple(found) if len(found) > 1 else found[0]


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Return the places of the first `size` elements that are not 0, then rows of fill_value."""
    if size < 0:
        raise RuntimeError(at_line(f"nonzero_static wants size >= 0, got {size}"))
    count = min(size, input._type.numel)
    held = input.reshape(-1).ne(0)
    rest = held.logical_not().argsort(stable=True)[:count]  # the places of what is not 0, first
    places = []
    for length in reversed(input._type.shape):
        places.append(rest % length)
        rest = rest // length
    found = stack(places[::-1], 1) if places else rest.new_zeros(count, 0)
    real = creation.counting((count,), 0).lt(held.sum()).unsqueeze(1)
    more = found.new_full((size - count, input.ndim), fill_value)
    return cat([where(real, found, fill_value), more], 0)
