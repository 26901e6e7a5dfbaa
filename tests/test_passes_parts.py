"""Ring one: loops over time after the passes: sums as one product, parts inside of their whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.passes.join import join_parts
from jitnet.compiler.passes.overlap import share_parts
from jitnet.compiler.passes.simplify import simplify
from jitnet.compiler.passes.sums import join_sums
from jitnet.compiler.pipeline import optimize
from jitnet.compiler.schedule import schedule
from jitnet.runtime.dtype import float32
from tests.graph_harness import argument, assert_close, check, run, sample

Golden = Callable[[str, str], None]
F32 = np.float32
rng = np.random.default_rng(0)


def values(*shapes: tuple[int, ...]) -> tuple[list[Input], list[Node], list[np.ndarray]]:
    """Return graph inputs a, b, c ... of these shapes, their nodes, and arrays."""
    arrays = [rng.standard_normal(shape).astype(F32) for shape in shapes]
    inputs = [argument(chr(97 + n), array) for n, array in enumerate(arrays)]
    return inputs, [item.node for item in inputs], arrays


def graph_of(inputs: list[Input], **results: Node) -> Graph:
    """Return a graph."""
    outputs = tuple(Output(node, name) for name, node in results.items())
    return Graph("test", tuple(inputs), outputs)


def turned(x: Node) -> Node:
    """x transposed"""
    return ops.permute(x, axes=(1, 0))


def cut(x: Node, start: int, stop: int, axis: int = 0) -> Node:
    """x[start:stop] along an axis"""
    rank = range(len(x.shape))
    return ops.slice(
        x,
        starts=tuple(start if a == axis else 0 for a in rank),
        stops=tuple(stop if a == axis else x.shape[a] for a in rank),
        steps=(1,) * len(x.shape),
    )


def row(x: Node, number: int) -> Node:
    """x[number]"""
    return ops.reshape(cut(x, number, number + 1), shape=x.shape[1:])


def kernels(graph: Graph) -> str:
    """Return the kernels of an optimized graph as text."""
    steps, memory = schedule(Assembler(graph).plan())
    lines = [f"{'-- barrier --' * step.barrier}\n{step.kernel}".strip() for step in steps]
    return "\n".join([*lines, f"arena {memory.arena_bytes}"])


def count(graph: Graph, name: str) -> int:
    """Return how many nodes of an op there are."""
    return sum(node.op.name == name for node in graph.nodes)


def agrees(graph: Graph, arrays: list[np.ndarray]) -> None:
    """Assert that the compiled graph gives what the graph's own ops give."""
    for got, want in zip(run(graph, list(arrays)), evaluate(graph, arrays), strict=True):
        assert_close(got, want)


# -- sums ---------------------------------------------------------------------------------------


def test_sums_become_one_product(golden: Golden) -> None:
    """Products, transposed ones, and sums over rows; what others read, or is alone, stays."""
    inputs, (a, b, c, d, e, f), arrays = values((4, 8), (4, 6), (4, 8), (4, 6), (8, 6), (4, 6))
    weight = ops.add(ops.matmul(turned(c), d), ops.matmul(turned(a), b))
    more = ops.add(turned(ops.matmul(turned(d), c)), ops.add(weight, e))
    bias = ops.add(ops.sum(d, axes=(0,)), ops.add(ops.sum(b, axes=(0,)), ops.sum(f, axes=(0,))))
    shared = ops.matmul(turned(a), d)
    kept = ops.add(shared, ops.matmul(turned(a), f))
    graph = graph_of(inputs, weight=more, bias=bias, kept=kept, shared=shared)
    after = join_sums(graph)
    golden("sums.txt", f"{graph}\n\n{after}\n\n{optimize(graph)}")
    assert count(after, "matmul") == 3 and count(after, "sum") == 1
    agrees(graph, arrays)


def test_long_products_are_not_copied_to_be_joined() -> None:
    """Where operands are much larger than the sum, to concatenate them costs more."""
    inputs, (a, b, c, d), _ = values((64, 3), (64, 2), (64, 3), (64, 2))
    graph = graph_of(inputs, y=ops.add(ops.matmul(turned(a), b), ops.matmul(turned(c), d)))
    assert count(join_sums(graph), "concat") == 0


# -- pieces -------------------------------------------------------------------------------------


