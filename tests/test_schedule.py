"""Barriers: none is missing for any number of threads, in any order; few are left of a step's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn, optim
from jitnet.compiler import ops, schedule
from jitnet.compiler.codegen.shares import NOBODY
from jitnet.compiler.compiled import Compiled, compile_graph
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.runtime.threads import set_num_threads
from jitnet.variants import native
from tests.graph_harness import argument
from tests.thread_turns import run_in_turns

THREADS = (2, 3, 4, 5)


def mlp(batch: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(40, width), nn.ReLU(), nn.Linear(width, 10))


class Convolutions(nn.Module):
    """Two convolutions with pools, and a layer behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.last = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.one(x)), 2)
        x = F.max_pool2d(F.relu(self.two(x)), 3)
        return self.last(x.flatten(1))


class Recurrent(nn.Module):
    """An LSTM, and a layer behind its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.last = nn.LSTM(24, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.steps(x)[0][:, -1])


class Attention(nn.Module):
    """One layer of a transformer, and the mean of its positions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.last = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x).mean(1))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: mlp(64, 128), (64, 40)),
    "odd mlp": (lambda: mlp(37, 75), (37, 40)),
    "wide mlp": (lambda: mlp(96, 600), (96, 40)),
    "convolutions": (Convolutions, (5, 1, 14, 14)),
    "recurrent": (Recurrent, (16, 6, 24)),
    "attention": (Attention, (6, 20, 32)),
}
OPTIMIZERS: dict[str, Callable[[nn.Module], optim.Optimizer]] = {
    "sgd": lambda model: optim.SGD(model.parameters(), 0.1),
    "momentum": lambda model: optim.SGD(model.parameters(), 0.1, momentum=0.9),
    "adam": lambda model: optim.Adam(model.parameters(), 0.01),
}


def training_step(
    model: nn.Module, optimizer: optim.Optimizer
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a compiled step, which gives its loss."""

    @jitnet.compile
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def graph_of(
    model: nn.Module, optimizer: optim.Optimizer, shape: tuple[int, ...], mp: pytest.MonkeyPatch
) -> Graph:
    """Return the graph of a training step."""
    graphs: list[Graph] = []

    def spy(graph: Graph, *rest: object) -> Compiled:
        graphs.append(graph)
        return compile_graph(graph, *rest)  # type: ignore[arg-type]

    mp.setattr(native, "compile_graph", spy)

    step = training_step(model, optimizer)
    step(jitnet.randn(*shape), jitnet.arange(shape[0]) % 10)
    return graphs[-1]


def arrays_for(graph: Graph) -> list[np.ndarray]:
    """Return something for every input of a graph: numbers around 0, indices that exist."""
    random = np.random.default_rng(0)
    arrays = []
    for item in graph.inputs:
        kind, shape = item.node.dtype.kind, item.node.shape
        numbers = random.normal(size=shape) if kind == "float" else random.integers(0, 2, shape)
        arrays.append(np.array(np.abs(numbers), item.node.dtype.numpy).reshape(shape))
    return arrays


def threads_meet(graph: Graph) -> dict[int, int]:
    """Assert that results have the same bits on any number of threads; return how often all met."""
    compiled = compile_graph(graph, native.host_target())
    arrays = arrays_for(graph)
    (want, _), met = run_in_turns(compiled, arrays, [0]), {}
    for count in THREADS:
        for order in (range(count), range(count)[::-1]):
            got, met[count] = run_in_turns(compiled, arrays, order)
            for number, (mine, its) in enumerate(zip(got, want, strict=True)):
                same = mine.tobytes() == its.tobytes()
                assert same, f"array {number} of {len(got)}, {count} threads in order {order}"
    return met


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_threads_find_what_they_read(
    model: str, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a barrier, no thread reads what another writes, whoever comes first."""
    jitnet.manual_seed(0)
    make, shape = MODELS[model]
    network = make()
    graph = graph_of(network, OPTIMIZERS[optimizer](network), shape, monkeypatch)
    threads_meet(graph)


def test_copies_by_squares_are_waited_for() -> None:
    """Threads share out squares of a matrix that is turned round, not rows of it."""
    random = np.random.default_rng(1)
    shapes = {"x": (192, 256), "w": (192, 64)}
    given = {name: random.standard_normal(shape).astype("f4") for name, shape in shapes.items()}
    x, w = (argument(name, array) for name, array in given.items())
    turned = ops.copy(ops.permute(x.node, axes=(1, 0)))
    product = ops.matmul(turned, w.node)
    outputs = (Output(turned, "turned"), Output(product, "product"))
    threads_meet(Graph("squares", (x, w), outputs))


def test_few_barriers_are_left_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads wait for the labels' check, the hidden layer and what comes of the loss.

    Three cut the columns of one product elsewhere than the rows of another: they wait more often.
    """
    model = mlp(64, 128)
    met = threads_meet(graph_of(model, optim.SGD(model.parameters(), 0.1), (64, 40), monkeypatch))
    stretches = 4  # and so one barrier less
    assert met[2] == met[4] - 1 == stretches
    assert met[3] > stretches


def test_a_missing_barrier_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of threads show it."""
    monkeypatch.setenv("JITNET_CACHE", "0")
    monkeypatch.setattr(schedule, "sizes_that_meet", lambda one, other: NOBODY)
    model = mlp(64, 128)
    graph = graph_of(model, optim.SGD(model.parameters(), 0.1), (64, 40), monkeypatch)
    with pytest.raises(AssertionError, match="threads in order"):
        threads_meet(graph)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_all_threads_leave_where_a_label_is_wrong(threads: int) -> None:
    """Nothing is written, and the next call runs."""
    set_num_threads(threads)
    jitnet.manual_seed(0)
    model = mlp(64, 128)
    step = training_step(model, optim.SGD(model.parameters(), 0.1))
    x, y = jitnet.randn(64, 40), jitnet.arange(64) % 10
    step(x, y)
    before = [parameter.detach().numpy().copy() for parameter in model.parameters()]
    for wrong in (10, 1000, -5):
        labels = y.clone()
        labels[17] = wrong
        with pytest.raises(IndexError, match=str(wrong)):
            step(x, labels)
    for parameter, was in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.detach().numpy(), was)
    assert np.isfinite(step(x, y).item())
