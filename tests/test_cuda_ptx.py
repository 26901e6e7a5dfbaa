"""The PTX itself: whole training steps, any alignment, other GPUs, barriers that are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, nn
from jitnet.compiler import ops
from jitnet.compiler.codegen.cuda import lanes
from jitnet.compiler.cuda import lower_cuda
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.nn import functional as F
from jitnet.runtime.dtype import DType, bfloat16, float32
from tests.gpu_fixture import EVERY_PTX, REAL, need_numba
from tests.graph_harness import argument, assert_close, sample
from tests.ptx_machine import programs
from tests.ptx_machine.parse import PtxError

if REAL:
    pytest.skip("JITNET_GPU=1: a real GPU runs the kernels", allow_module_level=True)


@pytest.fixture
def ptx_gpu() -> Iterator[None]:
    """Let "cuda" be a simulated GPU that runs PTX."""
    need_numba()
    from jitnet.runtime.cuda import gpu as gpus
    from tests.simulated_gpu import SimulatedDriver, SimulatedPlatform
    from tests.simulated_kernels import PtxKernels

    before = gpus.install(SimulatedPlatform(SimulatedDriver(kernels=PtxKernels())))
    yield
    gpus.install(before)


# -- whole training steps ---------------------------------------------------------------------


class Recurrent(nn.Module):
    """An LSTM, and what its last state says."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.lstm(x)[0][:, -1])


def perceptron() -> tuple[nn.Module, Tensor, Tensor]:
    model = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Dropout(0.2), nn.Linear(20, 4))
    return model, jitnet.randn(6, 12), jitnet.randint(0, 4, (6,))


def lenet() -> tuple[nn.Module, Tensor, Tensor]:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(24, 5),
    )  # fmt: skip
    return model, jitnet.randn(3, 1, 12, 12), jitnet.randint(0, 5, (3,))


def transformer() -> tuple[nn.Module, Tensor, Tensor]:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Embedding(11, 8), layer, nn.Linear(8, 11), nn.Flatten(0, 1))
    return model, jitnet.randint(0, 11, (2, 5)), jitnet.randint(0, 11, (10,))


def recurrent() -> tuple[nn.Module, Tensor, Tensor]:
    return Recurrent(), jitnet.randn(4, 3, 5), jitnet.randint(0, 3, (4,))


STEPS: list[tuple[Callable[[], tuple[nn.Module, Tensor, Tensor]], type, dict[str, float]]] = [
    (perceptron, jitnet.optim.Adam, {"eps": 1e-3}),  # without, gradients of about 0 become signs
    (lenet, jitnet.optim.SGD, {"momentum": 0.9}),
    (recurrent, jitnet.optim.RMSprop, {"eps": 1e-3}),
    (transformer, jitnet.optim.AdamW, {"eps": 1e-3}),
]
FEW = slice(None) if EVERY_PTX else slice(3)


@pytest.mark.usefixtures("ptx_gpu")
@pytest.mark.parametrize(
    ("make", "optimizer", "options"), STEPS[FEW], ids=[make.__name__ for make, *_ in STEPS[FEW]]
)
def test_training_steps(
    make: Callable[[], tuple[nn.Module, Tensor, Tensor]],
    optimizer: type,
    options: dict[str, float],
) -> None:
    """Two steps: losses and parameters are the CPU's."""
    found = []
    for device in ("cpu", "cuda"):
        jitnet.manual_seed(0)
        model, x, y = make()
        model.to(device)
        x, y = x.to(device), y.to(device)
        jitnet.manual_seed(1)  # each device has a generator of its own
        update = optimizer(model.parameters(), 1e-2, **options)

        @jitnet.compile
        def step(x: Tensor, y: Tensor, model: nn.Module = model, update: object = update) -> Tensor:
            update.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            update.step()
            return loss

        losses = [step(x, y).cpu() for _ in range(2)]
        found.append([*losses, *(p.detach().cpu() for p in model.parameters())])
    for on_cpu, on_gpu in zip(*found, strict=True):
        jitnet.testing.assert_close(on_gpu, on_cpu, rtol=1e-4, atol=1e-5)


# -- pointers, kinds of GPU ---------------------------------------------------------------------


def product(dtype: DType) -> tuple[Graph, list[np.ndarray]]:
    """Return a product whose operands are read 16 bytes at a time where pointers allow it."""
    rng = np.random.default_rng(9)
    a, b = sample(rng, dtype, (40, 72)), sample(rng, dtype, (20, 72))  # three tiles, a short one
    left, right = argument("a", a), argument("b", b)
    y = ops.matmul(left.node, ops.permute(right.node, axes=(1, 0)))
    return Graph("product", (left, right), (Output(y, "y"),)), [a, b]


