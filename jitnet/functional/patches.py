"""Patches of images and their channels: unfold, fold, sliding windows, pixel shuffling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ops.conv import Window

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .convolution import per_dim
from .promote import normal_dim

# -- channels and pixels ------------------------------------------------------------------------


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Return [..., C, H r, W r] from [..., C r^2, H, W]."""
    *batch, channels, height, width = input._type.shape
    r = upscale_factor
    if r <= 0 or channels % (r * r):
        raise ShapeError(
            at_line(f"pixel_shuffle wants channels that {r * r} divides, got {input._type}")
        )
    shape = (numel(batch), channels // (r * r), r, r, height, width)
    x = input.reshape(shape).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(*batch, channels // (r * r), height * r, width * r)  # type: ignore[no-any-return]


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Return [..., C r^2, H / r, W / r] from [..., C, H, W]."""
    *batch, channels, height, width = input._type.shape
    r = downscale_factor
    if r <= 0 or height % r or width % r:
        raise ShapeError(at_line(f"pixel_unshuffle wants sizes {r} divides, got {input._type}"))
    shape = (numel(batch), channels, height // r, r, width // r, r)
    x = input.reshape(shape).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(*batch, channels * r * r, height // r, width // r)  # type: ignore[no-any-return]


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return the channels of `groups` groups, taken in turns."""
    batch, channels, *image = input._type.shape
    if channels % groups:
        raise ShapeError(at_line(f"channel_shuffle wants channels that {groups} divides"))
    x = input.reshape(batch, groups, channels // groups, *image)
    return x.transpose(1, 2).reshape(batch, channels, *image)  # type: ignore[no-any-return]


# -- windows ------------------------------------------------------------------------------------


def windows(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return Tensor.unfold: windows of `size` along a dim, `step` apart, in a new last dim.

    PyTorch's result is a view of its input; this one is a copy.
    """
    axis = normal_dim(dimension, max(input.ndim, 1))
    x = input if input.ndim else input.reshape(1)
    length = x._type.shape[axis]
    if not 0 <= size <= length:
        raise RuntimeError(
            at_line(f"unfold wants a size of at most {length}, dim {axis} of {x._type}; got {size}")
        )
    if step <= 0:
        raise RuntimeError(at_line(f"unfold wants a step > 0, got {step}"))
    starts = np.arange((length - size) // step + 1) * step
    places = creation.literal((starts[:, None] + np.arange(size)).astype(np.int64))
    found = ops.take(x, places, axis=axis).movedim(axis + 1, -1)
    return found if input.ndim else found.reshape(size)  # type: ignore[no-any-return]


# -- columns of patches -------------------------------------------------------------------------


def _walk(
    kernel_size: Any, dilation: Any, padding: Any, stride: Any, name: str
) -> tuple[Window, tuple[int, int]]:
    kernel = per_dim(kernel_size, 2, f"{name}'s kernel_size")
    around = per_dim(padding, 2, f"{name}'s padding")
    window = Window(
        kernel,
        per_dim(stride, 2, f"{name}'s stride"),
        tuple((size, size) for size in around),
        per_dim(dilation, 2, f"{name}'s dilation"),
    )
    return window, around  # type: ignore[return-value]


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Return the patches of [N, C, H, W] as columns: [N, C * taps, places]."""
    if input.ndim not in (3, 4):
        raise ShapeError(at_line(f"unfold wants [N, C, H, W] or [C, H, W], got {input._type}"))
    x = input if input.ndim == 4 else input.unsqueeze(0)
    window, around = _walk(kernel_size, dilation, padding, stride, "unfold")
    out = window.out_shape(x._type.shape[2:])
    if min(out) < 1:
        raise ShapeError(at_line(f"unfold: kernel {window.kernel} is larger than the image"))
    low = (0, 0, *around)
    wide = ops.pad(x, low=low, high=low, value=0)
    batch, channels = x._type.shape[:2]
    parts = [
        ops.slice(wide, **_bounds(window, offsets, out, (batch, channels)))
        for offsets in np.ndindex(*window.kernel)
    ]
    joined = ops.concat(*(part.unsqueeze(2) for part in parts), axis=2)
    columns = joined.reshape(batch, channels * numel(window.kernel), numel(out))
    return columns if input.ndim == 4 else columns.squeeze(0)  # type: ignore[no-any-return]


def _bounds(
    window: Window, offsets: Sequence[int], out: Sequence[int], lead: tuple[int, ...]
) -> dict[str, Any]:
    """Return the slice of the padded image that one tap meets; lead: the batch and channels."""
    starts = [step * offset for step, offset in zip(window.dilation, offsets, strict=True)]
    stops = [
        start + step * (count - 1) + 1
        for start, step, count in zip(starts, window.stride, out, strict=True)
    ]
    return {
        "starts": (0, 0, *starts),
        "stops": (*lead, *stops),
        "steps": (1, 1, *window.stride),
    }


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Return the image whose patches add up to the columns: what unfold's gradient does."""
    x = input if input.ndim == 3 else input.unsqueeze(0)
    window, around = _walk(kernel_size, dilation, padding, stride, "fold")
    image = per_dim(output_size, 2, "fold's output_size")
    out, taps = window.out_shape(image), numel(window.kernel)
    batch, rows, places = x._type.shape
    if rows % taps or places != numel(out):
        raise ShapeError(
            at_line(f"fold wants [N, C * {taps}, {numel(out)}] for these sizes, got {input._type}")
        )
    channels = rows // taps
    parts = x.reshape(batch, channels, taps, *out)
    sizes = tuple(size + 2 * more for size, more in zip(image, around, strict=True))
    total: Tensor | None = None
    for number, offsets in enumerate(np.ndindex(*window.kernel)):
        bounds = _bounds(window, offsets, out, (batch, channels))
        empty = creation.zeros(batch, channels, *sizes, dtype=x._type.dtype, device=x.device)
        placed = ops.slice_assign(empty, parts.select(2, number), **bounds)
        total = placed if total is None else total + placed
    assert total is not None
    inside = tuple(slice(more, more + size) for size, more in zip(image, around, strict=True))
    result = total[(slice(None), slice(None), *inside)]
    return result if input.ndim == 3 else result.squeeze(0)
