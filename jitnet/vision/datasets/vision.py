"""VisionDataset: what data sets of images have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jitnet.utils.data import Dataset

Transform = Callable[[Any], Any]
Root = str | os.PathLike[str]


class VisionDataset(Dataset[tuple[Any, Any]]):
    """Samples (image, target), each changed by its transform, or both by `transforms` at once."""

    def __init__(
        self,
        root: Root | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError("give either transforms, or transform and target_transform")
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transforms = transforms
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self)")

    def transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """Return a sample as the transforms make it."""
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def extra_repr(self) -> str:
        """Return what a subclass says of itself."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += self.extra_repr().splitlines()
        chain = [] if self.transforms is None else [repr(self.transforms)]
        if self.transform is not None or self.target_transform is not None:
            chain = ["StandardTransform"]
            chain += _indented("Transform: ", self.transform)
            chain += _indented("Target transform: ", self.target_transform)
        head = "\n    ".join([f"Dataset {type(self).__name__}", *lines, *chain[:1]])
        return "\n".join([head, *chain[1:]])


class SplitDataset(VisionDataset):
    """One of a set's two halves, read from files under root; `train` says which."""

    folder: str  # of the files, under root
    classes: list[str]

    def __init__(
        self,
        root: Root,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        try:
            self.data, self.targets = self._read()
        except FileNotFoundError as error:
            raise RuntimeError(
                f"Dataset not found. You can use download=True to download it: {error}"
            ) from error

    @property
    def files(self) -> Path:
        """Where the files are."""
        return Path(str(self.root)) / self.folder

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: number for number, name in enumerate(self.classes)}

    def download(self) -> None:
        """Fetch the files that are not there."""
        raise NotImplementedError

    def _read(self) -> tuple[Any, Any]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


def _indented(head: str, transform: Transform | None) -> list[str]:
    if transform is None:
        return []
    first, *others = repr(transform).splitlines()
    return [head + first, *(" " * len(head) + line for line in others)]
