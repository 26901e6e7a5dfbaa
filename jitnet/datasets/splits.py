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
    """Return grey images [N, H, W] as float32 [N, 1, H, W] in 0 .. 1, and labels as int64."""
    scaled = images.astype(np.float32)[:, None] / np.float32(white)
    return TensorDataset(
        creation.from_numpy(np.ascontiguousarray(scaled)),
        creation.from_numpy(labels.astype(np.int64)),
    )
