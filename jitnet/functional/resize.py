"""Images of other sizes: interpolation, pixel shuffling, patches."""

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
from .promote import need_float

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return [N, C, *spatial] with other spatial sizes: "nearest", "nearest-exact" or linear."""
    rank = input.ndim - 2
    if rank not in _LINEAR:
        raise ShapeError(at_line(f"interpolate wants [N, C, 1 to 3 spatial], got {input._type}"))
    if antialias:
        raise NotImplementedError(at_line("interpolate has no antialias"))
    known = ("nearest", "nearest-exact", _LINEAR[rank])
    if mode not in known:
        raise NotImplementedError(at_line(f"interpolate knows {known} here, got mode={mode!r}"))
    if align_corners is not None and mode.startswith("nearest"):
        raise ValueError(at_line("align_corners is for the linear modes"))
    image = input._type.shape[2:]
    sizes, scales = _sizes(image, size, scale_factor, bool(recompute_scale_factor))
    x = input
    for offset, (old, new, scale) in enumerate(zip(image, sizes, scales, strict=True)):
        if mode.startswith("nearest"):
            x = _nearest(x, 2 + offset, old, new, scale, mode == "nearest-exact")
        else:
            need_float("interpolate", x)
            x = _linear(x, 2 + offset, old, new, scale, bool(align_corners))
    return x


upsample = interpolate


def _sizes(
    image: tuple[int, ...], size: Any, factor: Any, recompute: bool
) -> tuple[tuple[int, ...], list[float]]:
    """Return the new sizes, and old / new for each dim as PyTorch takes it."""
    rank = len(image)
    if (size is None) == (factor is None):
        raise ValueError(at_line("interpolate wants either size or scale_factor"))
    if size is not None:
        sizes = per_dim(size, rank, "interpolate's size")
        return sizes, [old / new if new else 0.0 for old, new in zip(image, sizes, strict=True)]
    given = (factor,) * rank if isinstance(factor, int | float) else factor
    factors = [float(each) for each in given]
    sizes = tuple(int(old * by) for old, by in zip(image, factors, strict=True))
    if recompute:
        return sizes, [old / new for old, new in zip(image, sizes, strict=True)]
    return sizes, [1 / by for by in factors]


def _rows(x: Tensor, axis: int, places: np.ndarray) -> Tensor:
    return x.index_select(axis, creation.literal(places.astype(np.int64)))  # type: ignore[no-any-return]


def _nearest(x: Tensor, axis: int, old: int, new: int, scale: float, exact: bool) -> Tensor:
    steps = np.arange(new, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return _rows(x, axis, np.minimum(np.floor(steps * np.float32(scale)), old - 1))


def _linear(x: Tensor, axis: int, old: int, new: int, scale: float, corners: bool) -> Tensor:
    """Mix the two neighbours of each place along one axis."""
    steps = np.arange(new, dtype=np.float64)
    if corners:
        places = steps * ((old - 1) / (new - 1) if new > 1 else 0)
    else:
        places = np.maximum((steps + 0.5) * scale - 0.5, 0)
    low = np.minimum(np.floor(places), old - 1)
    high = np.minimum(low + 1, old - 1)
    shape = (new,) + (1,) * (x.ndim - axis - 1)
    weight = creation.literal((places - low).astype(x._type.dtype.numpy).reshape(shape))
    first, second = _rows(x, axis, low), _rows(x, axis, high)
    return first + (second - first) * weight


# -- channels and pixels ------------------------------------------------------------------------


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Return [..., C, H r, W r] from [..., C r^2, H, W]."""
    *batch, channels, height, width = input._type.shape
    r = upscale_factor
    if channels % (r * r):
        raise ShapeError(
            at_line(f"pixel_shuffle wants channels that {r * r} divides, got {input._type}")
        )
    x = input.reshape(-1, channels // (r * r), r, r, height, width).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(*batch, channels // (r * r), height * r, width * r)  # type: ignore[no-any-return]


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Return [..., C r^2, H / r, W / r] from [..., C, H, W]."""
    *batch, channels, height, width = input._type.shape
    r = downscale_factor
    if height % r or width % r:
        raise ShapeError(at_line(f"pixel_unshuffle wants sizes {r} divides, got {input._type}"))
    x = input.reshape(-1, channels, height // r, r, width // r, r).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(*batch, channels * r * r, height // r, width // r)  # type: ignore[no-any-return]


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return the channels of `groups` groups, taken in turns."""
    batch, channels, *image = input._type.shape
    if channels % groups:
        raise ShapeError(at_line(f"channel_shuffle wants channels that {groups} divides"))
    x = input.reshape(batch, groups, channels // groups, *image)
    return x.transpose(1, 2).reshape(batch, channels, *image)  # type: ignore[no-any-return]


# -- patches ------------------------------------------------------------------------------------


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
        empty = creation.zeros(batch, channels, *sizes, dtype=x._type.dtype)
        placed = ops.slice_assign(empty, parts.select(2, number), **bounds)
        total = placed if total is None else total + placed
    assert total is not None
    inside = tuple(slice(more, more + size) for size, more in zip(image, around, strict=True))
    result = total[(slice(None), slice(None), *inside)]
    return result if input.ndim == 3 else result.squeeze(0)
