"""The wheel: every package and data file inside, nothing generic beside it, runs from anywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("jitnet", "compiler", "runtime")
TRAIN = """
import jitnet as torch
from jitnet import nn, optim

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = optim.SGD(model.parameters(), lr=0.1)

@torch.compile
def step(x, y):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss

x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
losses = [step(x, y).item() for _ in range(20)]
assert losses[-1] < losses[0], losses
print(torch.__file__)
"""


def _run(*command: object, cwd: Path | str = "/") -> str:
    """Return what a command printed; its error text where it failed."""
    run = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, f"{' '.join(map(str, command))}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def _setuptools() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def _sources() -> dict[str, Path]:
    """Every source file by the path that the wheel gives it."""
    found = {}
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            inside = path.relative_to(ROOT)
            found[str(inside if part == "jitnet" else Path("jitnet") / inside)] = path
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout, so that no stale build/ can leak into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet"]
    _run(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, source)
    return next(folder.glob("jitnet-*.whl"))


@pytest.fixture(scope="module")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a bare environment that holds the wheel and sees only its dependencies."""
    venv = tmp_path_factory.mktemp("bare") / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    install = ["install", "--no-deps", "--no-index", "--quiet", wheel]
    _run(sys.executable, "-m", "pip", "--python", python, *install)
    site = Path(
        _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_every_package_folder_is_listed() -> None:
    listed = set(_setuptools()["packages"])
    needed = {str(Path(name).parent).replace("/", ".") for name in _sources()}
    assert listed == needed


def test_every_package_folder_has_an_init() -> None:
    names = _sources()
    folders = {Path(name).parent for name in names}
    assert not [folder for folder in folders if f"{folder}/__init__.py" not in names]


def test_the_wheel_holds_every_source_and_data_file(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    data = {f"jitnet/data/{path.name}" for path in (ROOT / "jitnet" / "data").glob("*.*")}
    assert inside >= {*_sources(), *data}
    assert {name.split("/")[0] for name in inside} == {"jitnet"}


def test_nothing_generic_is_installed(bare_python: Path) -> None:
    code = (
        "import importlib.util as u, jitnet, sysconfig\n"
        "assert jitnet.__file__.startswith(sysconfig.get_path('purelib')), jitnet.__file__\n"
        "print([name for name in ('compiler', 'runtime', 'tests', 'benchmarks', 'examples')"
        " if u.find_spec(name) and sysconfig.get_path('purelib') in str(u.find_spec(name))])"
    )
    assert _run(bare_python, "-c", code).strip() == "[]"


def test_the_command_runs_from_anywhere(bare_python: Path) -> None:
    assert "dump" in _run(bare_python, "-m", "jitnet", "--help")
    assert "dump" in _run(bare_python.parent / "jitnet", "--help")


def test_the_installed_package_compiles_and_trains(bare_python: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    assert str(bare_python.parents[1]) in _run(bare_python, script)
