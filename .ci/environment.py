"""Make .venv ready: `python environment.py [extra ...]` installs this checkout with those extras.

What was installed is remembered in .venv/jitnet.json; a second call with the same Python, the same
pyproject.toml and no new extra does nothing and needs no network.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
MARKER = VENV / "jitnet.json"
PYTHON = VENV / "bin" / "python"
VENV_FAILED = (
    "{python} could not make a virtual environment in {venv} (its words are above). On Debian and "
    "Ubuntu the missing part is a package: apt install python3-venv"
)
INSTALL_FAILED = (
    "pip could not install jitnet{extras} for Python {version} (its words are above). Is the "
    "package index reachable, and does it have these packages for this Python?"
)


@dataclass(frozen=True)
class Installed:
    """What a .venv was made from, and which extras it holds."""

    python: str
    checkout: str
    pyproject: str
    extras: tuple[str, ...] = ()


def wanted() -> Installed:
    """Return what a fresh .venv made here and now would be."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return Installed(python, str(ROOT), digest)


def found() -> Installed | None:
    """Return what .venv says of itself, or None where it is absent, foreign or unfinished."""
    try:
        record = json.loads(MARKER.read_text())
        return Installed(**{**record, "extras": tuple(record["extras"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def works() -> bool:
    """Whether .venv's interpreter still starts."""
    try:
        return subprocess.run([PYTHON, "-c", ""], check=False).returncode == 0
    except OSError:
        return False


def create(new: Installed) -> None:
    """Make an empty .venv in place of what was there."""
    print(f"Making .venv with {new.python}", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    if subprocess.run([sys.executable, "-m", "venv", VENV], check=False).returncode != 0:
        sys.exit(VENV_FAILED.format(python=sys.executable, venv=VENV))


def install(extras: tuple[str, ...]) -> None:
    """Install the checkout, editable, with its extras."""
    named = f"[{','.join(extras)}]" if extras else ""
    print(f"Installing jitnet{named} and what it needs into .venv", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--editable", f"{ROOT}{named}"], check=False).returncode != 0:
        version = platform.python_version()
        sys.exit(INSTALL_FAILED.format(extras=named, version=version))


def main(extras: list[str]) -> None:
    """Make or complete .venv so that it holds this checkout and the extras."""
    new, old = wanted(), found()
    same_base = old is not None and (old.python, old.checkout) == (new.python, new.checkout)
    if old is None or not same_base or not works():
        create(new)
        old = replace(new, pyproject="")
    needed = tuple(sorted({*old.extras, *extras}))
    if old.pyproject == new.pyproject and old.extras == needed:
        return
    install(needed)
    MARKER.write_text(json.dumps(asdict(replace(new, extras=needed))))


if __name__ == "__main__":
    main(sys.argv[1:])