def chain(dtype: DType) -> tuple[Graph, list[np.ndarray]]:
    """Return turns of four neighbours."""
    rng = np.random.default_rng(9)
    x, y = sample(rng, dtype, (6, 12)), sample(rng, dtype, (6, 12))
    left, right = argument("x", x), argument("y", y)
    result = ops.mul(left.node, ops.exp(right.node))
    return Graph("chain", (left, right), (Output(result, "z"),)), [x, y]


FORMS = [(chain, float32), (product, float32), (product, bfloat16)]


def assert_runs(graph: Graph, arrays: list[np.ndarray], **options: Any) -> None:
    wanted = evaluate(graph, arrays)
    for got, want in zip(programs.run(graph, arrays, **options), wanted, strict=True):
        assert_close(got, want)


@pytest.mark.parametrize("skew", [0, 2, 4, 8, 16])
@pytest.mark.parametrize(
    ("make", "dtype"), [(chain, float32), (product, float32), (product, bfloat16)]
)
def test_pointers_that_are_not_aligned(
    make: Callable[[DType], tuple[Graph, list[np.ndarray]]],
    dtype: DType,
    skew: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tensors may begin at any element: loads of 16 bytes, and copies, ask first."""
    need_numba()
    monkeypatch.setattr(lanes, "ENOUGH_TURNS", 1)
    graph, arrays = make(dtype)
    if skew % dtype.size == 0:
        assert_runs(graph, arrays, skew=skew)
        return
    with pytest.raises(PtxError, match="misaligned"):
        programs.run(graph, arrays, skew=skew)


@pytest.mark.parametrize("dtype", [float32, bfloat16], ids=lambda dtype: dtype.short)
@pytest.mark.parametrize("capability", [(7, 5), (9, 0)], ids=str)
def test_other_kinds_of_gpu(capability: tuple[int, int], dtype: DType) -> None:
    """A GPU without the instructions that products are made of, and a later one."""
    need_numba()
    graph, arrays = product(dtype)
    assert_runs(graph, arrays, capability=capability)


# -- barriers -----------------------------------------------------------------------------------


def sorting() -> tuple[Graph, list[np.ndarray]]:
    x = sample(np.random.default_rng(1), float32, (2, 100))
    item = argument("x", x)
    result = ops.argsort(item.node, axis=1, descending=False)
    return Graph("sort", (item,), (Output(result, "y"),)), [x]


def halves() -> tuple[Graph, list[np.ndarray]]:
    return product(bfloat16)


@pytest.mark.parametrize("make", [sorting, *([halves] if EVERY_PTX else [])])
def test_every_barrier_is_needed(make: Callable[[], tuple[Graph, list[np.ndarray]]]) -> None:
    """Without one of them the machine sees a race, or what is touched before it has come."""
    need_numba()
    graph, arrays = make()
    stages = lower_cuda(graph)
    lines = stages.program.source.splitlines()
    places = [
        n for n, line in enumerate(lines) if line.strip() in ("cuda.syncthreads()", "wait_copies()")
    ]
    assert len(places) >= 2
    for place in places:
        less = list(lines)
        less[place] = lines[place].replace(lines[place].strip(), "pass")
        program = replace(stages.program, source="\n".join(less))
        out = [np.zeros(output.node.shape, output.node.dtype.numpy) for output in graph.outputs]
        with pytest.raises(PtxError, match=r"a race|nobody has waited for"):
            programs.simulate(replace(stages, program=program), [*arrays, *out], fresh=len(out))


# -- what was found -----------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [20, 600])
def test_a_team_reads_what_one_of_it_writes(columns: int) -> None:
    """What all threads of a team, a warp or a block, have read is written over by the first."""
    need_numba()
    rng = np.random.default_rng(0)
    x, b = sample(rng, float32, (3, columns)), sample(rng, float32, (3,))
    rows, bias = argument("x", x), argument("b", b)
    new = ops.sub(bias.node, ops.sum(rows.node, axes=(1,)))
    graph = Graph("update", (rows, bias), (Output(new, "b", into=1),))
    wanted = evaluate(graph, [x, b.copy()])
    for got, want in zip(programs.run(graph, [x, b]), wanted, strict=True):
        assert_close(got, want)
