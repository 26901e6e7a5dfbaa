"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 colour images each, from the binary files."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .download import File, fetch
from .splits import Splits, image_dataset

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
SHAPE = (3, 32, 32)
WHITE = 255
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"


@dataclass(frozen=True)
class Form:
    """One of the sets: its archive and what is in its files.

    labels: bytes before the pixels; the last of them is the class, any other a group of classes.
    names: the file that says what the classes are called, a line each; "" if none is wanted.
    """

    title: str
    archive: File
    folder: str  # in the archive
    train: tuple[str, ...]
    test: tuple[str, ...]
    classes: int
    labels: int = 1
    names: str = ""

    @property
    def files(self) -> set[str]:
        """The files that are wanted of the archive."""
        return {*self.train, *self.test, self.names} - {""}

    @property
    def record(self) -> int:
        """How many bytes one image takes: its labels, then red, green and blue."""
        return self.labels + 3 * 32 * 32


TEN = Form(
    "CIFAR-10",
    File("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar-10-batches-bin",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    classes=len(CLASSES.split()),
)
HUNDRED = Form(
    "CIFAR-100",
    File("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
    "cifar-100-binary",
    train=("train.bin",),
    test=("test.bin",),
    classes=100,
    labels=2,
    names="fine_label_names.txt",
)


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
        download_cifar(folder, TEN, mirrors)
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


def read_batches(paths: Sequence[Path], form: Form = TEN) -> tuple[np.ndarray, np.ndarray]:
    """Return images [N, 3, 32, 32] and labels [N], bytes, of several files."""
    batches = [read_cifar(path, form) for path in paths]
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])


def read_cifar(path: str | os.PathLike[str], form: Form = TEN) -> tuple[np.ndarray, np.ndarray]:
    """Return images [N, 3, 32, 32] and labels [N], bytes, of one binary file; it is checked."""
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % form.record:
        raise ValueError(
            f"{path} is no {form.title} file: it has {content.size} bytes, want {form.record} "
            "an image"
        )
    records = content.reshape(-1, form.record)
    labels = records[:, form.labels - 1]
    if labels.max() >= form.classes:
        place = int(np.argmax(labels >= form.classes))
        raise ValueError(f"{path}: label {place} is {labels[place]}, want 0 .. {form.classes - 1}")
    return records[:, form.labels :].reshape(-1, *SHAPE), labels


def read_names(folder: Path, form: Form) -> list[str]:
    """Return what a set's classes are called, from its file of names."""
    names = (folder / form.names).read_text().split()
    if len(names) != form.classes:
        raise ValueError(f"{folder / form.names} has {len(names)} names, want {form.classes}")
    return names


def download_cifar(folder: Path, form: Form = TEN, mirrors: Sequence[str] = MIRRORS) -> None:
    """Fetch a set's archive into a folder and unpack its files, if one of them is not there."""
    missing = {name for name in form.files if not (folder / name).is_file()}
    if not missing:
        return
    fetch([form.archive], folder, mirrors)
    archive = folder / form.archive.name
    with tarfile.open(archive) as tar:
        for name in sorted(missing):
            member = tar.extractfile(f"{form.folder}/{name}")
            if member is None:
                raise ValueError(f"{archive} has no file {form.folder}/{name}")
            (folder / name).write_bytes(member.read())
    archive.unlink()
