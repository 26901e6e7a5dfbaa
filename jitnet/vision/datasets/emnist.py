"""EMNIST: handwritten digits and letters in MNIST's form, six ways to sort them."""

from __future__ import annotations

import string
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, ClassVar

from jitnet.datasets.download import File, fetch
from jitnet.datasets.mnist import FILES

from .mnist import MNIST
from .vision import Root

ARCHIVE = File("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e")
_BOTH_CASES = sorted(string.digits + string.ascii_letters)
_MERGED = sorted(set(_BOTH_CASES) - set("cijklmopsuvwxyz"))  # as capitals look


class EMNIST(MNIST):
    """Handwritten characters: grey Pillow images of 28 x 28 pixels, transposed as the files are.

    root: the folder that has EMNIST/raw with the split's four IDX files, gzipped or not.
    split: which classes: one of `splits`. download=True fetches all of them at once.
    """

    folder = "EMNIST/raw"
    mirrors: Sequence[str] = ("https://biometrics.nist.gov/cs_links/EMNIST/",)
    classes_split_dict: ClassVar[Mapping[str, list[str]]] = {
        "byclass": _BOTH_CASES,
        "bymerge": _MERGED,
        "balanced": _MERGED,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }
    splits: ClassVar[tuple[str, ...]] = tuple(classes_split_dict)

    def __init__(self, root: Root, split: str, **options: Any) -> None:
        if split not in self.splits:
            raise ValueError(f"split wants one of {self.splits}, got {split!r}")
        self.split = split
        self.classes = self.classes_split_dict[split]
        self.resources = _files(split)
        super().__init__(root, **options)

    def download(self) -> None:
        """Fetch the archive and unpack its IDX files, if one of the split's is not there."""
        named = [self.files / file.name for file in self.resources.values()]
        if all(path.is_file() or path.with_suffix("").is_file() for path in named):
            return
        fetch([ARCHIVE], self.files, self.mirrors)
        archive = self.files / ARCHIVE.name
        with zipfile.ZipFile(archive) as held:
            for member in held.namelist():
                name = PurePosixPath(member).name
                if name.startswith("emnist-") and name.endswith("-ubyte.gz"):
                    (self.files / name).write_bytes(held.read(member))
        archive.unlink()


def _files(split: str) -> Mapping[str, File]:
    """Return a split's files; their MD5s are not known, that of the archive is."""
    words = {"images": "images-idx3-ubyte.gz", "labels": "labels-idx1-ubyte.gz"}
    pairs = ((what, *what.split()) for what in FILES)
    return {what: File(f"emnist-{split}-{part}-{words[kind]}", "") for what, part, kind in pairs}
