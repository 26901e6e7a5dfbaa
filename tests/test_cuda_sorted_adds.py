"""Many numbers added at looked-up places of a vector: sorted, and summed in a few steps."""

from __future__ import annotations

import numpy as np
import pytest

import jitnet
from jitnet.compiler import ops
from jitnet.compiler.cuda import lower_cuda
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.compiler.passes import sorted_adds
from jitnet.runtime.dtype import DType, bfloat16, float32, float64, int32
from tests.cuda_machines import Machine
from tests.graph_harness import argument, check, sample


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few adds be many."""
    monkeypatch.setattr(sorted_adds, "MANY", 4)


def rewritten(graph: Graph, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of a graph whose adds are sorted, by the ops' own eval."""
    made = sorted_adds.add_sorted(graph)
    assert not any(node.op is ops.put for node in made)
    return evaluate(made, arrays)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dtype", [float32, float64, int32], ids=lambda dtype: dtype.short)
@pytest.mark.parametrize("count", [5, 64, 77])
def test_results(dtype: DType, count: int) -> None:
    """Of places that nothing, one number or many are added to; rows of one, indices in two dims."""
    rng = np.random.default_rng(0)
    x, value = sample(rng, dtype, (9, 1)), sample(rng, dtype, (count, 1))
    index = rng.integers(0, 8, count)
    a, i, v = argument("x", x), argument("i", index), argument("v", value)
    y = ops.put(a.node, i.node, v.node, axis=0, accumulate=True)
    check([y], [a, i, v], [x, index, value], rewritten)


def test_which_are_sorted() -> None:
    """Not few, not rows, not what replaces, not sums that are rounded to 16 bits each time."""

    def is_sorted(
        count: int, columns: int = 1, dtype: DType = float32, accumulate: bool = True
    ) -> bool:
        rng = np.random.default_rng(0)
        x, value = sample(rng, dtype, (9, columns)), sample(rng, dtype, (count, columns))
        a, i, v = argument("x", x), argument("i", np.zeros(count, np.int64)), argument("v", value)
        y = ops.put(a.node, i.node, v.node, axis=0, accumulate=accumulate)
        made = sorted_adds.add_sorted(Graph("put", (a, i, v), (Output(y, "y"),)))
        return not any(node.op is ops.put for node in made)

    assert is_sorted(sorted_adds.MANY)
    assert not is_sorted(sorted_adds.MANY - 1)
    assert not is_sorted(sorted_adds.MANY, columns=2)
    assert not is_sorted(sorted_adds.MANY, dtype=bfloat16)
    assert not is_sorted(sorted_adds.MANY, accumulate=False)


@pytest.mark.usefixtures("few")
def test_kernels(machine: Machine) -> None:
    """The same, and an index out of range is found before anything is added."""
    rng = np.random.default_rng(0)
    x, value, index = (
        sample(rng, float32, (9,)),
        sample(rng, float32, (40,)),
        rng.integers(0, 9, 40),
    )
    a, i, v = argument("x", x), argument("i", index), argument("v", value)
    y = ops.put(a.node, i.node, v.node, axis=0, accumulate=True)
    check([y], [a, i, v], [x, index, value], machine.run)
    index[17] = 9
    stages = lower_cuda(Graph("put", (a, i, v), (Output(y, "y"),)))
    out = np.full(9, 7, np.float32)
    status = machine.simulate(stages, [x, index, value, out])
    assert stages.messages[status][0] is IndexError and (out == 7).all()


def test_no_thread_adds_them_all() -> None:
    add = jitnet.compile(lambda x, i, v: x.index_add(0, i, v))
    count = 4000
    add(jitnet.ones(100), jitnet.zeros(count, dtype=jitnet.int64), jitnet.ones(count))
    text = add.dump("cuda")
    assert f"range({count})" not in text and "argsort" in text
