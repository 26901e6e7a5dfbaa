"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from jitnet.datasets.cifar import (
    CLASSES,
    HUNDRED,
    MIRRORS,
    TEN,
    Form,
    download_cifar,
    read_batches,
    read_names,
)

from ..pillow import image_of
from .vision import SplitDataset


class CIFAR10(SplitDataset):
    """Small photographs: Pillow images of 32 x 32 pixels in colour, targets 0 .. 9.

    root: the folder that has cifar-10-batches-bin with the six files of the binary version, which
    is what download=True fetches; the Python version's files are pickles, and not read.
    data: an array of bytes [N, 32, 32, 3]; targets: a list.
    """

    form: ClassVar[Form] = TEN
    folder = TEN.folder
    mirrors: Sequence[str] = MIRRORS
    classes: list[str] = CLASSES.split()

    data: np.ndarray
    targets: list[int]

    def download(self) -> None:
        """Fetch the files that are not there."""
        download_cifar(self.files, self.form, self.mirrors)

    def _read(self) -> tuple[np.ndarray, list[int]]:
        names = self.form.train if self.train else self.form.test
        images, labels = read_batches([self.files / name for name in names], self.form)
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels.tolist()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.transformed(image_of(self.data[index], "RGB"), self.targets[index])


class CIFAR100(CIFAR10):
    """Small photographs: Pillow images of 32 x 32 pixels in colour, targets 0 .. 99.

    root: the folder that has cifar-100-binary with train.bin, test.bin and fine_label_names.txt,
    where the names of the classes are.
    """

    form = HUNDRED
    folder = HUNDRED.folder

    def _read(self) -> tuple[np.ndarray, list[int]]:
        read = super()._read()
        self.classes = read_names(self.files, self.form)
        return read
