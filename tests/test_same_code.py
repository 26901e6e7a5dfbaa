"""Kernels that differ only in the memory they work on share their code; others do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.codegen.program import render
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.pipeline import optimize
from jitnet.compiler.schedule import schedule
from jitnet.runtime.cpu import host_target
from tests.graph_harness import argument, assert_close, run

Golden = Callable[[str, str], None]


def value(name: str, *shape: int) -> Input:
    return argument(name, np.zeros(shape, np.float32))


def layers(count: int) -> Graph:
    """x = tanh(x @ w), with weights of its own each time."""
    x = value("x", 8, 8)
    weights = [value(f"w{number}", 8, 8) for number in range(count)]
    y = x.node
    for weight in weights:
        y = ops.tanh(ops.matmul(y, weight.node))
    return Graph("layers", (x, *weights), (Output(y, "y"),))


def kernels(graph: Graph) -> tuple[Kernel, ...]:
    steps, _ = schedule(Assembler(optimize(graph)).plan())
    return tuple(step.kernel for step in steps)


def codes(graph: Graph) -> int:
    return len({kernel.code for kernel in kernels(graph)})


def test_layers(golden: Golden) -> None:
    golden("layers.txt", "\n".join(map(str, kernels(layers(4)))))


def test_text_of_functions_does_not_grow_with_layers() -> None:
    texts = []
    for count in (4, 16):
        steps, memory = schedule(Assembler(optimize(layers(count))).plan())
        texts.append(render(steps, memory.offsets, memory.scratch_bytes, host_target()).text)
    functions = [text.count("define internal") for text in texts]
    assert functions[0] == functions[1]
    assert texts[1].count("call void @k0_") == 16


def test_each_kernel_works_on_its_own_memory() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((8, 8)).astype(np.float32) for _ in range(6)]
    wanted = arrays[0].astype(np.float64)
    for weight in arrays[1:]:
        wanted = np.tanh(wanted @ weight)
    (got,) = run(layers(5), arrays)
    assert_close(got, wanted.astype(np.float32), 100)


def pair(first: Callable[[Node], Node], second: Callable[[Node], Node]) -> Graph:
    """Two results, each in a kernel of its own because their shapes have nothing in common."""
    a, b = value("a", 6, 40), value("b", 6, 40)
    sums = [
        ops.sum(ops.matmul(x.node, ops.permute(x.node, axes=(1, 0))), axes=(0, 1)) for x in (a, b)
    ]
    results = [
        make(ops.mul(x.node, ops.expand(ops.reshape(total, shape=(1, 1)), shape=x.node.shape)))
        for make, x, total in zip((first, second), (a, b), sums, strict=True)
    ]
    return Graph("pair", (a, b), tuple(Output(y, f"y{n}") for n, y in enumerate(results)))


def times(number: float) -> Callable[[Node], Node]:
    return lambda x: ops.mul(x, ops.full_like(x, value=number))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (times(3.0), True),
        (times(-3.0), False),
        (ops.neg, False),
        (lambda x: ops.mul(x, x), False),
        (lambda x: ops.permute(times(3.0)(x), axes=(1, 0)), False),
    ],
)
def test_what_codes_depend_on(other: Callable[[Node], Node], same: bool) -> None:
    shared = codes(pair(times(3.0), times(3.0)))
    assert (codes(pair(times(3.0), other)) == shared) is same


def test_overwriting_an_argument_is_other_code() -> None:
    """x * 2 into x reads and writes one buffer; into a result, two."""
    a, b = value("a", 50, 50), value("b", 50, 50)
    doubled = [times(2.0)(item.node) for item in (a, b)]
    apart = Graph("apart", (a, b), (Output(doubled[0], "y"), Output(doubled[1], "z")))
    inside = Graph("inside", (a, b), (Output(doubled[0], "y"), Output(doubled[1], "b", 1)))
    assert len(kernels(apart)) == len(kernels(inside)) == 2
    assert codes(apart) == 1
    assert codes(inside) == 2
    arrays = [np.full((50, 50), number, np.float32) for number in (1, 2)]
    got = run(inside, arrays)
    assert got[0].max() == 2 and got[1].max() == 4
