"""Long lines that are reduced to few results: cut for a GPU, of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.compiler import ops
from jitnet.compiler.cuda import lower_cuda
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Node, Output
from jitnet.compiler.passes import lines
from jitnet.runtime.dtype import DType, bool_, float32, int32, uint8
from tests.cuda_machines import Machine
from tests.graph_harness import argument, check, sample

ARGS: tuple[Callable[..., Node], ...] = (ops.argmax, ops.argmin)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short lines be long."""
    monkeypatch.setattr(lines, "LONG", 32)
    monkeypatch.setattr(lines, "PARTS", 4)


def cut(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of a graph whose lines are cut, by the ops' own eval."""
    made = lines.cut_lines(graph)
    assert any(node.op is ops.pad for node in made) or "103" not in str(graph)
    return evaluate(made, arrays)


def reductions(x: Node, axis: int) -> list[Node]:
    """Return every reduction of a dim that takes this dtype."""
    if x.dtype is bool_:
        return [ops.any(x, axes=(axis,)), ops.all(x, axes=(axis,))]
    several = [op(x, axes=(axis,)) for op in (ops.sum, ops.max, ops.min)]
    return [*several, *(op(x, axis=axis) for op in ARGS)]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("dtype", [float32, int32, uint8, bool_], ids=lambda dtype: dtype.short)
@pytest.mark.parametrize("shape", [(103,), (2, 103), (103, 2), (2, 104, 3)], ids=str)
def test_results(dtype: DType, shape: tuple[int, ...]) -> None:
    """Of lines of any length, in any dim; ties are many, the first of them wins."""
    x = sample(np.random.default_rng(0), dtype, shape)
    if dtype is not bool_:
        x = np.asarray(np.round(x) % 5).astype(x.dtype)
    item = argument("x", x)
    check(reductions(item.node, int(np.argmax(shape))), [item], [x], cut)


@pytest.mark.usefixtures("short")
def test_values_that_are_no_better_than_what_lines_are_filled_with() -> None:
    """Infinities, and NaN, which wins."""
    lowest, highest = np.full(103, -np.inf, np.float32), np.full(103, np.inf, np.float32)
    nans = np.arange(103, dtype=np.float32)
    nans[[60, 80]] = np.nan
    for x in (lowest, highest, nans):
        item = argument("x", x)
        check(reductions(item.node, 0), [item], [x], cut)


@pytest.mark.usefixtures("short")
def test_sums_over_all_dims() -> None:
    x = sample(np.random.default_rng(0), float32, (3, 103, 2))
    item = argument("x", x)
    check([ops.sum(item.node, axes=(0, 1, 2)), ops.max(item.node, axes=(1, 2))], [item], [x], cut)


@pytest.mark.usefixtures("short")
def test_kernels(machine: Machine) -> None:
    x = sample(np.random.default_rng(0), float32, (2, 103))
    item = argument("x", x)
    graph = Graph("lines", (item,), (Output(ops.argmax(item.node, axis=1), "y"),))
    assert len(lower_cuda(graph).kernels) == 2
    check(reductions(item.node, 1), [item], [x], machine.run)


FEW: dict[str, Callable[[Tensor], Any]] = {
    "sum": lambda x: x.sum(),
    "extreme": lambda x: x.amax(),
    "place": lambda x: x.argmax(),
}


@pytest.mark.parametrize("name", FEW)
def test_many_blocks_read_one_line(name: str) -> None:
    """100,003 is prime: no part of it is like another."""
    reduced = jitnet.compile(FEW[name])
    reduced(jitnet.ones(100003))
    text = reduced.dump("cuda")
    assert f"[({lines.PARTS},), (256, 1)](status, x, " in text


def test_many_lines_are_not_cut() -> None:
    reduced = jitnet.compile(lambda x: x.amax(1))
    reduced(jitnet.ones(40, 16411))
    assert reduced.dump("cuda").count("@cuda.jit\n") == 1
