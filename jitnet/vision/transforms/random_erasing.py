"""RandomErasing: a box of a tensor image filled with a value or noise (Zhong et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import jitnet
from jitnet import Tensor, nn

from . import draws
from . import functional as F
from .crops import TRIES, draw_box


class RandomErasing(nn.Module):
    """A tensor image with a box erased, with probability p.

    scale: the box's share of the image's area. ratio: its height by its width.
    value: a number, one for each channel, or "random" for normal noise.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(value, str) and value != "random":
            raise ValueError(f"value is a number, one for each channel, or 'random'; got {value!r}")
        if not 0 <= p <= 1 or not 0 <= scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise ValueError(
                f"p and scale lie in 0 .. 1, ranges are (least, most); got {p}, {scale}, {ratio}"
            )
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    def forward(self, img: Tensor) -> Tensor:
        if not draws.chance(self.p):
            return img
        channels, rows, columns = F.get_dimensions(img)
        for _ in range(TRIES):
            height, width = draw_box(rows * columns, self.scale, self.ratio)
            if height < rows and width < columns:
                top, left = draws.below(rows - height + 1, columns - width + 1)
                fill = self._fill(channels, height, width).to(img.dtype)
                return F.erase(img, top, left, height, width, fill, self.inplace)
        return img

    def _fill(self, channels: int, height: int, width: int) -> Tensor:
        if isinstance(self.value, str):
            return jitnet.randn(channels, height, width)
        values = [self.value] if isinstance(self.value, int | float) else list(self.value)
        if len(values) not in (1, channels):
            raise ValueError(f"value has {len(values)} numbers, the image {channels} channels")
        return jitnet.tensor(values, dtype=jitnet.float32)[:, None, None]

    def __repr__(self) -> str:
        return (
            f"RandomErasing(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace})"
        )
