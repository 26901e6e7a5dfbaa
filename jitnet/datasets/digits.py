"""The UCI optical digits: 1,797 handwritten digits of 8 x 8 pixels, shipped with the package."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from .splits import Splits, image_dataset

WHITE = 16  # the largest grey value


def digits() -> Splits:
    """Return the digits: images float32 [N, 1, 8, 8] in 0 .. 1, labels int64 [N].

    Every fifth of each digit is held out: 1,442 to learn from, 355 to test with. From "Optical
    Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning Repository,
    CC BY 4.0.

    >>> train, test = digits()
    """
    with files("jitnet").joinpath("data/digits.npz").open("rb") as file, np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    held_out = _every_fifth_of_each(labels)
    return Splits(
        train=image_dataset(images[~held_out], labels[~held_out], WHITE),
        test=image_dataset(images[held_out], labels[held_out], WHITE),
    )


def _every_fifth_of_each(labels: np.ndarray) -> np.ndarray:
    """Return a mask of the 5th, 10th, ... sample of each class."""
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[4::5]] = True
    return chosen
