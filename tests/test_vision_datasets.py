"""Data sets of images, read from small files made here."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jitnet
from jitnet.datasets import cifar, cifar10, read_cifar
from jitnet.datasets.download import File
from jitnet.utils.data import DataLoader
from jitnet.vision import datasets, transforms
from jitnet.vision.datasets import emnist
from tests.vision_oracle import check_same, oracle

RANDOM = np.random.default_rng(0)


def _write_idx(path: Path, values: np.ndarray) -> None:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


def write_mnist(folder: Path) -> None:
    """Write the four IDX files: 6 images to learn from, 3 to test with."""
    folder.mkdir(parents=True)
    for part, count in (("train", 6), ("t10k", 3)):
        _write_idx(folder / f"{part}-images-idx3-ubyte", RANDOM.integers(0, 256, (count, 28, 28)))
        _write_idx(folder / f"{part}-labels-idx1-ubyte", np.arange(count) + 2)


def cifar_bytes(count: int) -> bytes:
    """Return a binary file of `count` images, of classes 0, 1, 2 ..."""
    records = RANDOM.integers(0, 256, (count, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(count) % 10
    return records.tobytes()


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
@pytest.mark.parametrize("train", [True, False])
def test_mnist_is_torchvisions(tmp_path: Path, name: str, train: bool) -> None:
    theirs = getattr(oracle("datasets"), name)
    write_mnist(tmp_path / name / "raw")
    options: dict[str, Any] = {"train": train, "target_transform": lambda target: target + 1}
    ours, expected = getattr(datasets, name)(tmp_path, **options), theirs(tmp_path, **options)
    assert len(ours) == len(expected)
    assert ours.classes == expected.classes
    assert ours.class_to_idx == expected.class_to_idx
    check_same(ours.data, expected.data)
    check_same(ours.targets, expected.targets)
    for (image, target), (wanted, wanted_target) in zip(ours, expected, strict=False):
        check_same(image, wanted)
        assert target == wanted_target
    chain = transforms.Compose([transforms.ToTensor()])
    ours, expected = getattr(datasets, name)(tmp_path, train, chain), theirs(tmp_path, train, chain)
    assert repr(ours) == repr(expected)


def test_mnist_feeds_a_loader(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    chain = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    images, labels = next(iter(DataLoader(datasets.MNIST(tmp_path, transform=chain), batch_size=4)))
    assert tuple(images.shape) == (4, 1, 28, 28)
    assert images.dtype is jitnet.float32
    assert labels.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"])
def test_absent_files_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeError, match=r"download=True to download it: .*(ubyte|\.bin)"):
        getattr(datasets, name)(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _write_cifar(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in cifar.TEN.train:
        (folder / name).write_bytes(cifar_bytes(3))
    (folder / cifar.TEN.test[0]).write_bytes(cifar_bytes(12))


def test_cifar_reads_the_binary_version(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    _write_cifar(folder)
    train, test = datasets.CIFAR10(tmp_path), datasets.CIFAR10(str(tmp_path), train=False)
    assert (len(train), len(test)) == (15, 12)
    assert test.targets == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert train.data.shape == (15, 32, 32, 3)
    image, target = test[7]
    assert (image.mode, image.size, test.classes[target]) == ("RGB", (32, 32), "horse")
    raw = np.fromfile(folder / "test_batch.bin", np.uint8).reshape(-1, 3073)[7, 1:]
    np.testing.assert_array_equal(np.asarray(image).transpose(2, 0, 1).ravel(), raw)
    splits = cifar10(folder)
    assert tuple(splits.train.tensors[0].shape) == (15, 3, 32, 32)
    np.testing.assert_array_equal(
        splits.test.tensors[0][7].numpy().ravel(), raw.astype(np.float32) / np.float32(255)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "it has 0 bytes"), (b"x" * 3072, "want 3073 an image"), (b"\x0a" * 3073, "label 0 is")],
)
def test_bad_cifar_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_cifar(tmp_path / "data_batch_1.bin")


def test_cifar_downloads_and_unpacks_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    with tarfile.open(served / cifar.TEN.archive.name, "w:gz") as tar:
        for name in (*cifar.TEN.train, *cifar.TEN.test, "../../evil"):
            info = tarfile.TarInfo(f"{cifar.TEN.folder}/{name}")
            content = cifar_bytes(2)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    digest = hashlib.md5((served / cifar.TEN.archive.name).read_bytes(), usedforsecurity=False)
    archive = File(cifar.TEN.archive.name, digest.hexdigest())
    monkeypatch.setattr(datasets.CIFAR10, "form", replace(cifar.TEN, archive=archive))
    monkeypatch.setattr(datasets.CIFAR10, "mirrors", (served.as_uri(),))
    assert len(datasets.CIFAR10(tmp_path / "data", download=True)) == 10
    names = sorted(path.name for path in (tmp_path / "data" / cifar.TEN.folder).iterdir())
    assert names == sorted([*cifar.TEN.train, *cifar.TEN.test])
    (served / cifar.TEN.archive.name).unlink()
    assert len(datasets.CIFAR10(tmp_path / "data", train=False, download=True)) == 2


def test_cifar100_takes_the_second_label_and_its_names_from_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for name, count in (("train.bin", 3), ("test.bin", 2)):
        records = RANDOM.integers(0, 20, (count, 3074)).astype(np.uint8)
        records[:, 1] = 99 - np.arange(count)
        (folder / name).write_bytes(records.tobytes())
    names = [f"kind{number}" for number in range(100)]
    (folder / "fine_label_names.txt").write_text("\n".join(names) + "\n")
    train, test = datasets.CIFAR100(tmp_path), datasets.CIFAR100(tmp_path, train=False)
    assert (train.targets, test.targets) == ([99, 98, 97], [99, 98])
    assert test.class_to_idx["kind98"] == 98
    raw = np.fromfile(folder / "test.bin", np.uint8).reshape(2, 3074)[1, 2:]
    np.testing.assert_array_equal(np.asarray(test[1][0]).transpose(2, 0, 1).ravel(), raw)
    (folder / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(ValueError, match="has 1 names, want 100"):
        datasets.CIFAR100(tmp_path)


@pytest.mark.parametrize("split", ["byclass", "balanced", "letters", "digits"])
def test_emnist_is_torchvisions(tmp_path: Path, split: str) -> None:
    theirs = oracle("datasets").EMNIST
    write_emnist(tmp_path / "EMNIST" / "raw", split)
    ours, expected = datasets.EMNIST(tmp_path, split), theirs(tmp_path, split)
    assert ours.classes == expected.classes
    check_same(ours.data, expected.data)
    check_same(ours.targets, expected.targets)


def write_emnist(folder: Path, split: str) -> None:
    """Write a split's files for training: 4 images."""
    folder.mkdir(parents=True)
    _write_idx(folder / f"emnist-{split}-train-images-idx3-ubyte", np.ones((4, 28, 28)))
    _write_idx(folder / f"emnist-{split}-train-labels-idx1-ubyte", np.arange(4) + 6)


