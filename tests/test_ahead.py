"""Rows of large results are fetched into the cache before the loop that writes them."""

from __future__ import annotations

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.ir.loops import Fetch, For, walk
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.pipeline import optimize
from tests.graph_harness import argument, check


def spread(x: Node, like: Node) -> Node:
    """Repeat a value of each row along the row."""
    return ops.expand(ops.reshape(x, shape=(*x.shape, 1)), shape=like.shape)


def softmax(x: Node) -> Node:
    """Over the last of two dims"""
    e = ops.exp(ops.sub(x, spread(ops.max(x, axes=(1,)), x)))
    return ops.div(e, spread(ops.sum(e, axes=(1,)), x))


def loops_that_fetch(item: Input, result: Node) -> list[str]:
    """Return the innermost loops of the kernels that fetch, as text."""
    graph = Graph("rows", (item,), (Output(result, "y"),))
    bodies = [kernel.code.body for kernel in Assembler(optimize(graph)).plan().kernels]
    loops = [s for body in bodies for s in walk(body) if isinstance(s, For) and s.kind == "vector"]
    return [str(loop) for loop in loops if any(isinstance(s, Fetch) for s in loop.body)]


@pytest.mark.parametrize("shape", [(700, 500), (257, 2048)], ids=str)
def test_large_rows(shape: tuple[int, int]) -> None:
    """The loop of the exponentials fetches the row of the result, and no other does."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    item = argument("x", x)
    (loop,) = loops_that_fetch(item, softmax(item.node))
    assert "exp" in loop
    check([softmax(item.node)], [item], [x])


def test_what_is_near_is_not_fetched() -> None:
    """A small result is in the cache."""
    small = argument("x", np.zeros((64, 100), np.float32))
    assert loops_that_fetch(small, softmax(small.node)) == []
