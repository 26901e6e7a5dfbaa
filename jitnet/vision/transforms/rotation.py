"""Rotation of tensors: which point of the image each pixel of the result shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor
from jitnet.runtime.dtype import DType

_HAIR = 1e-4  # by which a corner may miss a whole number of pixels


def turn(
    images: Tensor,
    angle: float,
    mode: str,
    expand: bool,
    center: Sequence[float] | None,
    fill: float | Sequence[float],
) -> Tensor:
    """Return floats [N, C, H, W] turned by an angle in degrees against the clock.

    center: x and y in pixels from the top left; None turns about the middle.
    expand: the result is as large as the turned image, which then turns about its middle.
    """
    height, width = images.shape[-2:]
    size = _turned_size(height, width, angle) if expand else (height, width)
    middle = (0.0, 0.0)
    if center is not None:
        middle = (center[0] - width * 0.5, center[1] - height * 0.5)
    grid = _grid((height, width), size, angle, middle, images.dtype)
    grid = grid.expand(images.shape[0], *grid.shape[1:])
    turned = F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)
    if fill == 0:
        return turned
    inside = F.grid_sample(
        jitnet.ones_like(images[:, :1]), grid, mode=mode, padding_mode="zeros", align_corners=False
    )
    colour = jitnet.tensor(fill, dtype=images.dtype).reshape(1, -1, 1, 1)
    if mode == "nearest":
        return jitnet.where(inside < 0.5, colour, turned)
    return turned * inside + (1.0 - inside) * colour


def _grid(
    source: Sequence[int],
    size: Sequence[int],
    angle: float,
    middle: tuple[float, float],
    dtype: DType,
) -> Tensor:
    """Return places [1, H, W, 2] in the source, -1 .. 1 from edge to edge."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = jitnet.arange(size[1], dtype=dtype) - (size[1] - 1) * 0.5 - middle[0]
    y = (jitnet.arange(size[0], dtype=dtype) - (size[0] - 1) * 0.5 - middle[1])[:, None]
    across = (cos * x - sin * y + middle[0]) / (0.5 * source[1])
    down = (sin * x + cos * y + middle[1]) / (0.5 * source[0])
    return jitnet.stack([across, down], -1)[None]


def _turned_size(height: int, width: int, angle: float) -> tuple[int, int]:
    """Return height and width of the box about a turned image."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = [(x, y) for x in (-width / 2, width / 2) for y in (-height / 2, height / 2)]
    across = [cos * x + sin * y for x, y in corners]
    down = [-sin * x + cos * y for x, y in corners]

    def length(places: list[float], middle: float) -> int:
        # a corner that lies on a pixel's edge but for rounding adds no pixel
        low, high = min(places) + middle, max(places) + middle
        return math.ceil(high - _HAIR) - math.floor(low + _HAIR)

    return length(down, height / 2), length(across, width / 2)
