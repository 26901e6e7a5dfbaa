"""FakeData: random images, to try a program without any files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jitnet

from ..transforms.functional import to_pil_image
from .vision import Transform, VisionDataset


class FakeData(VisionDataset):
    """Images of noise with random classes; each is the same whenever it is read.

    random_offset: sets of two offsets that lie `size` apart have no image in common.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: Sequence[int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = tuple(image_size)
        self.random_offset = random_offset

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not 0 <= index < self.size:
            raise IndexError(f"FakeData has samples 0 .. {self.size - 1}, got {index}")
        generator = jitnet.Generator().manual_seed(index + self.random_offset)
        noise = jitnet.rand(*self.image_size, generator=generator)
        target = jitnet.randint(0, self.num_classes, (1,), generator=generator)
        return self.transformed(to_pil_image(noise), int(target.item()))
