"""Pooling undone: what max_pool found, back at its places."""

from __future__ import annotations

from typing import Any

from jitnet.compiler.ir.dims import numel

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .pooling import _spatial, _window


def _max_unpool(
    rank: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Any,
) -> Tensor:
    """Put pooled elements back where they were; 0 elsewhere."""
    name = f"max_unpool{rank}d"
    image = _spatial(input, rank, name)
    if indices._type.shape != input._type.shape:
        raise ShapeError(at_line(f"{name}: {input._type} and indices {indices._type} differ"))
    window = _window(rank, kernel_size, stride, padding, 1, False, name)
    if output_size is None:
        sizes = tuple(
            (size - 1) * step - 2 * pad + k
            for size, step, pad, k in zip(
                image, window["stride"], window["padding"], window["kernel"], strict=True
            )
        )
    else:
        sizes = tuple(output_size)[-rank:]
    lead = input._type.shape[: input.ndim - rank]
    flat = creation.zeros(*lead, numel(sizes), dtype=input._type.dtype, device=input.device)
    places, found = indices.flatten(len(lead)), input.flatten(len(lead))
    return flat.scatter(-1, places, found).reshape(*lead, *sizes)  # type: ignore[no-any-return]


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return what max_pool1d(return_indices=True) was given, 0 where nothing was largest."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return what max_pool2d(return_indices=True) was given, 0 where nothing was largest."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return what max_pool3d(return_indices=True) was given, 0 where nothing was largest."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
