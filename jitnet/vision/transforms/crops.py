"""Transforms that return a part of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jitnet import nn

from . import draws
from . import functional as F
from .functional import InterpolationMode, pair
from .interpolation import parse

TRIES = 10  # to fit a part of a drawn area and shape in an image

Box = tuple[int, int, int, int]  # top, left, height, width


class CenterCrop(nn.Module):
    """The middle of an image, padded with 0 where the image is smaller."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = pair(size)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


class FiveCrop(nn.Module):
    """The four corners and the middle of an image, as a tuple."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = pair(size)

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.five_crop(img, self.size)

    def __repr__(self) -> str:
        return f"FiveCrop(size={self.size})"


class RandomCrop(nn.Module):
    """A part of an image anywhere in it, after padding."""

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Sequence[int]) -> Box:
        """Return a part of this size: top, left, height, width."""
        _, rows, columns = F.get_dimensions(img)
        height, width = output_size
        if rows < height or columns < width:
            raise ValueError(
                f"RandomCrop of {(height, width)} is larger than the image {(rows, columns)}: "
                "give padding, or pad_if_needed=True"
            )
        top, left = draws.below(rows - height + 1, columns - width + 1)
        return top, left, height, width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, rows, columns = F.get_dimensions(img)
        across, down = max(self.size[1] - columns, 0), max(self.size[0] - rows, 0)
        if self.pad_if_needed and (across or down):
            img = F.pad(img, [across, down], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomResizedCrop(nn.Module):
    """A part of a drawn area and shape anywhere in an image, brought to one size.

    scale: the part's share of the image's area. ratio: its width by its height.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = pair(size)
        for name, bounds in (("scale", scale), ("ratio", ratio)):
            if not isinstance(bounds, Sequence) or len(bounds) != 2 or bounds[0] > bounds[1]:
                raise ValueError(f"{name} is (least, most), got {bounds}")
        self.scale = scale
        self.ratio = ratio
        self.interpolation = parse(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> Box:
        """Return a part: top, left, height, width; the middle if none that is drawn fits."""
        _, rows, columns = F.get_dimensions(img)
        for _ in range(TRIES):
            height, width = draw_box(rows * columns, scale, (1 / ratio[1], 1 / ratio[0]))
            if 0 < width <= columns and 0 < height <= rows:
                top, left = draws.below(rows - height + 1, columns - width + 1)
                return top, left, height, width
        height, width = rows, columns
        if columns / rows < min(ratio):
            height = round(width / min(ratio))
        elif columns / rows > max(ratio):
            width = round(height * max(ratio))
        return (rows - height) // 2, (columns - width) // 2, height, width

    def forward(self, img: Any) -> Any:
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *box, self.size, self.interpolation, self.antialias)

    def __repr__(self) -> str:
        return (
            f"RandomResizedCrop(size={self.size}, scale={tuple(round(s, 4) for s in self.scale)}, "
            f"ratio={tuple(round(r, 4) for r in self.ratio)}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def draw_box(area: int, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int]:
    """Return height and width of a box: a share of the area, ratio high by wide, evenly in logs."""
    wanted = area * draws.uniform(*scale)
    shape = math.exp(draws.uniform(math.log(ratio[0]), math.log(ratio[1])))
    return round(math.sqrt(wanted * shape)), round(math.sqrt(wanted / shape))
