"""The arena: nobody's memory is taken while it is needed, and little is needed at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.passes.memory import _places, _Region, plan_memory
from jitnet.compiler.pipeline import optimize
from tests.graph_harness import argument

SIDE = 64
BYTES = SIDE * SIDE * 4


def value(name: str) -> Input:
    return argument(name, np.zeros((SIDE, SIDE), np.float32))


def turned(x: Node) -> Node:
    return ops.permute(x, axes=(1, 0))


def training_step(layers: int) -> Graph:
    """y = tanh(y @ w) for each layer, the gradient of the sum, and all weights updated."""
    x = value("x")
    weights = [value(f"w{number}") for number in range(layers)]
    kept = [x.node]
    for weight in weights:
        kept.append(ops.tanh(ops.matmul(kept[-1], weight.node)))
    gradient = ops.full_like(kept[-1], value=1.0)
    outputs = []
    for number in reversed(range(layers)):
        y, weight = kept[number + 1], weights[number].node
        before = ops.mul(gradient, ops.sub(ops.full_like(y, value=1.0), ops.mul(y, y)))
        change = ops.matmul(turned(kept[number]), before)
        outputs.append(Output(ops.sub(weight, change), f"w{number}", 1 + number))
        gradient = ops.matmul(before, turned(weight))
    return Graph("step", (x, *weights), tuple(outputs))


def test_gradients_do_not_wait_for_the_end() -> None:
    """Of each layer its result waits for the way back, and hardly anything else."""
    for layers in (4, 12):
        plan = Assembler(optimize(training_step(layers))).plan()
        memory = plan_memory(plan.kernels)
        assert memory.live_bytes <= memory.arena_bytes <= 1.05 * memory.live_bytes
        assert memory.arena_bytes <= (layers + 3) * (BYTES + 64)


lifetimes = st.tuples(st.integers(1, 9), st.integers(0, 20), st.integers(0, 20))


@given(st.lists(lifetimes, max_size=40))
def test_regions_of_one_time_lie_apart(drawn: list[tuple[int, int, int]]) -> None:
    regions = [_Region(64 * size, min(a, b), max(a, b)) for size, a, b in drawn]
    places = _places(regions)
    for number, one in enumerate(regions):
        for other in regions[:number]:
            apart = one.last < other.first or other.last < one.first
            below = places[one] + one.size <= places[other]
            assert apart or below or places[other] + other.size <= places[one]
    needed = [sum(r.size for r in regions if r.first <= now <= r.last) for now in range(21)]
    assert max((places[r] + r.size for r in regions), default=0) <= 2 * max(needed)
