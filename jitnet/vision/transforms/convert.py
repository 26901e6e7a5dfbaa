"""From images and arrays to tensors and back, and tensors to a mean and a deviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import jitnet
from jitnet import Tensor, nn
from jitnet.runtime.dtype import DType

from ..pillow import Image, image_of
from . import on_tensors

_PIXELS = {"I": np.int32, "I;16": np.int16, "F": np.float32}  # others are bytes
_GREY_MODES = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}
_MODES = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}  # by channels


def to_tensor(pic: Any) -> Tensor:
    """Return a Pillow image or an array [H, W, C] as [C, H, W]; bytes become floats 0 .. 1."""
    if isinstance(pic, Image.Image):
        pixels = _pixels(pic)
    elif isinstance(pic, np.ndarray):
        pixels = pic
    else:
        raise TypeError(f"to_tensor takes a PIL image or an ndarray, got {type(pic).__name__}")
    if pixels.ndim not in (2, 3):
        raise ValueError(f"an image has 2 or 3 dims, got {list(pixels.shape)}")
    channels_first = _channels_first(pixels)
    if pixels.dtype != np.uint8:
        return jitnet.from_numpy(channels_first)
    chosen = jitnet.get_default_dtype().numpy
    return jitnet.from_numpy(channels_first.astype(chosen) / chosen.type(255))


def pil_to_tensor(pic: Any) -> Tensor:
    """Return a Pillow image as [C, H, W], its numbers as they are."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pil_to_tensor takes a PIL image, got {type(pic).__name__}")
    return jitnet.from_numpy(_channels_first(np.array(pic)))


def _pixels(image: Any) -> np.ndarray:
    pixels = np.array(image, _PIXELS.get(image.mode, np.uint8))
    return pixels * np.uint8(255) if image.mode == "1" else pixels


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    """Return [H, W] or [H, W, C] as a [C, H, W] of its own."""
    with_channels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return np.array(with_channels.transpose(2, 0, 1), order="C")


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """Return a tensor [C, H, W] or an array [H, W, C] as a Pillow image; floats are 0 .. 1.

    mode: what the channels mean; by default grey, LA, RGB or RGBA.
    """
    if isinstance(pic, Tensor):
        pixels = pic.detach().numpy()
        pixels = pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels
    elif isinstance(pic, np.ndarray):
        pixels = pic
    else:
        raise TypeError(f"to_pil_image takes a Tensor or an ndarray, got {type(pic).__name__}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
        raise ValueError(
            f"an image has 2 dims, or 3 with 1 to 4 channels; got {list(np.shape(pic))}"
        )
    if np.issubdtype(pixels.dtype, np.floating) and mode != "F":
        pixels = (pixels * 255).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = pixels.reshape(pixels.shape[:2])
        allowed: tuple[str, ...] = (_GREY_MODES.get(pixels.dtype.name, ""),)
    else:
        allowed = _MODES[pixels.shape[2]] if pixels.dtype == np.uint8 else ("",)
    if allowed == ("",):
        raise TypeError(f"no image of {list(pixels.shape)} holds {pixels.dtype}")
    if mode is not None and mode not in allowed:
        raise ValueError(f"pixels {list(pixels.shape)} {pixels.dtype} are {allowed}, not {mode!r}")
    return image_of(pixels, mode or allowed[0])


def convert_image_dtype(image: Tensor, dtype: DType = jitnet.float32) -> Tensor:
    """Return the image in another dtype, scaled: floats are 0 .. 1, integers use their range."""
    if not isinstance(image, Tensor):
        raise TypeError(f"convert_image_dtype takes a Tensor, got {type(image).__name__}")
    return on_tensors.convert(image, dtype)


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """Return (tensor - mean) / std, channel by channel, of floats [..., C, H, W]."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"normalize takes a Tensor, got {type(tensor).__name__}: ToTensor comes first"
        )
    if not tensor.is_floating_point():
        raise TypeError(f"normalize takes floats, got {tensor.dtype}")
    if tensor.ndim < 3:
        raise ValueError(f"normalize takes [..., C, H, W], got {list(tensor.shape)}")
    means, deviations = (_of_channels(values, tensor.dtype.numpy) for values in (mean, std))
    if not deviations.all():
        raise ValueError(f"std is 0 in {tensor.dtype}, which would divide by zero: {std}")
    centred = tensor.sub_ if inplace else tensor.sub
    return centred(jitnet.from_numpy(means)).div_(jitnet.from_numpy(deviations))


def _of_channels(values: Any, dtype: np.dtype[Any]) -> np.ndarray:
    given = np.array(values, dtype)
    return given.reshape(-1, 1, 1) if given.ndim == 1 else given


class ToTensor:
    """A Pillow image or array [H, W, C] of bytes, as floats [C, H, W] in 0 .. 1."""

    def __call__(self, pic: Any) -> Tensor:
        return to_tensor(pic)

    def __repr__(self) -> str:
        return "ToTensor()"


class PILToTensor:
    """A Pillow image as a tensor [C, H, W] of the same numbers."""

    def __call__(self, pic: Any) -> Tensor:
        return pil_to_tensor(pic)

    def __repr__(self) -> str:
        return "PILToTensor()"


class ToPILImage:
    """A tensor [C, H, W] or array [H, W, C] as a Pillow image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"ToPILImage({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(nn.Module):
    """A tensor in another dtype, its white still white."""

    def __init__(self, dtype: DType) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return convert_image_dtype(image, self.dtype)


class Normalize(nn.Module):
    """A float tensor less a mean for each channel, divided by a deviation for each."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"
