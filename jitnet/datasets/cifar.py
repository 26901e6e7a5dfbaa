"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 pixels, from the binary files."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .download import File, fetch
from .splits import Splits, image_dataset

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
ARCHIVE = File("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
FOLDER = "cifar-10-batches-bin"  # in the archive
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)
CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
SHAPE = (3, 32, 32)
WHITE = 255
_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue


def cifar10(
    path: str | os.PathLike[str], download: bool = False, mirrors: Sequence[str] = MIRRORS
) -> Splits:
    """Return CIFAR-10: images float32 [N, 3, 32, 32] in 0 .. 1, labels int64 [N].

    path: the folder of data_batch_*.bin and test_batch*.bin; those that are there are read, so a
    part of the set will do. With download=True, the six files are fetched if one is not there.

    From A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    folder = Path(path)
    if download:
        download_cifar(folder, mirrors)
    parts = []
    for pattern in ("data_batch_*.bin", "test_batch*.bin"):
        paths = sorted(folder.glob(pattern))
        if not paths:
            raise FileNotFoundError(
                f"{folder} has no {pattern}; give the folder of the CIFAR-10 files (the binary "
                "version), or download=True"
            )
        parts.append(image_dataset(*read_batches(paths), WHITE))
    return Splits(*parts)


def read_batches(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return images [N, 3, 32, 32] and labels [N], bytes, of several files."""
    batches = [read_cifar(path) for path in paths]
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])


def read_cifar(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return images [N, 3, 32, 32] and labels [N], bytes, of one binary file; it is checked."""
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % _RECORD:
        raise ValueError(
            f"{path} is no CIFAR-10 file: it has {content.size} bytes, want {_RECORD} an image"
        )
    records = content.reshape(-1, _RECORD)
    labels = records[:, 0]
    if labels.max() >= len(CLASSES):
        place = int(np.argmax(labels >= len(CLASSES)))
        raise ValueError(f"{path}: label {place} is {labels[place]}, want 0 .. {len(CLASSES) - 1}")
    return records[:, 1:].reshape(-1, *SHAPE), labels


def download_cifar(folder: Path, mirrors: Sequence[str] = MIRRORS) -> None:
    """Fetch the archive into a folder and unpack its six files, if one of them is not there."""
    missing = {name for name in TRAIN + TEST if not (folder / name).is_file()}
    if not missing:
        return
    fetch([ARCHIVE], folder, mirrors)
    archive = folder / ARCHIVE.name
    with tarfile.open(archive) as tar:
        for name in sorted(missing):
            member = tar.extractfile(f"{FOLDER}/{name}")
            if member is None:
                raise ValueError(f"{archive} has no file {FOLDER}/{name}")
            (folder / name).write_bytes(member.read())
    archive.unlink()
