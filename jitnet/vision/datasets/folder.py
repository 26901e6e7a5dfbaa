"""ImageFolder: a folder for each class, and in it, at any depth, that class's images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..pillow import Image
from .vision import Root, Transform, VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

Samples = list[tuple[str, int]]
Valid = Callable[[str], bool]


def default_loader(path: Root) -> Any:
    """Return a file's image in RGB."""
    with Image.open(path) as image:
        return image.convert("RGB")


class DatasetFolder(VisionDataset):
    """Samples in files, a folder for each class: root/dog/a.ext, root/dog/more/b.ext, root/cat/ ...

    loader: makes a sample of a path. extensions, or is_valid_file: which files are samples.
    classes: the folders in order of their names; samples: (path, class); targets: the classes.
    allow_empty: whether a class may have no samples.
    """

    def __init__(
        self,
        root: Root,
        loader: Callable[[str], Any],
        extensions: Sequence[str] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Valid | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        directory = str(self.root)
        self.classes, self.class_to_idx = self.find_classes(directory)
        self.samples = self.make_dataset(
            directory, self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.loader = loader
        self.extensions = extensions
        self.targets = [target for _, target in self.samples]

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        """Return the classes that a folder has folders for, and their numbers."""
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return classes, {name: number for number, name in enumerate(classes)}

    @staticmethod
    def make_dataset(
        directory: str,
        class_to_idx: dict[str, int],
        extensions: Sequence[str] | None = None,
        is_valid_file: Valid | None = None,
        allow_empty: bool = False,
    ) -> Samples:
        """Return the samples of all classes, in order of classes and paths."""
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("give extensions or is_valid_file, one of them")
        is_sample = is_valid_file or _ends_with(extensions or ())
        samples: Samples = []
        empty = []
        for name in sorted(class_to_idx):
            paths = [path for path in _files(Path(directory) / name) if is_sample(path)]
            samples += [(path, class_to_idx[name]) for path in paths]
            if not paths:
                empty.append(name)
        if empty and not allow_empty:
            wanted = f" Supported extensions are: {', '.join(extensions)}" if extensions else ""
            raise FileNotFoundError(
                f"Found no valid file for the classes {', '.join(empty)}.{wanted}"
            )
        return samples

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self.transformed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images, a folder for each class: root/dog/a.png, root/dog/more/b.png, root/cat/ ..."""

    def __init__(
        self,
        root: Root,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Valid | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform,
            target_transform,
            is_valid_file,
            allow_empty,
        )
        self.imgs = self.samples


def _ends_with(extensions: Sequence[str]) -> Valid:
    endings = tuple(extensions)
    return lambda path: path.lower().endswith(endings)


def _files(folder: Path) -> list[str]:
    """Return all files under a folder, those of one folder together, by name."""
    walked = sorted(os.walk(folder, followlinks=True))
    return [os.path.join(place, name) for place, _, names in walked for name in sorted(names)]