def test_pieces_meet_again(golden: Golden) -> None:
    """Slices of slices, of concatenations; concatenations of neighbours, rows of x among them."""
    inputs, (x, y), arrays = values((4, 3, 5), (2, 3, 5))
    both = ops.concat(x, y, axis=0)
    rows = ops.concat(row(x, 1), row(x, 2), row(x, 3), axis=0)
    columns = ops.concat(row(x, 0), row(x, 1), axis=1)
    graph = graph_of(
        inputs,
        inside=ops.neg(cut(both, 4, 6)),
        across=ops.neg(cut(both, 3, 5)),
        nested=ops.neg(cut(cut(x, 1, 4), 1, 2)),
        again=ops.neg(ops.concat(cut(x, 1, 2), cut(x, 2, 4), axis=0)),
        apart=ops.neg(ops.concat(cut(x, 0, 1), cut(x, 2, 4), axis=0)),
        rows=ops.neg(rows),
        columns=ops.neg(columns),
        flat=ops.neg(ops.concat(both, ops.concat(y, x, axis=0), axis=0)),
    )
    golden("pieces.txt", f"{simplify(graph)}")
    agrees(graph, arrays)


# -- parts --------------------------------------------------------------------------------------


def test_concatenations_that_overlap_are_one() -> None:
    inputs, (a, b, c, d), arrays = values(*[(2, 3)] * 4)
    early, late = ops.concat(a, b, c, axis=0), ops.concat(b, c, d, axis=0)
    other = ops.concat(a, d, axis=0)
    graph = graph_of(inputs, e=ops.exp(early), l=ops.neg(late), o=ops.neg(other))
    after = share_parts(graph)
    assert sorted(len(n.args) for n in after.nodes if n.op is ops.concat) == [2, 4]
    agrees(graph, arrays)


def test_states_that_read_all_before_them_do_not_overlap() -> None:
    """[a b] is part of [a b c], but c is made of it: one cannot be cut from the other."""
    inputs, (a, b), arrays = values((2, 3), (2, 3))
    early = ops.concat(a, b, axis=0)
    c = cut(ops.tanh(early), 0, 2)
    graph = graph_of(inputs, y=ops.neg(ops.concat(a, b, c, axis=0)))
    assert count(share_parts(graph), "slice") == 1
    agrees(graph, arrays)


def recurrence(steps: int, rows: int, size: int) -> tuple[list[Input], Graph, list[np.ndarray]]:
    """Return h = tanh(x[t] + h w) over time, its outputs, and gradients of w and x."""
    inputs, (x, w, g), arrays = values((steps * rows, size), (size, size), (steps * rows, size))
    arrays[1] *= F32(0.3)
    hidden = ops.full_like(cut(x, 0, rows), value=0)
    states, seen = [hidden], []
    for step in range(steps):
        own = cut(x, step * rows, (step + 1) * rows)
        hidden = ops.tanh(ops.add(own, ops.matmul(hidden, w)))
        states.append(hidden)
        seen.append(hidden)
    one = ops.full_like(hidden, value=1)
    below, total, parts = None, None, []
    for step in reversed(range(steps)):
        grad = cut(g, step * rows, (step + 1) * rows)
        if below is not None:
            grad = ops.add(grad, ops.matmul(below, turned(w)))
        below = ops.mul(grad, ops.sub(one, ops.mul(seen[step], seen[step])))
        parts.append(below)
        product = ops.matmul(turned(states[step]), below)
        total = product if total is None else ops.add(total, product)
    assert total is not None
    gx = ops.concat(*parts[::-1], axis=0)
    loss = ops.sum(ops.mul(ops.concat(*seen, axis=0), g), axes=(0, 1))
    return inputs, graph_of(inputs, loss=loss, dw=total, dx=gx), arrays


def test_a_loop_over_time(golden: Golden) -> None:
    """A step is one kernel each way, all steps share its code, nothing is copied but zeros."""
    _, graph, arrays = recurrence(4, 4, 8)
    after = optimize(graph)
    golden("loop.txt", f"{after}\n\n{kernels(after)}")
    agrees(graph, arrays)


@pytest.mark.parametrize(("steps", "rows", "size"), [(1, 2, 3), (2, 1, 5), (7, 3, 33), (5, 40, 70)])
def test_loops_are_right(steps: int, rows: int, size: int) -> None:
    _, graph, arrays = recurrence(steps, rows, size)
    agrees(graph, arrays)


def test_parts_that_live_elsewhere_are_copied(golden: Golden) -> None:
    """Inputs, outputs, one value twice, numbers, views: all but what is computed for the whole."""
    inputs, (a, w), arrays = values((6, 4), (4, 4))
    product = ops.matmul(a, w)
    out = ops.exp(product)
    zeros = ops.full_like(a, value=0)
    view = ops.expand(cut(a, 0, 1), shape=(6, 4))
    whole = ops.concat(product, a, out, product, zeros, view, ops.tanh(a), axis=0)
    graph = graph_of(inputs, y=ops.matmul(whole, w), out=out)
    after = join_parts(graph)
    golden("parts.txt", f"{after}\n\n{kernels(after)}")
    agrees(graph, arrays)


