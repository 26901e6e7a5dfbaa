"""The examples run as a user runs them, and learn."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def _run(*args: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, *args], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_digits_learns() -> None:
    text = _run("examples/digits.py", "--epochs", "12")
    accuracies = [float(found) for found in re.findall(r"([\d.]+)%", text)]
    assert len(accuracies) == 2
    assert min(accuracies) > 93
    assert "python -m jitnet dump" in text


def _write_idx(path: Path, values: np.ndarray) -> None:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


def test_mnist_reads_idx_files_and_trains(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", 256), ("t10k", 100)):
        labels = random.integers(0, 10, count)
        images = random.integers(0, 50, (count, 28, 28))
        images[np.arange(count), labels * 2] = 255  # a bright row tells the class
        _write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        _write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels)
    options = ("--data", str(tmp_path), "--epochs", "2", "--batch", "32")
    text = _run("examples/mnist.py", *options)
    assert re.search(r"epoch 2: loss [\d.]+, test accuracy [\d.]+%", text)


def test_mnist_without_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"has neither train-images-idx3-ubyte\.gz"):
        _run("examples/mnist.py", "--data", str(tmp_path))
