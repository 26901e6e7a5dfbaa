"""MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 pixels, from the four original files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .download import File, fetch
from .idx import read_idx
from .splits import Splits, image_dataset

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES = {
    "train images": File("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train labels": File("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    "test images": File("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
    "test labels": File("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
}
WHITE = 255  # the largest grey value
CLASSES = 10


def mnist(
    path: str | os.PathLike[str], download: bool = False, mirrors: Sequence[str] = MIRRORS
) -> Splits:
    """Return MNIST: images float32 [N, 1, 28, 28] in 0 .. 1, labels int64 [N].

    path: the folder of the four IDX files, gzipped or not. They are checked; ValueError says what
    is wrong with one. Nothing is downloaded unless download=True: then files that are not there are
    taken from the first mirror that has them, and kept only if their MD5 is right.

    From Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0.
    """
    folder = Path(path)
    if download:
        download_idx(folder, FILES, mirrors)
    train, test = (read_part(folder, part, FILES) for part in ("train", "test"))
    return Splits(train=image_dataset(*train, WHITE), test=image_dataset(*test, WHITE))


def download_idx(folder: Path, files: Mapping[str, File], mirrors: Sequence[str]) -> None:
    """Fetch those of a set's files that a folder does not have, gzipped or not."""
    fetch([file for file in files.values() if _find(folder, file) is None], folder, mirrors)


def read_part(
    folder: Path, part: str, files: Mapping[str, File], classes: int = CLASSES
) -> tuple[np.ndarray, np.ndarray]:
    """Return checked images [N, 28, 28] and labels [N], bytes, of "train" or "test"."""
    images = read_idx(_existing(folder, files[f"{part} images"]))
    labels = read_idx(_existing(folder, files[f"{part} labels"]))
    check_images(images, labels, str(folder / files[f"{part} images"].name), classes)
    return images, labels


def check_images(images: np.ndarray, labels: np.ndarray, name: str, classes: int = CLASSES) -> None:
    """Raise ValueError unless these are images [N, 28, 28], each with a label below `classes`."""
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"{name}: want bytes [N, 28, 28], got {images.dtype} {list(images.shape)}")
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{name}: want a label for each of {len(images)} images, got labels "
            f"{labels.dtype} {list(labels.shape)}"
        )
    if labels.size and labels.max() >= classes:
        place = int(np.argmax(labels >= classes))
        raise ValueError(f"{name}: label {place} is {labels[place]}, want 0 .. {classes - 1}")


def _find(folder: Path, file: File) -> Path | None:
    """Return where a file is, gzipped or not; None if it is not there."""
    for candidate in (folder / file.name, folder / file.name.removesuffix(".gz")):
        if candidate.is_file():
            return candidate
    return None


def _existing(folder: Path, file: File) -> Path:
    found = _find(folder, file)
    if found is None:
        raise FileNotFoundError(
            f"{folder} has neither {file.name} nor {file.name.removesuffix('.gz')}; "
            "give the folder of these files, or download=True"
        )
    return found
