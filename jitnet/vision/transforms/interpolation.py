"""How pixels between pixels are found, by torchvision's names, Pillow's numbers and F's modes."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ..pillow import Image


class InterpolationMode(Enum):
    """A way to interpolate; the last three are for Pillow images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PILLOW = {
    InterpolationMode.NEAREST: Image.Resampling.NEAREST,
    InterpolationMode.NEAREST_EXACT: Image.Resampling.NEAREST,
    InterpolationMode.BILINEAR: Image.Resampling.BILINEAR,
    InterpolationMode.BICUBIC: Image.Resampling.BICUBIC,
    InterpolationMode.BOX: Image.Resampling.BOX,
    InterpolationMode.HAMMING: Image.Resampling.HAMMING,
    InterpolationMode.LANCZOS: Image.Resampling.LANCZOS,
}


def parse(interpolation: Any) -> InterpolationMode:
    """Return the mode that a caller names, by itself or by Pillow's number."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    for mode, number in PILLOW.items():
        if interpolation == number and mode is not InterpolationMode.NEAREST_EXACT:
            return mode
    raise TypeError(
        f"interpolation wants an InterpolationMode or Pillow's number of one, got {interpolation!r}"
    )
