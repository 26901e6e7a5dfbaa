"""What transforms do to tensors [..., C, H, W]; `on_images` has the same for Pillow images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor
from jitnet.runtime.dtype import DType

from .interpolation import InterpolationMode
from .rotation import turn

GREY = (0.2989, 0.587, 0.114)  # of red, green and blue, as ITU-R 601 weighs them
_SMOOTHED = (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
_MODES = (*_SMOOTHED, InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT)
_PADDING = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


def dimensions(image: Tensor) -> tuple[int, int, int]:
    """Return channels, height and width."""
    if image.ndim < 2:
        raise TypeError(f"an image tensor has at least 2 dims, got {list(image.shape)}")
    channels = 1 if image.ndim == 2 else image.shape[-3]
    return channels, image.shape[-2], image.shape[-1]


def hflip(image: Tensor) -> Tensor:
    """Return the image with left and right exchanged."""
    return image.flip(-1)


def vflip(image: Tensor) -> Tensor:
    """Return the image upside down."""
    return image.flip(-2)


def crop(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Return a part; what lies outside the image is 0."""
    _, rows, columns = dimensions(image)
    sides = (-left, -top, left + width - columns, top + height - rows)
    inside = image[..., max(top, 0) : top + height, max(left, 0) : left + width]
    margins = [max(side, 0) for side in sides]
    return pad(inside, margins, 0, "constant") if any(margins) else inside


def resize(image: Tensor, size: Sequence[int], mode: InterpolationMode, antialias: bool) -> Tensor:
    """Return the image in another size, computed in float and rounded for integers."""
    if mode not in _MODES:
        raise ValueError(f"{mode} is for Pillow images; tensors take {[m.name for m in _MODES]}")
    smoothed = mode in _SMOOTHED
    values, back = _as_floats(image)
    values = F.interpolate(
        values,
        size=tuple(size),
        mode=mode.value,
        align_corners=False if smoothed else None,
        antialias=antialias and smoothed,
    )
    if mode is InterpolationMode.BICUBIC and image.dtype is jitnet.uint8:
        values = values.clamp(0, 255)
    return back(values)


def pad(image: Tensor, sides: Sequence[int], fill: Any, mode: str) -> Tensor:
    """Return the image with margins: left, top, right, bottom; negative ones cut."""
    left, top, right, bottom = sides
    if mode == "symmetric":
        return _pad_symmetric(image, sides)
    if mode == "constant":
        number = fill[0] if isinstance(fill, Sequence) and len(fill) == 1 else fill or 0
        if isinstance(number, Sequence):
            raise ValueError(f"fill of a tensor image is one number, got {number}")
        return F.pad(image, [left, right, top, bottom], value=float(number))
    values, back = _as_floats(image)
    return back(F.pad(values, [left, right, top, bottom], mode=_PADDING[mode]))


def _pad_symmetric(image: Tensor, sides: Sequence[int]) -> Tensor:
    """Return the image with margins that repeat it mirrored, its edge twice."""
    left, top, right, bottom = sides
    _, height, width = dimensions(image)
    rows = jitnet.tensor(_mirrored(height, top, bottom))
    columns = jitnet.tensor(_mirrored(width, left, right))
    return image.index_select(-2, rows).index_select(-1, columns)


def _mirrored(size: int, before: int, after: int) -> list[int]:
    """Return which of `size` elements each element of a padded line is."""
    if max(before, after) > size:
        raise ValueError(f"symmetric margins {(before, after)} are larger than the image, {size}")
    line = np.arange(-before, size + after)
    line = np.where(line < 0, -1 - line, line)
    return np.where(line >= size, 2 * size - 1 - line, line).tolist()


def grayscale(image: Tensor, channels: int) -> Tensor:
    """Return the image's grey, in one channel or three equal ones."""
    have = dimensions(image)[0]
    if have not in (1, 3):
        raise TypeError(f"grey is made of 1 or 3 channels, got {have} in {list(image.shape)}")
    if have == 3:
        red, green, blue = image.unbind(-3)
        grey = (GREY[0] * red + GREY[1] * green + GREY[2] * blue).to(image.dtype).unsqueeze(-3)
    else:
        grey = image.clone()
    return grey if channels == 1 else grey.expand(*image.shape[:-3], 3, *image.shape[-2:])


def adjust_brightness(image: Tensor, factor: float) -> Tensor:
    """Return the image mixed with black."""
    return _blend(image, jitnet.zeros_like(image), factor)


def adjust_contrast(image: Tensor, factor: float) -> Tensor:
    """Return the image mixed with its mean grey."""
    floats = image.dtype if image.is_floating_point() else jitnet.float32
    mean = grayscale(image, 1).to(floats).mean((-3, -2, -1), keepdim=True)
    return _blend(image, mean, factor)


def adjust_saturation(image: Tensor, factor: float) -> Tensor:
    """Return the image mixed with its grey."""
    if dimensions(image)[0] == 1:
        return image
    return _blend(image, grayscale(image, 1), factor)


