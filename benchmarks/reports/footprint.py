"""What importing each peer takes: seconds, memory, and bytes on disk without extras."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
import tomllib
from importlib import metadata

from benchmarks.process import ROOT
from benchmarks.setup import Setup
from benchmarks.tables import Table, duration, number

TRIES = 5
OWN = ("jitnet", "compiler", "runtime")  # jitnet's packages in a checkout
CODE = "import {}; from benchmarks.memory import peak_megabytes; print(peak_megabytes())"


def run(setup: Setup) -> None:
    """Import and weigh the peers' packages, after Python alone; show and write the table."""
    packages = dict.fromkeys(peer.package for peer in setup.peers if not peer.lacks)
    rows = [_row("Python alone", "sys", {})]
    rows += [_row(package, package, disk_use(package)) for package in packages]
    columns = ("", "import, whole process", "peak MB", "own MB on disk", "MB with what it needs")
    table = Table("Packages", columns, tuple(rows))
    table.show(setup.console)
    (setup.folder / "packages.md").write_text(table.markdown())


def _row(title: str, module: str, sizes: dict[str, float]) -> tuple[str, ...]:
    seconds, peaks = [], []
    for _ in range(TRIES):
        start = time.perf_counter()
        command = [sys.executable, "-c", CODE.format(module)]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
        peaks.append(float(found.stdout))
    return (
        title,
        duration(1e3 * statistics.median(seconds)),
        number(statistics.median(peaks)),
        number(sizes.get(module, 0.0)),
        number(sum(sizes.values())),
    )


def disk_use(package: str) -> dict[str, float]:
    """Return the megabytes of a package and of all that it needs without extras, by name."""
    sizes: dict[str, float] = {}
    waiting = [package]
    while waiting:
        name = waiting.pop()
        if name not in sizes and (found := _size_and_needs(name)) is not None:
            sizes[name], needs = found
            waiting += needs
    return sizes


def _size_and_needs(name: str) -> tuple[float, list[str]] | None:
    """Return a package's megabytes and what it needs; None where it is not installed."""
    if name == "jitnet":
        files = [path for folder in OWN for path in (ROOT / folder).rglob("*")]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        needs = project["dependencies"]
    else:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return None
        files = [ROOT / file.locate() for file in distribution.files or []]
        needs = [each for each in distribution.requires or [] if "extra ==" not in each]
    kept = [path for path in files if path.is_file() and path.suffix != ".pyc"]
    return sum(path.stat().st_size for path in kept) / 1e6, [_name(each) for each in needs]


def _name(requirement: str) -> str:
    """Return the name at the beginning of a requirement, as installers compare names."""
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name.group()).lower()
