"""Host nodes: what NumPy computes in the middle of a compiled function."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.compiler import ops
from jitnet.compiler.binary import Binary
from jitnet.compiler.compiled import compile_graph
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.compiler.pipeline import lower
from jitnet.runtime.cpu import host_target
from tests.graph_harness import argument, check

ROOT = Path(__file__).parents[1]
X = np.random.default_rng(0).standard_normal((30, 40)).astype(np.float32).T


def graph() -> Graph:
    """Return a graph with a host node between two kernels, and one that reads an input as it is."""
    x = argument("x", X)
    order = ops.argsort(ops.neg(x.node), axis=1, descending=False)
    first = ops.mode(x.node, axis=0)
    outputs = (Output(ops.add(order, order), "twice"), Output(first, "first"))
    return Graph("hosted", (x,), outputs)


def test_dump(golden: Callable[[str, str], None]) -> None:
    """Each stage names the host nodes."""
    stages = lower(graph(), host_target())
    kernels = "\n\n".join(map(str, stages.kernels))
    calls = [line for line in stages.llvm.splitlines() if "@host" in line]
    golden("host_nodes.txt", "\n\n".join([str(stages.optimized), kernels, *calls, ""]))


def test_against_eval() -> None:
    """The program gives what the ops' eval gives, for memory of any order."""
    made = graph()
    check([output.node for output in made.outputs], list(made.inputs), [X])


def test_explain_counts_them() -> None:
    function = jitnet.compile(lambda x: x.sort().values.cumsum(0))
    function(jitnet.randn(20))
    assert "  1 host node, computed by NumPy" in function.explain()
    assert "argsort (test_host_nodes.py:" in function.explain()


def test_kept_on_disk() -> None:
    """A binary says what it calls by name, and params come back as they were."""
    binary = compile_graph(graph(), host_target()).binary
    assert {call.op for call in binary.host_calls} == {"argsort", "mode"}
    assert Binary.from_bytes(binary.to_bytes()).host_calls == binary.host_calls


SCRIPT = """
import jitnet
f = jitnet.compile(lambda x: x.exp().topk(3).values)
print(f(jitnet.arange(8.0)).log().tolist())
print("read from cache" in f.explain())
"""


def test_from_the_cache_in_a_new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second process finds the program, and NumPy's functions by their names."""
    monkeypatch.setenv("JITNET_CACHE_DIR", str(tmp_path))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, str(script)]
    said = [subprocess.check_output(command, text=True).split("\n") for _ in range(2)]
    assert said[0][0] == said[1][0] == "[7.0, 6.0, 5.0]"
    assert [each[1] for each in said] == ["False", "True"]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_within_a_training_step(threads: int) -> None:
    """A loss that sorts trains as it does eagerly, on any number of threads."""

    def train(compiled: bool) -> list[float]:
        jitnet.manual_seed(0)
        model = nn.Linear(64, 64)
        optimizer = jitnet.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x = jitnet.randn(300, 64)

        def step() -> jitnet.Tensor:
            optimizer.zero_grad()
            y = model(x).tanh()
            loss = (y.sort(0).values - jitnet.linspace(-1, 1, 300)[:, None]).square().mean()
            loss = loss + y.topk(5, 1).values.mean()
            loss.backward()
            optimizer.step()
            return loss

        run = jitnet.compile(step) if compiled else step
        return [run().item() for _ in range(5)]

    jitnet.set_num_threads(threads)
    np.testing.assert_allclose(train(True), train(False), rtol=1e-4)


def test_from_several_python_threads() -> None:
    """Calls take turns; a thread that waits for its turn does not keep the interpreter."""
    function = jitnet.compile(lambda x: (x * 2).sort().values.sum())
    xs = [jitnet.randn(2000) for _ in range(4)]
    wanted = [(x * 2).sum().item() for x in xs]
    found: dict[int, float] = {}

    def run(number: int) -> None:
        for _ in range(20):
            found[number] = function(xs[number]).item()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "calls wait for each other"
    for number in range(4):
        assert found[number] == pytest.approx(wanted[number], rel=1e-3, abs=1e-3)


def test_of_lasting_state() -> None:
    """What NumPy makes of weights alone is made once, and again when they are written."""
    weight = jitnet.randn(50)

    @jitnet.compile
    def function(x: jitnet.Tensor) -> jitnet.Tensor:
        return x * weight.sort().values

    x = jitnet.ones(50)
    for _ in range(3):
        assert function(x).tolist() == sorted(weight.tolist())
        weight.mul_(-1)
    assert "once and after a write" in function.explain()


def test_empty() -> None:
    """Nothing is asked for where there is nothing to compute."""
    function = jitnet.compile(lambda x: x.sort())
    values, indices = function(jitnet.zeros(0, 4))
    assert values.shape == indices.shape == (0, 4)


def test_draws() -> None:
    """Permutations and draws by weights are those of eager mode."""

    def draws(weights: jitnet.Tensor) -> list[jitnet.Tensor]:
        return [
            jitnet.randperm(9),
            jitnet.multinomial(weights, 3),
            jitnet.multinomial(weights[0], 30, replacement=True),
        ]

    weights = jitnet.tensor([[1.0, 2.0, 0.0, 3.0], [0.5, 0.1, 0.1, 0.0]])
    jitnet.manual_seed(3)
    wanted = [each.tolist() for each in draws(weights)]
    jitnet.manual_seed(3)
    assert [each.tolist() for each in jitnet.compile(draws)(weights)] == wanted
    with pytest.raises(RuntimeError, match="finite weights >= 0"):
        jitnet.multinomial(-weights, 1)


def test_masked_scatter() -> None:
    """Elements are taken in order; too few are an IndexError."""
    x, source = jitnet.zeros(3, 4), jitnet.arange(1.0, 8.0)
    mask = jitnet.arange(4) % 2 == 0
    function = jitnet.compile(lambda x, mask, source: x.masked_scatter(mask, source))
    for each in (function, lambda x, mask, source: x.masked_scatter(mask, source)):
        assert each(x, mask, source).tolist() == [[1, 0, 2, 0], [3, 0, 4, 0], [5, 0, 6, 0]]
        with pytest.raises(IndexError):
            each(x, mask, source[:5])