def test_parts_along_any_dim_moved_and_nested() -> None:
    """Columns, stacks, transposed parts, concatenations in concatenations, images."""
    inputs, (a, b, w), arrays = values((6, 5), (6, 5), (5, 5))
    p, q = ops.matmul(a, w), ops.tanh(ops.matmul(b, w))
    r = ops.sub(a, b)
    columns = ops.concat(p, q, r, axis=1)
    stack = ops.concat(*(ops.reshape(v, shape=(6, 1, 5)) for v in (p, q, r)), axis=1)
    tall = ops.concat(turned(ops.exp(a)), turned(ops.exp(b)), axis=0)
    nested = ops.concat(columns, ops.concat(ops.neg(p), ops.cos(a), ops.sin(b), axis=1), axis=0)
    results = [
        ops.matmul(columns, ops.concat(w, w, w, axis=0)),
        ops.matmul(ops.reshape(stack, shape=(18, 5)), w),
        ops.matmul(tall, ops.concat(p, q, axis=1)),
        ops.matmul(nested, turned(nested)),
        columns,
    ]
    check(results, inputs, arrays)


def test_images_join_along_channels() -> None:
    inputs, (x, w, v), arrays = values((2, 9, 6, 6), (10, 9, 3, 3), (8, 19, 3, 3))
    params: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
    y = ops.conv(x, w, padding=((1, 1), (1, 1)), **params)
    both = ops.concat(x, ops.tanh(y), axis=1)
    z = ops.conv(both, v, padding=((0, 0), (0, 0)), **params)
    check([z, ops.conv(ops.exp(both), v, padding=((1, 1), (0, 1)), **params)], inputs, arrays)


def test_reductions_and_scalars_join() -> None:
    inputs, (a,), arrays = values((5, 7))
    losses = [
        ops.reshape(ops.sum(ops.mul(a, ops.full_like(a, value=k)), axes=(0, 1)), shape=(1,))
        for k in range(1, 6)
    ]
    whole = ops.concat(*losses, axis=0)
    means = ops.concat(ops.sum(a, axes=(0,)), ops.max(a, axes=(0,)), axis=0)
    check([ops.sum(whole, axes=(0,)), ops.neg(whole), means], inputs, arrays)


def test_an_updated_input_is_not_written_early() -> None:
    """Its new value is a concatenation, whose parts others compute from the old one."""
    arrays = [rng.standard_normal((4, 3)).astype(F32), rng.standard_normal((3, 3)).astype(F32)]
    state, w = (argument(name, array) for name, array in zip("sw", arrays, strict=True))
    first = ops.matmul(cut(state.node, 2, 4), w.node)
    second = ops.tanh(ops.matmul(cut(state.node, 0, 2), w.node))
    new = ops.concat(first, second, axis=0)
    graph = Graph("state", (state, w), (Output(new, "s", 0),))
    want = evaluate(graph, arrays)
    (got,) = run(graph, arrays)
    assert_close(got, want[0])


def test_slices_of_inputs_and_results_are_read_where_they_lie() -> None:
    """Blocks of rows, of images, of strided arrays, of transposed ones."""
    x = sample(rng, float32, (8, 6, 5))
    for array in (x, x[::2], x.transpose(1, 0, 2), np.asfortranarray(x)):
        item = argument("x", array)
        y = ops.exp(item.node)
        results = [ops.neg(cut(v, 1, 3, axis)) for v in (item.node, y) for axis in (0, 1, 2)]
        results += [ops.sum(cut(y, 2, 4), axes=(0,)), ops.copy(y)]
        results.append(ops.neg(cut(ops.permute(cut(y, 1, 4), axes=(1, 0, 2)), 2, 5)))
        check(results, [item], [array])


@pytest.mark.parametrize("columns", [24, 96])
def test_weights_of_a_loop_are_turned_once(columns: int) -> None:
    """Four small products with one transposed matrix read it turned; one or two turn it anew.

    Columns that make whole panels are read panel by panel.
    """
    for steps, turns in ((2, False), (4, True)):
        inputs, (x, w), arrays = values((8, 40), (columns, 40))
        back, results = turned(w), []
        for step in range(steps):
            hidden = ops.matmul(ops.mul(x, ops.full_like(x, value=step + 1)), back)
            results.append(ops.tanh(hidden))
        graph = graph_of(inputs, **{f"y{n}": y for n, y in enumerate(results)})
        text = kernels(optimize(graph))
        assert ("_copy" in text) is turns
        assert ("columns n:3 l:32" in text) is (turns and columns == 96)
        agrees(graph, arrays)
