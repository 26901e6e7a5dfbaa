"""The one door to Pillow, which reads, writes and resizes images."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from PIL import Image, ImageEnhance, ImageOps
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "jitnet.vision's images need Pillow: pip install 'jitnet[vision]'", name=error.name
    ) from error

__all__ = ["Image", "ImageEnhance", "ImageOps", "image_of"]


def image_of(pixels: np.ndarray, mode: str | None = None) -> Any:
    """Return an image of pixels [H, W] or [H, W, C]; modes that only name colours are set after.

    Pillow infers a mode from dtype and shape, and since 11.3 takes no other one from its caller.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if mode is None or mode == image.mode:
        return image
    return Image.frombytes(mode, image.size, image.tobytes())
