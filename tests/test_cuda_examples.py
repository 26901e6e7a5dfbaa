"""The examples with --device cuda: learning on a real GPU, and all but the arithmetic without one.

A simulated GPU whose kernels do nothing shows that each example's tensors are where they belong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import jitnet
from tests.gpu_fixture import REAL, need_numba
from tests.simulated_gpu import SimulatedDriver, SimulatedPlatform
from tests.simulated_kernels import NoKernels
from tests.test_more_examples import number, write_mnist
from tests.test_more_examples import run as run

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu_or_none")]

Run = Callable[..., str]
THERE = ("--device", "cuda")


@pytest.fixture
def gpu_or_none() -> Iterator[None]:
    """Give the real GPU or one that computes nothing; put the default device back afterwards."""
    need_numba()
    from jitnet.runtime.cuda import gpu as gpus

    if REAL and (reason := gpus.platform().why_not()):
        pytest.skip(reason)
    if REAL:
        yield
    else:
        before = gpus.install(SimulatedPlatform(SimulatedDriver(kernels=NoKernels())))
        yield
        gpus.install(before)
    jitnet.set_default_device(None)


def learned(text: str, pattern: str, least: float) -> None:
    """Assert that a number was printed, and on a GPU that computes, one so large."""
    assert re.search(pattern, text), text
    assert not REAL or number(pattern, text) > least


def test_char_gpt(run: Run, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("so long lives this, and this gives life to thee.\n" * 40)
    small = "--batch 16 --context 8 --width 16 --depth 1 --write 9 --steps 80".split()
    text = run("char_gpt", "--data", str(tmp_path), *THERE, *small)
    assert number(r"held-out loss ([\d.]+)", text) < 2.0


def test_vae(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    small = "--batch 32 --hidden 32 --latent 4 --epochs 10".split()
    text = run("vae", "--data", data, *THERE, *small)
    assert number(r"test bound ([\d.]+)", text) < 460
    assert (tmp_path / "vae.png").exists()


def test_names_lstm(run: Run, tmp_path: Path) -> None:
    for language, names in (("Aish", "abc cab bca acb"), ("Zish", "xyz zyx yxz zxy")):
        (tmp_path / f"{language}.txt").write_text("\n".join(names.split() * 25))
    small = "--batch 32 --width 16 --epochs 8".split()
    text = run("names_lstm", "--data", str(tmp_path), *THERE, *small)
    learned(text, r"held-out accuracy ([\d.]+)%", 90)


def test_forecast(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    counts = np.exp(5 + np.arange(144) / 100)
    rows = [f'"{1949 + m // 12}-{m % 12 + 1:02}",{c:.2f}' for m, c in enumerate(counts)]
    (tmp_path / "airline-passengers.csv").write_text("\n".join(["month,count", *rows]))
    text = run("forecast", "--data", str(tmp_path), *THERE, *"--steps 3 --width 8".split())
    assert "mean error: forecast" in text


def test_resnet_cifar(run: Run, tmp_path: Path) -> None:
    for name, count in (("data_batch_1", 32), ("test_batch", 8)):
        records = np.random.default_rng(0).integers(0, 10, (count, 3073)).astype(np.uint8)
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    small = "--epochs 1 --batch 16 --width 4".split()
    text = run("resnet_cifar", "--data", str(tmp_path), *THERE, *small)
    learned(text, r"test accuracy (-?[\d.]+)%", -1)


def test_mnist(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    text = run("mnist", "--data", data, *THERE, *"--batch 32 --epochs 20".split())
    learned(text, r"epoch 20: .* test accuracy ([\d.]+)%", 90)


def test_dcgan(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    text = run("dcgan", "--data", data, *THERE, *"--batch 16 --width 4 --epochs 1".split())
    assert 0 <= number(r"with (\d+)%", text) <= 100


def test_distill(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    small = "--epochs 2 --images 100 --student-epochs 2 --width 8".split()
    assert "student, taught" in run("distill", "--data", data, *THERE, *small)


def test_transfer(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist", train=256)
    small = "--epochs 2 --images 32 --few-epochs 4".split()
    assert "then fine-tuned" in run("transfer", "--data", data, *THERE, *small)


def test_digits(run: Run) -> None:
    text = run("digits", *THERE, "--epochs", "2")
    learned(text, r"CNN\D+[\d.na]+\D+([\d.]+)%", 80)
