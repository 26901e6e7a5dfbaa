"""Many images in one, and images in files: torchvision.utils."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

import jitnet
from jitnet import Tensor

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Return images [B, C, H, W], or a list of images, as one image [C, H', W'].

    nrow: images in a row. padding: pixels between them, of pad_value. Grey images get 3 channels.
    normalize: bring value_range, or else the least and the largest value, to 0 .. 1;
    scale_each: of each image by itself.
    """
    images = _batch(tensor)
    if normalize:
        images = _normalized(images, value_range, scale_each)
    if len(images) == 1:
        return images[0]
    columns = min(nrow, len(images))
    rows = math.ceil(len(images) / columns)
    channels, height, width = images.shape[1:]
    down, across = height + padding, width + padding
    shape = (channels, down * rows + padding, across * columns + padding)
    grid = jitnet.full(shape, pad_value, dtype=images.dtype)
    for place, image in enumerate(images):
        top = place // columns * down + padding
        left = place % columns * across + padding
        grid[:, top : top + height, left : left + width] = image
    return grid


def _batch(tensor: Any) -> Tensor:
    """Return images [B, C, H, W] of 3 channels where they had one."""
    if isinstance(tensor, list | tuple):
        if not all(isinstance(image, Tensor) for image in tensor):
            kinds = sorted({type(image).__name__ for image in tensor})
            raise TypeError(f"make_grid takes a Tensor or a list of them, got a list of {kinds}")
        tensor = jitnet.stack(list(tensor))
    if not isinstance(tensor, Tensor):
        raise TypeError(f"make_grid takes a Tensor or a list of them, got {type(tensor).__name__}")
    images = tensor.detach()
    if not 2 <= images.ndim <= 4 or images.numel() == 0:
        raise ValueError(f"make_grid takes images [B, C, H, W], got {list(images.shape)}")
    while images.ndim < 4:
        images = images[None]
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    return images


def _normalized(images: Tensor, value_range: Any, scale_each: bool) -> Tensor:
    """Return images with values 0 .. 1."""
    if value_range is not None:
        low, high = jitnet.tensor(value_range[0]), jitnet.tensor(value_range[1])
    elif scale_each:
        low = images.amin((1, 2, 3), keepdim=True)
        high = images.amax((1, 2, 3), keepdim=True)
    else:
        low, high = images.min(), images.max()
    return (images.clamp(low, high) - low) / (high - low).clamp(min=1e-5)


def save_image(
    tensor: Tensor | Sequence[Tensor],
    fp: str | os.PathLike[str] | BinaryIO,
    format: str | None = None,
    **options: Any,
) -> None:
    """Write a grid of images, whose values are 0 .. 1, to a file; options are make_grid's.

    format: which, where the file's name does not say it.
    """
    from .pillow import image_of  # models and grids do without

    grid = make_grid(tensor, **options)
    pixels = (grid.float() * 255 + 0.5).clamp(0, 255).cpu().numpy().astype(np.uint8)
    image_of(pixels.transpose(1, 2, 0)).save(fp, format=format)