def _blend(first: Tensor, second: Tensor, ratio: float) -> Tensor:
    """Return ratio of one image and the rest of another, within what the dtype shows."""
    mixed = ratio * first + (1.0 - ratio) * second
    return mixed.clamp(0, white(first.dtype)).to(first.dtype)


def adjust_hue(image: Tensor, factor: float) -> Tensor:
    """Return the image with its hues turned by a part of the circle."""
    if dimensions(image)[0] == 1:
        return image
    hue, saturation, value = _hsv(convert(image, jitnet.float32))
    return convert(_rgb((hue + factor) % 1.0, saturation, value), image.dtype)


def _hsv(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return hue, saturation and value, each 0 .. 1, of red, green and blue."""
    red, green, blue = image.unbind(-3)
    high, low = image.amax(-3), image.amin(-3)
    is_grey = high == low
    spread = jitnet.where(is_grey, jitnet.ones_like(high), high - low)
    saturation = (high - low) / jitnet.where(is_grey, jitnet.ones_like(high), high)
    far_red, far_green, far_blue = ((high - x) / spread for x in (red, green, blue))
    is_red = high == red
    is_green = (high == green) & ~is_red
    of_green_or_blue = jitnet.where(is_green, 2.0 + far_red - far_blue, 4.0 + far_green - far_red)
    sixths = jitnet.where(is_red, far_blue - far_green, of_green_or_blue)
    hue = jitnet.where(is_grey, jitnet.zeros_like(high), sixths / 6.0)
    return (hue + 1.0) % 1.0, saturation, high


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Return red, green and blue of hue, saturation and value."""
    sixths = hue * 6.0
    channels = []
    for shift in (5.0, 3.0, 1.0):  # red, green, blue: how far each is from full
        place = (sixths + shift) % 6.0
        away = jitnet.minimum(place, 4.0 - place).clamp(0, 1)
        channels.append(value - value * saturation * away)
    return jitnet.stack(channels, -3)


def gaussian_blur(image: Tensor, size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Return the image seen through a Gaussian window of a size (width, height) in pixels."""
    values, back = _as_floats(image)
    across, down = (_bell(n, s, values.dtype) for n, s in zip(size, sigma, strict=True))
    channels = values.shape[-3]
    kernel = (down[:, None] * across).expand(channels, 1, size[1], size[0])
    half = [size[0] // 2, size[0] // 2, size[1] // 2, size[1] // 2]
    return back(F.conv2d(F.pad(values, half, mode="reflect"), kernel, groups=channels))


def _bell(size: int, sigma: float, dtype: DType) -> Tensor:
    """Return a Gaussian of `size` elements whose sum is 1."""
    half = (size - 1) * 0.5
    bell = jitnet.exp(-0.5 * (jitnet.linspace(-half, half, size, dtype=dtype) / sigma) ** 2)
    return bell / bell.sum()


def rotate(
    image: Tensor,
    angle: float,
    mode: InterpolationMode,
    expand: bool,
    center: Sequence[float] | None,
    fill: Any,
) -> Tensor:
    """Return the image turned against the clock; what comes from outside is filled."""
    values, back = _as_floats(image)
    outside = fill[0] if isinstance(fill, Sequence) and len(fill) == 1 else fill or 0
    return back(turn(values, angle, mode.value, expand, center, outside))


def invert(image: Tensor) -> Tensor:
    """Return the negative."""
    return white(image.dtype) - image


def white(dtype: DType) -> Any:
    """Return the largest value of a pixel: 1.0 of floats, the largest integer of integers."""
    return 1.0 if dtype.kind == "float" else int(np.iinfo(dtype.numpy).max)


def convert(image: Tensor, dtype: DType) -> Tensor:
    """Return the image in another dtype, scaled so that white stays white."""
    if image.dtype is dtype:
        return image
    if image.is_floating_point() and dtype.kind == "float":
        return image.to(dtype)
    if image.is_floating_point():
        if dtype.name == "int64" or (image.dtype.name, dtype.name) == ("float32", "int32"):
            raise RuntimeError(f"{image.dtype.name} cannot hold all of {dtype.name}: no exact cast")
        return (image * (white(dtype) + 1.0 - 1e-3)).to(dtype)
    if dtype.kind == "float":
        return image.to(dtype) / white(image.dtype)
    return _between_integers(image, dtype)


def _between_integers(image: Tensor, dtype: DType) -> Tensor:
    have, want = white(image.dtype), white(dtype)
    if have > want:
        return (image // ((have + 1) // (want + 1))).to(dtype)
    return image.to(dtype) * ((want + 1) // (have + 1))


def _as_floats(image: Tensor) -> tuple[Tensor, Any]:
    """Return the image as floats [N, C, H, W], and how to make the like of it again."""
    have = image.shape
    values = image.reshape(-1, *have[-3:]) if image.ndim > 2 else image[None, None]
    is_float = image.is_floating_point()

    def back(changed: Tensor) -> Tensor:
        if not is_float:
            changed = changed.round().to(image.dtype)
        return changed.reshape(*have[:-2], *changed.shape[-2:])

    return (values if is_float else values.float()), back
