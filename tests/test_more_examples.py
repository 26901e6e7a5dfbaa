"""The examples run on little data, compiled and eagerly, and say what they promise."""

from __future__ import annotations

import importlib
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
RANDOM = np.random.default_rng(0)

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run an example's main in an empty folder with these options; return what it printed."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)

    def main(name: str, *options: str) -> str:
        module = importlib.import_module(name)
        capsys.readouterr()
        module.main(options)
        return capsys.readouterr().out

    return main


def number(pattern: str, text: str) -> float:
    """Return the number that a pattern's group finds in a text."""
    found = re.search(pattern, text)
    assert found, text
    return float(found[1])


def write_mnist(folder: Path, train: int = 128, test: int = 64) -> str:
    """Write IDX files of images whose bright rows tell their class; return the folder."""
    folder.mkdir(exist_ok=True)
    for part, count in (("train", train), ("t10k", test)):
        labels = np.arange(count) % 10
        images = RANDOM.integers(0, 50, (count, 28, 28))
        images[np.arange(count), labels * 2 + 4] = 255
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(">HBB", 0, 8, values.ndim)
            head += struct.pack(f">{values.ndim}I", *values.shape)
            (folder / f"{part}-{name}-ubyte").write_bytes(head + values.astype(np.uint8).tobytes())
    return str(folder)


def test_char_gpt(run: Run, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("so long lives this, and this gives life to thee.\n" * 40)
    small = "--batch 16 --context 8 --width 16 --depth 1 --write 9 --steps 80".split()
    text = run("char_gpt", "--data", str(tmp_path), *small)
    assert number(r"held-out loss ([\d.]+)", text) < 2.0  # 18 letters by chance: 2.9


def test_names_lstm(run: Run, tmp_path: Path) -> None:
    for language, letters in (("Aish", "abc"), ("Zish", "xyz")):
        names = {"".join(RANDOM.choice(list(letters), 5)) for _ in range(100)}
        (tmp_path / f"{language}.txt").write_text("\n".join(sorted(names)))
    small = "--batch 32 --width 16 --epochs 8".split()
    text = run("names_lstm", "--data", str(tmp_path), *small)
    assert number(r"held-out accuracy ([\d.]+)%", text) > 90
    assert "Nakamura" in text
    with pytest.raises(SystemExit, match=r"no \.txt files"):
        run("names_lstm", "--data", str(tmp_path / "absent"))


def test_vae(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    small = "--batch 32 --hidden 32 --latent 4 --epochs 10".split()
    text = run("vae", "--data", data, *small)
    assert number(r"test bound ([\d.]+)", text) < 460  # a grey picture: 543
    with Image.open(tmp_path / "vae.png") as picture:
        assert picture.size == (10 * 30 + 2, 9 * 30 + 2)


def test_dcgan(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    text = run("dcgan", "--data", data, *"--batch 16 --width 4 --epochs 1".split())
    assert 0 <= number(r"with (\d+)%", text) <= 100
    with Image.open(tmp_path / "dcgan.png") as picture:
        assert picture.size == (8 * 30 + 2, 8 * 30 + 2)


def test_eager_gives_what_compiled_gives(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist", 32)
    small = "--batch 16 --hidden 8 --latent 2 --epochs 2".split()
    compiled, eager = (run("vae", "--data", data, *small, *more) for more in ((), ("--eager",)))
    bound = r"test bound ([\d.]+)"
    assert number(bound, compiled) == pytest.approx(number(bound, eager), abs=0.11)


def test_the_real_names_are_told_apart(run: Run) -> None:
    folder = Path(os.environ.get("JITNET_DATA", EXAMPLES.parent / "../shared/data")) / "names"
    if not folder.is_dir():
        pytest.skip(f"no names in {folder}")
    text = run("names_lstm", "--data", str(folder.resolve()), *"--epochs 1 --width 32".split())
    assert number(r"held-out accuracy ([\d.]+)%", text) > 55  # the largest language: 47 %


def test_forecast(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    months = np.arange(144)
    counts = np.exp(5 + months / 100 + 0.2 * np.sin(months * np.pi / 6))
    rows = [
        f'"{1949 + m // 12}-{m % 12 + 1:02}",{c:.2f}' for m, c in zip(months, counts, strict=True)
    ]
    (tmp_path / "airline-passengers.csv").write_text("\n".join(["month,count", *rows]))
    small = "--steps 60 --window 12 --width 8".split()
    text = run("forecast", "--data", str(tmp_path), *small)
    assert number(r"forecast ([\d.]+)%", text) < number(r"again ([\d.]+)%", text)
    assert (tmp_path / "forecast.png").stat().st_size > 5000


def test_resnet_cifar(run: Run, tmp_path: Path) -> None:
    for name, count in (("data_batch_1", 96), ("test_batch", 40)):
        records = RANDOM.integers(0, 90, (count, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(count) % 2
        bright = (
            1 + 1024 * (np.arange(count)[:, None] % 2) + np.arange(1024)
        )  # the first colour or the second
        np.put_along_axis(records, bright, 200, 1)
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    text = run("resnet_cifar", "--data", str(tmp_path), *"--epochs 3 --batch 16 --width 4".split())
    assert number(r"test accuracy ([\d.]+)%", text) > 90


def test_transfer_loads_what_it_saved(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist", 512)
    small = "--epochs 8 --images 10 --few-epochs 4".split()
    first = run("transfer", "--data", data, *small)
    assert "wrote digits_0_to_4.safetensors" in first
    assert "51,589 of 64,837" in first
    again = run("transfer", "--data", data, *small)
    assert "starting from digits_0_to_4.safetensors" in again
    accuracies = [float(share) for share in re.findall(r"([\d.]+)%", again)]
    assert len(accuracies) == 3


def test_distill(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist", 300)
    small = "--epochs 3 --images 300 --student-epochs 30 --width 16".split()
    text = run("distill", "--data", data, *small)
    teacher, alone, taught = (float(share) for share in re.findall(r"([\d.]+)%", text))
    assert min(teacher, alone, taught) > 80
