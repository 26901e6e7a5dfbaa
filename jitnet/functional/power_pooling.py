"""Pools by other rules: power averages over windows, and maxima over windows at random places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import int64

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .activation import relu
from .convolution import per_dim
from .indexing import gather
from .joining import cat
from .pooling import _spatial, avg_pool1d, avg_pool2d, avg_pool3d
from .promote import to_dtype
from .reduction import max as largest
from .unary import abs as size_of
from .unary import floor, sign

_MEANS: dict[int, Callable[..., Tensor]] = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}


def _lp_pool(
    rank: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    """Return (sum of x ** norm_type) ** (1 / norm_type) over windows."""
    kernel = per_dim(kernel_size, rank, f"lp_pool{rank}d's kernel_size")
    mean = _MEANS[rank](input**norm_type, kernel, stride, 0, ceil_mode)
    return (sign(mean) * relu(size_of(mean)) * numel(kernel)) ** (1.0 / norm_type)  # type: ignore[no-any-return]


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the norm_type-norm of each window of [N, C, L]."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the norm_type-norm of each window of [N, C, H, W]."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the norm_type-norm of each window of [N, C, D, H, W]."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# -- random windows (Graham, arXiv:1412.6071) ----------------------------------------------------


def _fractional(
    rank: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    name = f"fractional_max_pool{rank}d"
    image = _spatial(input, rank, name)
    if (output_size is None) == (output_ratio is None):
        raise ValueError(at_line(f"{name} wants either output_size or output_ratio"))
    kernel = per_dim(kernel_size, rank, f"{name}'s kernel_size")
    if output_size is None:
        ratios = (output_ratio,) * rank if isinstance(output_ratio, float) else output_ratio
        output_size = tuple(int(size * by) for size, by in zip(image, ratios, strict=True))
    out = per_dim(output_size, rank, f"{name}'s output_size")
    if any(size + k - 1 > have for size, k, have in zip(out, kernel, image, strict=True)):
        raise ShapeError(at_line(f"{name}: windows {kernel} give no {out} results of {image}"))
    x = input if input.ndim == rank + 2 else input.unsqueeze(0)
    lead = x._type.shape[:2]
    places = _window_places(_samples(x, rank, samples, name), image, kernel, out)
    lines = x.reshape(*lead, numel(image))
    flat = places.reshape(*lead, numel(out) * numel(kernel))
    values = gather(lines, 2, flat).reshape(places._type.shape)
    found, at = largest(values, -1)
    shape = (*input._type.shape[: input.ndim - rank], *out)
    if not return_indices:
        return found.reshape(shape)
    chosen = gather(places, -1, at.unsqueeze(-1))
    return found.reshape(shape), chosen.reshape(shape)


def _samples(x: Tensor, rank: int, given: Tensor | None, name: str) -> Tensor:
    """Return a number from [0, 1) for each image, channel and dim: those given, or drawn ones."""
    lead = x._type.shape[:2]
    if given is None:
        from ..random import draw

        return draw(ops.random_uniform, (*lead, rank), x._type.dtype, device=x.device)
    if given._type.shape[:1] > lead[:1]:
        given = given[: lead[0]]  # PyTorch, too, takes what it needs
    if given._type.shape != (*lead, rank):
        raise ShapeError(at_line(f"{name} wants samples {[*lead, rank]}, got {given._type}"))
    return given


def _window_places(
    samples: Tensor, image: tuple[int, ...], kernel: tuple[int, ...], out: tuple[int, ...]
) -> Tensor:
    """Return which elements of a flat image windows hold, [N, C, windows, elements of each]."""
    batch, channels, rank = samples._type.shape
    flat: Any = 0
    for axis in range(rank):
        # PyTorch's samples name the last dim first in an image, and last in a volume.
        sample = samples.select(2, rank - 1 - axis if rank == 2 else axis)
        starts = _starts(sample, image[axis], kernel[axis], out[axis])
        inside = starts.unsqueeze(-1) + creation.counting((kernel[axis],), 0)
        shape = [batch, channels, *(1,) * (2 * rank)]
        shape[2 + axis], shape[2 + rank + axis] = out[axis], kernel[axis]
        flat = flat * image[axis] + inside.reshape(shape)
    return flat.reshape(batch, channels, numel(out), numel(kernel))  # type: ignore[no-any-return]


def _starts(sample: Tensor, size: int, kernel: int, count: int) -> Tensor:
    """Return where windows begin, [N, C, count]: even steps, rounded after a shift."""
    last = size - kernel
    if count == 1:
        return to_dtype((sample * 0).unsqueeze(-1) + last, int64)
    step = last / (count - 1)
    shift = sample.unsqueeze(-1)
    line = creation.literal(np.arange(count - 1).astype(sample._type.dtype.numpy))
    starts = floor((line + shift) * step) - floor(shift * step)
    end = starts.narrow(-1, 0, 1) * 0 + last
    return to_dtype(cat([starts, end], -1), int64)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return maxima over windows of [N, C, H, W] at random, nearly even places."""
    return _fractional(
        2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return maxima over windows of [N, C, D, H, W] at random, nearly even places."""
    return _fractional(
        3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )
