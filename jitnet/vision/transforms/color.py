"""Transforms that change what pixels look like, not where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet import nn

from . import draws
from . import functional as F

Range = tuple[float, float]
Given = float | Sequence[float]


class Grayscale(nn.Module):
    """An image's grey, in one channel or in three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"Grayscale(num_output_channels={self.num_output_channels})"


class RandomGrayscale(nn.Module):
    """An image's grey in as many channels as it has, with probability p."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        channels = F.get_dimensions(img)[0]
        return F.rgb_to_grayscale(img, channels) if draws.chance(self.p) else img

    def __repr__(self) -> str:
        return f"RandomGrayscale(p={self.p})"


class ColorJitter(nn.Module):
    """An image with brightness, contrast, saturation and hue changed, in an order that is drawn.

    brightness, contrast, saturation: factors from 1 - x (at least 0) to 1 + x, or a range.
    hue: from -x to x, at most 0.5, or a range.
    """

    def __init__(
        self, brightness: Given = 0, contrast: Given = 0, saturation: Given = 0, hue: Given = 0
    ) -> None:
        super().__init__()
        self.brightness = _factors("brightness", brightness)
        self.contrast = _factors("contrast", contrast)
        self.saturation = _factors("saturation", saturation)
        self.hue = _range("hue", hue, center=0.0, least=-0.5, most=0.5)

    @staticmethod
    def get_params(*ranges: Range | None) -> tuple[Any, ...]:
        """Return the order, then a factor of each range, None where there is none."""
        order = draws.order(len(ranges))
        factors = [None if bounds is None else draws.uniform(*bounds) for bounds in ranges]
        return (order, *factors)

    def forward(self, img: Any) -> Any:
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        order, *factors = self.get_params(*ranges)
        for place in order:
            if factors[place] is not None:
                img = adjust[place](img, factors[place])
        return img

    def __repr__(self) -> str:
        return (
            f"ColorJitter(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


def _factors(name: str, given: Given) -> Range | None:
    if isinstance(given, int | float) and given > 1:
        given = (0.0, 1.0 + given)
    return _range(name, given, center=1.0, least=0.0, most=float("inf"))


def _range(name: str, given: Given, center: float, least: float, most: float) -> Range | None:
    """Return the range that a number or a pair asks for; None where it changes nothing."""
    if isinstance(given, int | float):
        if given < 0:
            raise ValueError(f"{name} is a number of 0 or more, or a range; got {given}")
        given = (center - given, center + given)
    if len(given) != 2 or not least <= given[0] <= given[1] <= most:
        raise ValueError(f"{name} ranges between {least} and {most}, got {tuple(given)}")
    low, high = float(given[0]), float(given[1])
    return None if low == high == center else (low, high)


class GaussianBlur(nn.Module):
    """An image blurred, by a sigma drawn from a range."""

    def __init__(self, kernel_size: int | Sequence[int], sigma: Given = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = F.pair(kernel_size)
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"kernel_size is odd and positive, got {kernel_size}")
        bounds = (sigma, sigma) if isinstance(sigma, int | float) else tuple(sigma)
        if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
            raise ValueError(f"sigma is positive, or a range of positives; got {sigma}")
        self.sigma = bounds

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Return a sigma of the range."""
        return draws.uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"GaussianBlur(kernel_size={self.kernel_size}, sigma={self.sigma})"
