"""Seeing inside: dump, explain and the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jitnet
from jitnet import nn
from jitnet.__main__ import main
from jitnet.compile import CompiledFunction, compile
from jitnet.variants.costs import count, size

SCRIPT = """
import sys
import jitnet
import jitnet.nn.functional as F

model = jitnet.nn.Linear(4, 2)
optimizer = jitnet.optim.SGD(model.parameters(), lr=0.1)

@jitnet.compile
def step(x):
    optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
    return loss

@jitnet.compile
def double(x):
    return x * 2

for rows in (3, 5):
    step(jitnet.ones(rows, 4))
double(jitnet.ones(2))
print("arguments:", sys.argv[1:])
"""


def compiled() -> CompiledFunction:
    model = nn.Linear(4, 2)
    function = compile(lambda x: (model(x) * 2).tanh())
    function(jitnet.ones(3, 4))
    return function


def test_stages() -> None:
    function = compiled()
    trace = function.dump("trace")
    assert "argument x" in trace and "state model.weight" in trace and "tanh" in trace
    assert re.search(r"matmul .*# test_dump.py:\d+", trace)
    assert "kernel k0" in function.dump("kernels") and "FLOP, reads" in function.dump("kernels")
    assert "define" in function.dump("llvm")
    assert "ret" in function.dump("asm")
    everything = function.dump("all")
    call = function.dump("call").splitlines()
    assert "Arguments(1)" in call and "Run(" in "".join(call)
    for stage in ("trace", "graph", "kernels", "llvm", "asm", "call"):
        assert f"{stage}: " in everything


def test_backward_is_shown_once_it_exists() -> None:
    function = compile(lambda x: x.exp())
    x = jitnet.ones(3).requires_grad_()
    y = function(x)
    assert "variant 1, backward" not in function.dump()
    assert "backward: compiled when" in function.explain()
    y.sum().backward()
    assert "variant 1, backward" in function.dump()
    assert "backward: key" in function.explain()


def test_unknown_stage() -> None:
    with pytest.raises(ValueError, match="one of trace, graph"):
        compiled().dump("nonsense")


def test_nothing_compiled_yet() -> None:
    function = compile(lambda x: x)
    assert "nothing compiled" in function.dump()
    assert "nothing compiled" in function.explain()


def test_explain() -> None:
    function = compiled()
    function(jitnet.ones(5, 4))
    text = function.explain()
    assert "2 variants" in text
    assert "1. compiled because: the first call" in text
    assert "2. compiled because: argument x: dim 0 was 3, is 5" in text
    for word in ("guards", "traced in", "memory: arena", "kernels", "barriers"):
        assert word in text


def test_units() -> None:
    assert [count(n) for n in (12, 1500, 2_000_000)] == ["12 ", "1.5 k", "2 M"]
    assert [size(n) for n in (12, 1536, 3 << 20)] == ["12 B", "1.5 KiB", "3 MiB"]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def test_command_line(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", str(script), "--flag", "3"]) == 0
    out = capsys.readouterr().out
    assert "arguments: ['--flag', '3']" in out
    assert "step, variant 1" in out and "step, variant 2" in out and "double, variant 1" in out
    assert "train.py:" in out


def test_one_function_one_stage(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump", "--stage", "trace", "--function", "double", str(script)]) == 0
    out = capsys.readouterr().out
    assert "graph double" in out and "graph step" not in out


def test_cuda_source_by_the_command_line(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dump", "--stage", "cuda", "-o", str(tmp_path), str(script)]) == 0
    assert "@cuda.jit" in (tmp_path / "step.1.cuda.py").read_text()


def test_files(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out" / "deep"
    assert main(["dump", "--stage", "all", "-o", str(folder), str(script)]) == 0
    names = {path.name for path in folder.iterdir()}
    assert {"step.1.trace.txt", "step.2.kernels.txt", "double.1.llvm.ll", "double.1.asm.s"} <= names
    assert "step.explain.txt" in names
    assert "compiled because" in (folder / "step.explain.txt").read_text()


def test_bad_commands(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dump", "missing.py"])
    assert main(["dump", "--function", "nothing", str(script)]) == 1
    assert "called were: step, double" in capsys.readouterr().err


def test_functions_of_one_name_get_files_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "two.py"
    script.write_text(
        "import jitnet\n"
        "def make(factor):\n"
        "    return jitnet.compile(lambda x: x * factor)\n"
        "for factor in (2, 3):\n"
        "    make(factor)(jitnet.ones(3))\n"
    )
    folder = tmp_path / "out"
    assert main(["dump", "--stage", "graph", "-o", str(folder), str(script)]) == 0
    graphs = sorted(path.name for path in folder.glob("*.graph.txt"))
    assert graphs == [
        "make._locals_._lambda-2.1.graph.txt",
        "make._locals_._lambda.1.graph.txt",
    ]
