"""Sums over columns by bands of rows: in the loops of what is summed, the same on any team."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.pipeline import optimize
from jitnet.compiler.schedule import schedule
from tests.graph_harness import argument, check, run

ROWS = [  # shapes whose rows are cut into bands
    (2048, 64),
    (256, 1000),
    (6, 100, 96),
    (2, 1, 512, 70),
]


def spread(x: Node, like: Node) -> Node:
    """Repeat a value of each row along the row."""
    return ops.expand(ops.reshape(x, shape=(*x.shape, 1)), shape=like.shape)


def gradients(x: Node, u: Node) -> list[Node]:
    """Values of rows, and the sums over columns of what is computed from them."""
    last, before = len(x.shape) - 1, tuple(range(len(x.shape) - 1))
    e = ops.exp(ops.sub(x, spread(ops.max(x, axes=(last,)), x)))
    y = ops.div(e, spread(ops.sum(e, axes=(last,)), x))
    return [ops.sub(y, u), ops.sum(ops.mul(y, u), axes=before), ops.sum(u, axes=before)]


def inputs(shape: tuple[int, ...]) -> tuple[list[Input], list[np.ndarray]]:
    """Return two inputs of a shape."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for _ in range(2)]
    return [argument(name, array) for name, array in zip("xu", arrays, strict=True)], arrays


def outputs(nodes: list[Node]) -> tuple[Output, ...]:
    """Return graph outputs, numbered."""
    return tuple(Output(node, f"r{number}") for number, node in enumerate(nodes))


def test_columns_are_summed_in_the_loops_over_rows(golden: Callable[[str, str], None]) -> None:
    """One kernel reads the rows; what is left is to add up the bands."""
    (x, u), _ = inputs((2048, 64))
    graph = Graph("bands", (x, u), outputs(gradients(x.node, u.node)))
    steps, _ = schedule(Assembler(optimize(graph)).plan())
    golden("bands.txt", "\n".join(str(step.kernel) for step in steps))


@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_sums_by_bands(shape: tuple[int, ...]) -> None:
    """Compiled sums are those of the ops' own eval, and one kernel makes all but the last step."""
    found, arrays = inputs(shape)
    nodes = gradients(found[0].node, found[1].node)
    optimized = optimize(Graph("sums", tuple(found), outputs(nodes)))
    kept = [node for node in optimized.nodes if node.op.name == "band_sums"]
    assert len(kept) == 2
    steps, _ = schedule(Assembler(optimized).plan())
    assert sum("band_sums" in step.kernel.fused for step in steps) == 1
    check(nodes, found, arrays)


def test_columns_alone() -> None:
    """A sum over columns of what is in memory, and one of what is computed element by element."""
    found, arrays = inputs((512, 128))
    x, u = (item.node for item in found)
    check([ops.sum(x, axes=(0,))], found, arrays)
    check([ops.sum(ops.exp(u), axes=(0,)), ops.exp(u)], found, arrays)


def test_same_bits_on_any_number_of_threads() -> None:
    """The bands are those of the graph, not of the team."""
    found, arrays = inputs((999, 200))
    graph = Graph("bits", tuple(found), outputs(gradients(found[0].node, found[1].node)))
    first = run(graph, arrays, threads=1)
    for threads in (2, 3, 8):
        for one, other in zip(first, run(graph, arrays, threads=threads), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_vector_times_a_matrix_by_bands_of_its_rows() -> None:
    """A large matrix is multiplied band by band; a small one, or one that is turned, at once."""
    rng = np.random.default_rng(0)

    def products(depth: int, columns: int, turned: bool = False) -> list[Node]:
        vector = rng.standard_normal((1, depth)).astype(np.float32)
        matrix = rng.standard_normal((columns, depth) if turned else (depth, columns))
        arrays = [vector, matrix.astype(np.float32)]
        x, w = (argument(name, array) for name, array in zip("xw", arrays, strict=True))
        weights = ops.permute(w.node, axes=(1, 0)) if turned else w.node
        y = ops.neg(ops.matmul(x.node, weights))
        check([y], [x, w], arrays)
        optimized = optimize(Graph("product", (x, w), outputs([y])))
        return [node for node in optimized.nodes if node.op.name == "matmul"]

    (banded,) = products(1024, 600)
    assert banded.shape == (8, 1, 600)
    for whole in (products(1024, 300), products(1023, 600), products(1024, 600, turned=True)):
        assert [node.shape[0] for node in whole] == [1]
