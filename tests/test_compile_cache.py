"""Programs kept on disk: what they are kept under, what a hit leaves out, what damage does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.compiler import identity, ops
from jitnet.compiler.binary import Binary, Once
from jitnet.compiler.compiled import Compiled, compile_graph
from jitnet.compiler.identity import compiler_version, graph_key, sources_digest
from jitnet.compiler.ir.graph import Graph, Output, make
from jitnet.nn import functional as F
from jitnet.runtime import cpu
from jitnet.runtime.cpu import host_target
from tests.graph_harness import argument

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("JITNET_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JITNET_CACHE", raising=False)
    return tmp_path / "cache" / "objects"


@pytest.fixture
def no_llvm(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let nothing be compiled from the call on."""

    def refuse(text: str, target: object, level: int = 1) -> bytes:
        raise AssertionError("LLVM was asked to compile")

    return lambda: monkeypatch.setattr(cpu, "compile_object", refuse)


def train() -> tuple[list[float], Compiled]:
    """Compile and run three training steps, as a new process would."""
    jitnet.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5)
    )
    optimizer = jitnet.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = jitnet.randn(20, 12), jitnet.arange(20) % 5

    @jitnet.compile
    def step(x: jitnet.Tensor, y: jitnet.Tensor) -> jitnet.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    losses = [step(x, y).item() for _ in range(3)]
    return losses, step.variants[0].executable.compiled


def test_a_kept_program_gives_the_same_bits_without_llvm(no_llvm: Callable[[], None]) -> None:
    first, compiled = train()
    assert not compiled.cached
    assert {"graph passes", "kernels", "llvm"} <= set(compiled.phases)
    no_llvm()
    second, kept = train()
    assert kept.cached
    assert second == first
    assert set(kept.phases) == {"key", "read from cache"}
    assert kept.binary.object_code == compiled.binary.object_code


def test_stages_of_a_kept_program_are_made_when_looked_at() -> None:
    _, compiled = train()
    _, kept = train()
    assert kept.stages.llvm == compiled.stages.llvm
    assert list(map(str, kept.stages.kernels)) == list(map(str, compiled.stages.kernels))


def test_a_kept_program_says_where_it_failed() -> None:
    table = jitnet.ones(4, 2)
    wrong = jitnet.tensor([1, 7])
    for _ in range(2):
        look_up = jitnet.compile(lambda i: F.embedding(i, table))
        with pytest.raises(
            IndexError, match=r"index 7 is out of range.*test_compile_cache\.py:\d+"
        ):
            look_up(wrong)


def test_a_damaged_program_is_compiled_anew(folder: Path) -> None:
    first, _ = train()
    for path in folder.iterdir():
        data = path.read_bytes()
        path.write_bytes(data[:-20] + bytes(20))
    second, compiled = train()
    assert not compiled.cached
    assert second == first
    assert train()[1].cached


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_only_the_user_may_look_inside(folder: Path) -> None:
    train()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def graph(
    shape: tuple[int, ...] = (4, 6),
    dtype: type = np.float32,
    number: float = 2.0,
    table: tuple[float, ...] = (1, 2, 3, 4, 5, 6),
    into: int | None = None,
    swap: bool = False,
    turned: bool = False,
    names: str = "xy",
    line: str = "",
) -> Graph:
    """x * number + y * table, which every argument changes a little."""
    x, y = (argument(name, np.zeros(shape, dtype)) for name in names)
    if turned:
        x = replace(x, strides=tuple(reversed(x.strides)))
    row = make(ops.constant, value=np.array(table[: shape[-1]], dtype), line=line)
    wide = ops.expand(ops.reshape(row, shape=(1, shape[-1])), shape=shape)
    a, b = (y.node, x.node) if swap else (x.node, y.node)
    left = ops.mul(a, ops.full_like(a, value=number))
    return Graph("graph", (x, y), (Output(ops.add(left, ops.mul(b, wide)), "out", into),))


def test_the_key_names_all_that_decides_the_program() -> None:
    target = host_target()
    graphs = [
        graph(),
        graph(shape=(6, 4)),
        graph(dtype=np.float64),
        graph(number=2.5),
        graph(number=-0.0),
        graph(number=0.0),
        graph(number=float("nan")),
        graph(table=(1, 2, 3, 4, 5, 7)),
        graph(into=0),
        graph(into=1),
        graph(swap=True),
        graph(turned=True),
    ]
    keys = [graph_key(each, target) for each in graphs]
    keys.append(graph_key(graph(), replace(target, vector_registers=8)))
    keys.append(graph_key(graph(), replace(target, cpu="other")))
    assert len(set(keys)) == len(keys)


def test_names_and_lines_are_no_part_of_the_key() -> None:
    target = host_target()
    assert graph_key(graph(names="ab", line="model.py:7"), target) == graph_key(graph(), target)


def test_a_changed_compiler_keeps_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_SOURCES", (tmp_path,))
    versions = []
    for text in ("x = 1\n", "x = 2\n"):
        (tmp_path / "passes.py").write_text(text)
        compiler_version.cache_clear()
        sources_digest.cache_clear()
        versions.append(compiler_version())
    compiler_version.cache_clear()
    sources_digest.cache_clear()
    assert versions[0] != versions[1]


def test_constants_are_kept() -> None:
    arrays = (np.arange(6, dtype=np.float64).reshape(2, 3), np.array([True, False]))
    binary = Binary(b"code", "program", ("a", "b"), (), True, 640, 64, arrays)
    read = Binary.from_bytes(binary.to_bytes())
    assert replace(read, constants=()) == replace(binary, constants=())
    for got, wanted in zip(read.constants, arrays, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
    header = binary.to_bytes()[8:]
    assert json.loads(header[: header.index(b"}") + 1])["symbol"] == "program"


def test_the_program_that_runs_once_is_kept() -> None:
    arrays = (np.arange(3),)
    once = Once(Binary(b"made", "program", ("c",), (), False, 64, 0, arrays), (640, 64))
    binary = Binary(b"code", "program", ("a",), (), True, 640, 64, arrays, once)
    read = Binary.from_bytes(binary.to_bytes()).once
    assert read is not None and read.kept == once.kept
    assert replace(read.binary, constants=()) == replace(once.binary, constants=())
    np.testing.assert_array_equal(read.binary.constants[0], arrays[0])


def test_programs_with_constants_come_back_from_disk(no_llvm: Callable[[], None]) -> None:
    target = host_target()
    first = compile_graph(graph(), target)
    no_llvm()
    second = compile_graph(graph(), target)
    assert second.cached and len(second.binary.constants) == 1
    np.testing.assert_array_equal(second.binary.constants[0], first.binary.constants[0])


_FIRST_CALL = """
import sys
import jitnet

print(jitnet.compile(lambda x: x.tanh() + 1)(jitnet.zeros(5)).tolist())
print("jitnet.compiler.pipeline" in sys.modules)
"""


def test_a_process_that_finds_its_programs_kept_does_not_import_the_pipeline() -> None:
    command = [sys.executable, "-c", _FIRST_CALL]
    runs = [
        subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert runs == [["[1.0, 1.0, 1.0, 1.0, 1.0]", "True"], ["[1.0, 1.0, 1.0, 1.0, 1.0]", "False"]]