def test_emnist_downloads_and_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = tmp_path / "served"
    write_emnist(served, "digits")
    with zipfile.ZipFile(served / "gzip.zip", "w") as archive:
        for path in served.glob("*-ubyte"):
            archive.writestr(f"gzip/{path.name}.gz", gzip.compress(path.read_bytes()))
        archive.writestr("../emnist-evil", b"")
    digest = hashlib.md5((served / "gzip.zip").read_bytes(), usedforsecurity=False)
    monkeypatch.setattr(emnist, "ARCHIVE", File("gzip.zip", digest.hexdigest()))
    monkeypatch.setattr(datasets.EMNIST, "mirrors", (served.as_uri(),))
    data = datasets.EMNIST(tmp_path / "data", "digits", download=True)
    assert data.targets.tolist() == [6, 7, 8, 9]
    names = sorted(path.name for path in (tmp_path / "data" / "EMNIST" / "raw").iterdir())
    assert names == [
        f"emnist-digits-train-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")
    ]


def test_emnist_names_its_splits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"split wants one of .*'letters'"):
        datasets.EMNIST(tmp_path, "capitals")


def _write_images(root: Path) -> None:
    for name in ("cat/b.png", "cat/a.JPG", "dog/deep/er/c.bmp", "dog/d.ppm"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = RANDOM.integers(0, 256, (5, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(path, format="PNG")
    (root / "dog" / "notes.txt").write_text("no image")
    (root / "beside.png").write_text("in no class")


def test_image_folder_is_torchvisions(tmp_path: Path) -> None:
    _write_images(tmp_path)
    theirs = oracle("datasets").ImageFolder(str(tmp_path))
    ours = datasets.ImageFolder(str(tmp_path))
    for name in ("classes", "class_to_idx", "samples", "imgs", "targets"):
        assert getattr(ours, name) == getattr(theirs, name)
    for (image, target), (wanted, wanted_target) in zip(ours, theirs, strict=False):
        check_same(image, wanted)
        assert target == wanted_target
    assert repr(ours) == repr(theirs)


def test_image_folder(tmp_path: Path) -> None:
    _write_images(tmp_path)
    found = datasets.ImageFolder(tmp_path, transforms.ToTensor())
    assert found.classes == ["cat", "dog"]
    names = [os.path.relpath(path, tmp_path) for path, _ in found.samples]
    assert names == ["cat/a.JPG", "cat/b.png", "dog/d.ppm", "dog/deep/er/c.bmp"]
    assert found.targets == [0, 0, 1, 1]
    assert tuple(found[3][0].shape) == (3, 5, 4)
    only = datasets.ImageFolder(
        tmp_path, is_valid_file=lambda path: path.endswith("m"), allow_empty=True
    )
    assert len(only) == 1
    texts = datasets.DatasetFolder(
        tmp_path, lambda path: Path(path).read_text(), extensions=(".txt",), allow_empty=True
    )
    assert texts[0] == ("no image", 1)


def test_image_folder_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="any class folder"):
        datasets.ImageFolder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"classes empty. Supported .*\.jpg"):
        datasets.ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="one of them"):
        datasets.DatasetFolder(tmp_path, open)


def test_fake_data_is_the_same_each_time_and_leaves_the_seed_alone() -> None:
    jitnet.manual_seed(0)
    expected = jitnet.rand(1).item()
    fake = datasets.FakeData(5, (3, 4, 6), 7, transforms.PILToTensor())
    jitnet.manual_seed(0)
    image, target = fake[3]
    assert jitnet.rand(1).item() == expected
    assert tuple(image.shape) == (3, 4, 6)
    assert 0 <= target < 7
    np.testing.assert_array_equal(image.numpy(), fake[3][0].numpy())
    assert not jitnet.equal(image, fake[2][0])
    moved = datasets.FakeData(5, (3, 4, 6), 7, transforms.PILToTensor(), random_offset=1)
    assert jitnet.equal(moved[2][0], image)
    with pytest.raises(IndexError, match=r"0 \.\. 4, got 5"):
        fake[5]
    assert len(list(fake)) == 5


def test_transforms_are_given_one_way() -> None:
    with pytest.raises(ValueError, match="either transforms"):
        datasets.VisionDataset("x", transforms=lambda x, y: (x, y), transform=lambda x: x)
    both = datasets.VisionDataset("x", transforms=lambda x, y: (y, x))
    assert both.transformed(1, 2) == (2, 1)
