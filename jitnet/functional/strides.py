"""Elements of a tensor's memory at any strides: as_strided and its kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType

from .. import creation
from ..errors import at_line
from ..tensor import Tensor, strides_of
from ..tensors.strided import cut_view
from .out import with_out
from .unary import clone

__all__ = [
    "as_strided", "as_strided_copy", "as_strided_scatter", "empty_permuted", "empty_strided",
]  # fmt: skip


def _line(input: Tensor) -> tuple[Tensor, list[int]]:
    """Return the elements in the order of memory, and the order of dims that gives it."""
    steps = strides_of(input)
    order = sorted(range(input.ndim), key=lambda axis: -steps[axis])
    dense = input.permute(order)
    if not dense.is_contiguous():
        raise RuntimeError(
            at_line(f"as_strided wants a tensor without gaps, got {input._type} with {steps}")
        )
    return dense.reshape(-1), order


def _begin(input: Tensor) -> int:
    """Return where in memory a tensor begins; a base that is traced has its memory alone."""
    if creation.tracing() and input._base is None:
        return 0
    return input.storage_offset()  # type: ignore[no-any-return]


def _places(
    input: Tensor, size: Sequence[int], stride: Sequence[int], offset: int | None
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return size, stride and where to begin; RuntimeError for places that input has not."""
    sizes, steps = tuple(size), tuple(stride)
    start = 0 if offset is None else offset - _begin(input)
    if len(sizes) != len(steps):
        raise RuntimeError(at_line(f"as_strided wants a stride for each size: {sizes} and {steps}"))
    if min((*sizes, *steps), default=0) < 0:
        raise RuntimeError(at_line(f"as_strided wants numbers >= 0, got {sizes} and {steps}"))
    reach = 0 in sizes or start + sum((n - 1) * s for n, s in zip(sizes, steps, strict=True))
    if start < 0 or (reach is not True and reach >= input._type.numel):
        raise RuntimeError(
            at_line(f"as_strided reads what {input._type} itself holds, not place {reach}")
        )
    return sizes, steps, start


def _index(sizes: tuple[int, ...], steps: tuple[int, ...], start: int) -> Tensor:
    places = np.full(sizes, start, np.int64)
    for axis, (size, step) in enumerate(zip(sizes, steps, strict=True)):
        line = np.arange(size) * step
        places = places + line.reshape((-1,) + (1,) * (len(sizes) - axis - 1))
    return creation.literal(np.ascontiguousarray(places.reshape(-1)))


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Return the elements at these strides of memory: a view, unless places overlap.

    Where one element stands at several places, the result is a copy: writes do not reach input.
    """
    sizes, steps, start = _places(input, size, stride, storage_offset)
    line, _ = _line(input)
    found = cut_view(line, start, sizes, steps)
    if found is not None:
        return found
    return ops.reshape(ops.take(line, _index(sizes, steps, start), axis=0), shape=sizes)


@with_out
def as_strided_copy(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Return what as_strided gives, as a copy."""
    return clone(as_strided(input, size, stride, storage_offset))


@with_out
def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """Return input with src in the place of what as_strided gives."""
    sizes, steps, start = _places(input, size, stride, storage_offset)
    if src._type.shape != sizes:
        raise RuntimeError(
            at_line(f"as_strided_scatter wants src of shape {list(sizes)}, got {src._type}")
        )
    line, order = _line(input)
    places = _index(sizes, steps, start)
    done = ops.put(line, places, src.reshape(-1), axis=0, accumulate=False)
    moved = done.reshape([input._type.shape[axis] for axis in order])
    return moved.permute([order.index(axis) for axis in range(input.ndim)])  # type: ignore[no-any-return]


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return memory of the given sizes and strides; its content is not defined."""
    reach = 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    made = creation.empty(0 if 0 in size else reach, dtype=dtype, device=device)
    made = made.pin_memory() if pin_memory else made
    found = as_strided(made, size, stride).detach()
    return found.requires_grad_() if requires_grad else found  # type: ignore[no-any-return]


def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return memory of the given sizes, its dims in the order of physical_layout."""
    order = list(physical_layout)
    if sorted(order) != list(range(len(size))):
        raise RuntimeError(
            at_line(f"empty_permuted wants each of {len(size)} dims once, got {order}")
        )
    made = creation.empty([size[axis] for axis in order], dtype=dtype, device=device)
    made = made.pin_memory() if pin_memory else made
    made = made.permute([order.index(axis) for axis in range(len(size))]).detach()
    return made.requires_grad_() if requires_grad else made  # type: ignore[no-any-return]
