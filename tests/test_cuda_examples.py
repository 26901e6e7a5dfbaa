"""The examples with --device cuda: one is small enough for the simulated GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import jitnet
from tests.gpu_fixture import REAL
from tests.test_more_examples import number, write_mnist
from tests.test_more_examples import run as run

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu", "defaults")]
real = pytest.mark.skipif(not REAL, reason="takes minutes in the simulator")

Run = Callable[..., str]
THERE = ("--device", "cuda")


@pytest.fixture
def defaults() -> Iterator[None]:
    """Put the default device back, which the examples set."""
    yield
    jitnet.set_default_device(None)


@real
def test_char_gpt(run: Run, tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("so long lives this, and this gives life to thee.\n" * 40)
    small = "--batch 16 --context 8 --width 16 --depth 1 --write 9 --steps 80".split()
    text = run("char_gpt", "--data", str(tmp_path), *THERE, *small)
    assert number(r"held-out loss ([\d.]+)", text) < 2.0


def test_vae(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist", train=16, test=30)
    small = "--batch 8 --hidden 8 --latent 2 --epochs 1".split()
    text = run("vae", "--data", data, *THERE, *small)
    assert number(r"test bound ([\d.]+)", text) < 700
    assert (tmp_path / "vae.png").exists()


@real
def test_names_lstm(run: Run, tmp_path: Path) -> None:
    for language, names in (("Aish", "abc cab bca acb"), ("Zish", "xyz zyx yxz zxy")):
        (tmp_path / f"{language}.txt").write_text("\n".join(names.split() * 25))
    small = "--batch 32 --width 16 --epochs 8".split()
    text = run("names_lstm", "--data", str(tmp_path), *THERE, *small)
    assert "Nakamura" in text and number(r"held-out accuracy ([\d.]+)%", text) > 90


@real
def test_mnist(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    text = run("mnist", "--data", data, *THERE, *"--batch 32 --epochs 20".split())
    assert number(r"epoch 20: .* test accuracy ([\d.]+)%", text) > 90


@real
def test_dcgan(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    text = run("dcgan", "--data", data, *THERE, *"--batch 16 --width 4 --epochs 1".split())
    assert 0 <= number(r"with (\d+)%", text) <= 100


@real
def test_distill(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist")
    small = "--epochs 2 --images 100 --student-epochs 2 --width 8".split()
    assert "student, taught" in run("distill", "--data", data, *THERE, *small)


@real
def test_transfer(run: Run, tmp_path: Path) -> None:
    data = write_mnist(tmp_path / "mnist", train=256)
    small = "--epochs 2 --images 64 --few-epochs 4".split()
    assert "then fine-tuned" in run("transfer", "--data", data, *THERE, *small)
