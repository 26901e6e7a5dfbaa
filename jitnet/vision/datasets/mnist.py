"""MNIST, and Fashion-MNIST and KMNIST, which have the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jitnet
from jitnet import Tensor
from jitnet.datasets.download import File
from jitnet.datasets.mnist import FILES, MIRRORS, download_idx, read_part

from ..pillow import image_of
from .vision import SplitDataset


def _same_names(*digests: str) -> Mapping[str, File]:
    """Return files with MNIST's names and these MD5s, in the order of FILES."""
    pairs = zip(FILES.items(), digests, strict=True)
    return {what: File(file.name, md5) for (what, file), md5 in pairs}


class MNIST(SplitDataset):
    """Handwritten digits: grey Pillow images of 28 x 28 pixels, targets 0 .. 9.

    root: the folder that has MNIST/raw with the four IDX files, gzipped or not.
    data: uint8 [N, 28, 28]; targets: int64 [N].
    """

    folder = "MNIST/raw"
    resources: Mapping[str, File] = FILES
    mirrors: Sequence[str] = MIRRORS
    classes: list[str] = (
        "0 - zero,1 - one,2 - two,3 - three,4 - four,5 - five,6 - six,7 - seven,8 - eight,9 - nine"
    ).split(",")

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
        images, labels = read_part(self.files, part, self.resources, len(self.classes))
        return jitnet.from_numpy(images), jitnet.from_numpy(labels).long()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = image_of(self.data[index].numpy(), "L")
        return self.transformed(image, int(self.targets[index].item()))


class FashionMNIST(MNIST):
    """Zalando's clothes: grey Pillow images of 28 x 28 pixels, targets 0 .. 9.

    root: the folder that has FashionMNIST/raw with the four IDX files, gzipped or not.
    """

    folder = "FashionMNIST/raw"
    resources = _same_names(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    classes: list[str] = (
        "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
    ).split(",")


class KMNIST(MNIST):
    """Cursive Japanese characters: grey Pillow images of 28 x 28 pixels, targets 0 .. 9.

    root: the folder that has KMNIST/raw with the four IDX files, gzipped or not.
    """

    folder = "KMNIST/raw"
    resources = _same_names(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    )
    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    classes: list[str] = "o ki su tsu na ha ma ya re wo".split()
