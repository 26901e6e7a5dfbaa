"""What transforms do to Pillow images; `on_tensors` has the same functions for tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..pillow import Image, ImageEnhance, ImageOps, image_of
from .interpolation import PILLOW, InterpolationMode

Pixels = Any  # a PIL.Image.Image
WITHOUT_COLOUR = {"L", "1", "I", "F"}


def dimensions(image: Pixels) -> tuple[int, int, int]:
    """Return channels, height and width."""
    width, height = image.size
    return len(image.getbands()), height, width


def hflip(image: Pixels) -> Pixels:
    """Return the image with left and right exchanged."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(image: Pixels) -> Pixels:
    """Return the image upside down."""
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def crop(image: Pixels, top: int, left: int, height: int, width: int) -> Pixels:
    """Return a part of the image, 0 outside of it."""
    return image.crop((left, top, left + width, top + height))


def resize(image: Pixels, size: Sequence[int], mode: InterpolationMode, antialias: bool) -> Pixels:
    """Return the image in another size; Pillow smooths always where it interpolates."""
    height, width = size
    return image.resize((width, height), PILLOW[mode])


def pad(image: Pixels, sides: Sequence[int], fill: Any, mode: Any) -> Pixels:
    """Return the image with margins: left, top, right, bottom; negative ones cut."""
    if mode == "constant":
        padded = ImageOps.expand(image, border=tuple(sides), fill=fill_for(image, fill))
        if image.mode == "P":
            padded.putpalette(image.getpalette())
        return padded
    cut = [max(-side, 0) for side in sides]
    left, top, right, bottom = (max(side, 0) for side in sides)
    kept = image.crop((cut[0], cut[1], image.width - cut[2], image.height - cut[3]))
    pixels = np.asarray(kept)
    margins = ((top, bottom), (left, right)) + ((0, 0),) * (pixels.ndim - 2)
    padded = image_of(np.pad(pixels, margins, mode), kept.mode)
    if image.mode == "P":
        padded.putpalette(image.getpalette())
    return padded


def fill_for(image: Pixels, fill: Any) -> Any:
    """Return a fill for all channels of an image: one number, or one a channel."""
    channels = len(image.getbands())
    values = [0] if fill is None else list(fill) if isinstance(fill, Sequence) else [fill]
    if len(values) not in (1, channels):
        raise ValueError(f"fill has {len(values)} values, the image {channels} channels")
    values = values * channels if len(values) == 1 else values
    if image.mode != "F":
        values = [int(value) for value in values]
    return values[0] if channels == 1 else tuple(values)


def rotate(
    image: Pixels,
    angle: float,
    mode: InterpolationMode,
    expand: bool,
    center: Sequence[float] | None,
    fill: Any,
) -> Pixels:
    """Return the image turned against the clock."""
    about = None if center is None else (center[0], center[1])
    return image.rotate(angle, PILLOW[mode], expand, about, fillcolor=fill_for(image, fill))


def grayscale(image: Pixels, channels: int) -> Pixels:
    """Return the image's grey, in one channel or three equal ones."""
    grey = image.convert("L")
    return grey if channels == 1 else Image.merge("RGB", (grey, grey, grey))


def adjust_brightness(image: Pixels, factor: float) -> Pixels:
    """Return the image mixed with black."""
    return ImageEnhance.Brightness(image).enhance(factor)


def adjust_contrast(image: Pixels, factor: float) -> Pixels:
    """Return the image mixed with its mean grey."""
    return ImageEnhance.Contrast(image).enhance(factor)


def adjust_saturation(image: Pixels, factor: float) -> Pixels:
    """Return the image mixed with its grey."""
    return ImageEnhance.Color(image).enhance(factor)


def adjust_hue(image: Pixels, factor: float) -> Pixels:
    """Return the image with its hues turned round the circle; hues are bytes here."""
    if image.mode in WITHOUT_COLOUR:
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = (np.asarray(hue, np.int32) + int(factor * 255)) % 256
    hue = image_of(turned.astype(np.uint8), "L")
    return Image.merge("HSV", (hue, saturation, value)).convert(image.mode)


def invert(image: Pixels) -> Pixels:
    """Return the negative."""
    return ImageOps.invert(image)
