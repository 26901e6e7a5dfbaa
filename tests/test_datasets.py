"""The digits that ship, MNIST files right and wrong, and downloading from a local server."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.datasets import digits, mnist, read_idx
from jitnet.datasets import mnist as mnist_function
from jitnet.datasets.download import File, fetch

NAMES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}


def _idx(values: np.ndarray) -> bytes:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.astype(np.uint8).tobytes()


def _arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "train images": generator.integers(0, 256, (5, 28, 28)),
        "train labels": np.array([0, 9, 3, 4, 5]),
        "test images": generator.integers(0, 256, (2, 28, 28)),
        "test labels": np.array([1, 2]),
    }


def _write(folder: Path, zipped: bool = False, **changed: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for what, values in {
        **_arrays(),
        **{k.replace("_", " "): v for k, v in changed.items()},
    }.items():
        content = _idx(values)
        name = NAMES[what] + (".gz" if zipped else "")
        (folder / name).write_bytes(gzip.compress(content) if zipped else content)


def test_digits_ship_with_the_package() -> None:
    train, test = digits()
    assert (len(train), len(test)) == (1442, 355)
    images, labels = train.tensors
    assert tuple(images.shape) == (1442, 1, 8, 8)
    assert images.dtype is jitnet.float32
    assert labels.dtype is jitnet.int64
    assert images.min().item() == 0.0
    assert images.max().item() == 1.0
    for part in (train, test):
        counts = np.bincount(part.tensors[1].numpy(), minlength=10)
        assert counts.min() > 0.9 * counts.mean()


def test_digits_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the same digits")
    expected = sklearn.load_digits()
    parts = digits()
    pairs = [
        (image.tobytes(), int(label))
        for part in parts
        for image, label in zip(*(tensor.numpy() for tensor in part.tensors), strict=True)
    ]
    images = (expected.images / 16).astype(np.float32)[:, None]
    assert sorted(pairs) == sorted(
        (image.tobytes(), int(label)) for image, label in zip(images, expected.target, strict=True)
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_files(tmp_path: Path, zipped: bool) -> None:
    _write(tmp_path, zipped)
    train, test = mnist(tmp_path)
    assert tuple(train.tensors[0].shape) == (5, 1, 28, 28)
    assert train.tensors[1].tolist() == [0, 9, 3, 4, 5]
    assert len(test) == 2
    expected = _arrays()["test images"].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(test.tensors[0].numpy()[:, 0], expected)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_labels": np.array([0, 1, 2, 3, 10])}, "label 4 is 10, want 0 .. 9"),
        ({"train_labels": np.array([0, 1])}, r"a label for each of 5 images, got .* \[2\]"),
        (
            {"test_images": np.zeros((2, 27, 28))},
            r"want bytes \[N, 28, 28\], got uint8 \[2, 27, 28\]",
        ),
        ({"test_images": np.zeros(2)}, r"want bytes \[N, 28, 28\]"),
    ],
)
def test_mnist_files_that_do_not_fit(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    _write(tmp_path, **changed)
    with pytest.raises(ValueError, match=message):
        mnist(tmp_path)


def test_mnist_never_downloads_by_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither train-images-idx3-ubyte\.gz nor"):
        mnist(tmp_path)
    assert list(tmp_path.iterdir()) == []


GOOD = _idx(np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes, want at least 4"),
        (b"\x89PNG and so on", "magic number is 0x89504e47"),
        (b"\x00\x00\x07\x01" + GOOD, "magic number is 0x00000701"),
        (GOOD[:9], "cut off: 9 bytes, its 2 dims need 12"),
        (GOOD[:-1], r"cut off: its dims \(2, 3\) of uint8 need 18 bytes, it has 17"),
        (GOOD + b"\0", "too long"),
        (gzip.compress(GOOD)[:-9], "damaged gzip file"),
        (b"\x1f\x8bnothing", "damaged gzip file"),
    ],
)
def test_bad_idx_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file-idx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(path)


def test_idx_types(tmp_path: Path) -> None:
    path = tmp_path / "file-idx"
    path.write_bytes(b"\0\0\x0b\x01" + struct.pack(">I", 2) + struct.pack(">2h", -2, 300))
    assert read_idx(path).tolist() == [-2, 300]
    assert read_idx(path).dtype == np.int16
    path.write_bytes(b"\0\0\x0e\x01" + struct.pack(">I", 1) + struct.pack(">d", 0.1))
    assert read_idx(path).tolist() == [0.1]
    path.write_bytes(b"\0\0\x08\x00\x07")
    assert read_idx(path).shape == ()


# Downloading


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server on this machine: its address, and the folder that it shows."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", folder
        served.shutdown()
        thread.join()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_download_checks_and_tries_the_next_mirror(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = server
    for name, content in (("bad", b"wrong"), ("good", b"right")):
        (folder / name).mkdir()
        (folder / name / "file").write_bytes(content)
    target = tmp_path / "target"
    file = File("file", _md5(b"right"))
    fetch([file], target, [f"{url}/absent", f"{url}/bad/", f"{url}/good"])
    assert (target / "file").read_bytes() == b"right"
    assert [path.name for path in target.iterdir()] == ["file"]


def test_a_wrong_download_leaves_nothing(server: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = server
    (folder / "file").write_bytes(b"wrong")
    target = tmp_path / "target"
    with pytest.raises(ConnectionError, match=r"(?s)file: its MD5 is .*, want 0000.*404"):
        fetch([File("file", "0000")], target, [url, f"{url}/absent"])
    assert list(target.iterdir()) == []
    with pytest.raises(ValueError, match="at least one mirror"):
        fetch([File("file", "0000")], target, [])


def test_mnist_downloads_what_is_missing(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = server
    _write(folder, zipped=True)
    module = __import__("sys").modules[mnist_function.__module__]
    files = {
        what: File(f"{name}.gz", _md5((folder / f"{name}.gz").read_bytes()))
        for what, name in NAMES.items()
    }
    monkeypatch.setattr(module, "FILES", files)
    target = tmp_path / "mnist"
    train, _ = mnist(target, download=True, mirrors=[url])
    assert len(train) == 5
    for path in folder.iterdir():
        path.unlink()
    assert len(mnist(target, download=True, mirrors=[url]).test) == 2


def test_the_real_mnist() -> None:
    folder = Path(os.environ.get("JITNET_DATA", "../shared/data")) / "mnist"
    if not folder.is_dir():
        pytest.skip(f"no MNIST files in {folder}")
    train, test = mnist(folder)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert test.tensors[1][:5].tolist() == [7, 2, 1, 0, 4]
