"""MNIST, and Fashion-MNIST, which has the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jitnet
from jitnet import Tensor
from jitnet.datasets.download import File
from jitnet.datasets.mnist import FILES, MIRRORS, download_idx, read_part

from ..pillow import image_of
from .vision import SplitDataset

_FASHION = {
    "train images": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train labels": "25c81989df183df01b3e8a0aad5dffbe",
    "test images": "bef4ecab320f06d8554ea6380940ec79",
    "test labels": "bb300cfdad3c16e7a12a480ee83cd310",
}


class MNIST(SplitDataset):
    """Handwritten digits: grey Pillow images of 28 x 28 pixels, targets 0 .. 9.

    root: the folder that has MNIST/raw with the four IDX files, gzipped or not.
    data: uint8 [N, 28, 28]; targets: int64 [N].
    """

    folder = "MNIST/raw"
    resources: ClassVar[Mapping[str, File]] = FILES
    mirrors: Sequence[str] = MIRRORS
    classes: ClassVar[list[str]] = [
        f"{number} - {name}"
        for number, name in enumerate("zero one two three four five six seven eight nine".split())
    ]

    data: Tensor
    targets: Tensor

    @property
    def raw_folder(self) -> str:
        """Where the IDX files are."""
        return str(self.files)

    def download(self) -> None:
        """Fetch the files that are not there."""
        download_idx(self.files, self.resources, self.mirrors)

    def _read(self) -> tuple[Tensor, Tensor]:
        part = "train" if self.train else "test"
        images, labels = read_part(self.files, part, self.resources)
        return jitnet.from_numpy(images), jitnet.from_numpy(labels).long()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = image_of(self.data[index].numpy(), "L")
        return self.transformed(image, int(self.targets[index].item()))


class FashionMNIST(MNIST):
    """Zalando's clothes: grey Pillow images of 28 x 28 pixels, targets 0 .. 9.

    root: the folder that has FashionMNIST/raw with the four IDX files, gzipped or not.
    """

    folder = "FashionMNIST/raw"
    resources: ClassVar[Mapping[str, File]] = {
        what: File(file.name, _FASHION[what]) for what, file in FILES.items()
    }
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    classes: ClassVar[list[str]] = [
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ]
