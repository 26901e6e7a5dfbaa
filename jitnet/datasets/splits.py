"""What a data set is returned as."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jitnet import creation
from jitnet.utils.data import TensorDataset


class Splits(NamedTuple):
    """Samples to learn from and samples held out to test with."""

    train: TensorDataset
    test: TensorDataset


def image_dataset(images: np.ndarray, labels: np.ndarray, white: float) -> TensorDataset:
    """Return images [N, H, W] or [N, C, H, W] as float32 [N, C, H, W] in 0 .. 1, labels int64."""
    with_channels = images[:, None] if images.ndim == 3 else images
    scaled = with_channels.astype(np.float32, order="C") / np.float32(white)
    return TensorDataset(
        creation.from_numpy(scaled),
        creation.from_numpy(labels.astype(np.int64)),
    )
