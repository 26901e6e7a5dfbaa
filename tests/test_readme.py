"""The README keeps its word: its Python blocks run, its links and commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
LINKS = re.findall(r"\]\((?!https?:|#)([^)]+)\)|(?:src|srcset)=\"(?!https?:)([^\"]+)\"", README)
TARGETS = re.findall(r"\bmake ([a-z]+)", README)
WORDS = "value, op, node, graph, kernel, program, buffer, device, pass, rule, dim, guard"


def test_python_blocks_run_in_order(tmp_path: Path) -> None:
    """The blocks are one session: a later one uses what an earlier one made."""
    assert BLOCKS
    script = tmp_path / "readme.py"
    script.write_text("\n".join(BLOCKS))
    command = [sys.executable, script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("link", sorted({a or b for a, b in LINKS}))
def test_links_point_at_files(link: str) -> None:
    assert (ROOT / link.split("#")[0]).exists()


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_make_targets_exist(target: str) -> None:
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("word", WORDS.split(", "))
def test_the_glossary_says_what_each_word_means(word: str) -> None:
    assert re.search(rf"^\| \*\*{word}\*\* \| \S", README, re.MULTILINE)


def test_every_environment_variable_is_documented() -> None:
    read = set()
    for part in ("jitnet", "compiler", "runtime"):
        for path in (ROOT / part).rglob("*.py"):
            read |= set(re.findall(r"JITNET_[A-Z_]+", path.read_text()))
    documented = re.findall(r"^\| `(JITNET_[A-Z_]+)`", SETTINGS, re.MULTILINE)
    assert read == set(documented)
