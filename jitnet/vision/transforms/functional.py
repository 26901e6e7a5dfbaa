"""Transforms with their parameters given: torchvision.transforms.functional.

Each takes a Pillow image or a tensor [..., C, H, W] and returns the same kind.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from jitnet import Tensor

from ..pillow import Image
from . import on_images, on_tensors
from .convert import (
    convert_image_dtype,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from .interpolation import InterpolationMode, parse

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_hue",
    "adjust_saturation",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "pil_to_tensor",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]

_PADDINGS = ("constant", "edge", "reflect", "symmetric")


def _on(image: Any) -> ModuleType:
    """Return the functions for this kind of image."""
    if isinstance(image, Tensor):
        return on_tensors
    if isinstance(image, Image.Image):
        return on_images
    raise TypeError(f"an image is a PIL.Image.Image or a Tensor, got {type(image).__name__}")


def get_dimensions(img: Any) -> list[int]:
    """Return channels, height and width."""
    return list(_on(img).dimensions(img))


def get_image_size(img: Any) -> list[int]:
    """Return width and height."""
    _, height, width = _on(img).dimensions(img)
    return [width, height]


def hflip(img: Any) -> Any:
    """Return the image with left and right exchanged."""
    return _on(img).hflip(img)


def vflip(img: Any) -> Any:
    """Return the image upside down."""
    return _on(img).vflip(img)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Return a part of the image, 0 where it reaches out of it."""
    return _on(img).crop(img, top, left, height, width)


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """Return the middle of an image, which is padded first where it is smaller."""
    height, width = pair(output_size)
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        wide, high = max(width - columns, 0), max(height - rows, 0)
        img = pad(img, [wide // 2, high // 2, (wide + 1) // 2, (high + 1) // 2])
        _, rows, columns = get_dimensions(img)
    top, left = round((rows - height) / 2.0), round((columns - width) / 2.0)
    return crop(img, top, left, height, width)


def five_crop(img: Any, size: int | Sequence[int]) -> tuple[Any, ...]:
    """Return the four corners and the middle of an image."""
    height, width = pair(size)
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        raise ValueError(f"five_crop wants at least {(height, width)}, got {(rows, columns)}")
    places = [(y, x) for y in (0, rows - height) for x in (0, columns - width)]
    corners = [crop(img, top, left, height, width) for top, left in places]
    return (*corners, center_crop(img, (height, width)))


def resize(
    img: Any,
    size: int | Sequence[int],
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Return the image in another size: (height, width), or the length of its shorter edge.

    max_size: how long the longer edge may become where only the shorter is given.
    antialias: whether bilinear and bicubic tensors are smoothed as they shrink; images always are.
    """
    mode = parse(interpolation)
    _, height, width = get_dimensions(img)
    target = _target_size(height, width, size, max_size)
    if target == (height, width):
        return img
    if antialias is False and not isinstance(img, Tensor):
        warnings.warn("Pillow smooths always; antialias=False is for tensors", stacklevel=2)
    return _on(img).resize(img, target, mode, bool(antialias))


def _target_size(
    height: int, width: int, size: int | Sequence[int], max_size: int | None
) -> tuple[int, int]:
    """Return the height and width that `size` asks for."""
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2) or (len(sizes) == 2 and max_size is not None):
        raise ValueError(
            f"size is an int or 1 or 2 of them, max_size with 1; got {size}, {max_size}"
        )
    if len(sizes) == 2:
        return sizes[0], sizes[1]
    short, long = sizes[0], int(sizes[0] * max(height, width) / min(height, width))
    if max_size is not None and max_size <= short:
        raise ValueError(f"max_size {max_size} must be larger than size {short}")
    if max_size is not None and long > max_size:
        short, long = int(max_size * short / long), max_size
    return (long, short) if width <= height else (short, long)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Return a part of the image in another size."""
    part = crop(img, top, left, height, width)
    return resize(part, size, interpolation, antialias=antialias)


def pad(
    img: Any, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant"
) -> Any:
    """Return the image with margins.

    padding: for all sides, or (across, down), or (left, top, right, bottom).
    padding_mode: constant (fill), edge, reflect (edge once) or symmetric (edge twice).
    """
    if padding_mode not in _PADDINGS:
        raise ValueError(f"padding_mode is one of {_PADDINGS}, got {padding_mode!r}")
    sides = [padding] if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"padding is an int or 1, 2 or 4 of them, got {padding}")
    return _on(img).pad(img, sides * (4 // len(sides)), fill, padding_mode)


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """Return the image turned by degrees against the clock.

    center: (x, y) from the top left, in pixels; None is the middle.
    """
    return _on(img).rotate(img, angle, parse(interpolation), expand, center, fill)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return a Pillow image's grey, in one channel or in three equal ones."""
    if not isinstance(img, Image.Image):
        raise TypeError(f"to_grayscale takes a PIL.Image.Image, got {type(img).__name__}")
    return rgb_to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return the image's grey, in one channel or in three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels is 1 or 3, got {num_output_channels}")
    return _on(img).grayscale(img, num_output_channels)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Return the image brighter; 0 is black, 1 the image itself."""
    _check_factor("brightness_factor", brightness_factor)
    return _on(img).adjust_brightness(img, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Return the image with more contrast; 0 is plain grey, 1 the image itself."""
    _check_factor("contrast_factor", contrast_factor)
    return _on(img).adjust_contrast(img, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Return the image with more colour; 0 is grey, 1 the image itself."""
    _check_factor("saturation_factor", saturation_factor)
    return _on(img).adjust_saturation(img, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Return the image with its hues turned, by -0.5 .. 0.5 of the circle."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor is -0.5 .. 0.5, got {hue_factor}")
    return _on(img).adjust_hue(img, hue_factor)


def invert(img: Any) -> Any:
    """Return the image's negative."""
    return _on(img).invert(img)


def gaussian_blur(
    img: Any, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None
) -> Any:
    """Return the image blurred; kernel_size and sigma are (across, down), in pixels."""
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2 or any(size <= 0 or size % 2 == 0 for size in sizes):
        raise ValueError(f"kernel_size is an odd number or two, got {kernel_size}")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in sizes]
    widths = [float(sigma)] * 2 if isinstance(sigma, int | float) else [float(s) for s in sigma]
    widths = widths * 2 if len(widths) == 1 else widths
    if len(widths) != 2 or min(widths) <= 0:
        raise ValueError(f"sigma is a positive number or two, got {sigma}")
    if isinstance(img, Tensor):
        return on_tensors.gaussian_blur(img, sizes, widths)
    blurred = on_tensors.gaussian_blur(pil_to_tensor(img), sizes, widths)
    return to_pil_image(blurred, mode=img.mode)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """Return a tensor image with v in place of rows i .. i + h, columns j .. j + w."""
    erased = img if inplace else img.clone()
    erased[..., i : i + h, j : j + w] = v
    return erased


def _check_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} is 0 or more, got {factor}")


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Return height and width of a size: one number for both, or two."""
    sizes = [size, size] if isinstance(size, int) else list(size)
    sizes = sizes * 2 if len(sizes) == 1 else sizes
    if len(sizes) != 2:
        raise ValueError(f"a size is (height, width) or one number for both, got {size}")
    return sizes[0], sizes[1]
