"""Ring one: of each value, the part that is read is computed and no more."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitnet.compiler import ops
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.passes.crop import crop
from jitnet.compiler.passes.progressions import Part, both, reshaped, shape_of, whole, within
from jitnet.compiler.passes.simplify import simplify
from tests.graph_harness import argument, assert_close, run

Golden = Callable[[str, str], None]
rng = np.random.default_rng(0)


def value(name: str, *shape: int) -> tuple[Input, np.ndarray]:
    """Return a graph input and its array."""
    array = rng.standard_normal(shape).astype(np.float32)
    return argument(name, array), array


def cut(x: Node, *bounds: slice) -> Node:
    """x[bounds]"""
    full = [
        bound.indices(size)
        for bound, size in zip((*bounds, *[slice(None)] * len(x.shape)), x.shape, strict=False)
    ]
    starts, stops, steps = zip(*full, strict=True)
    return ops.slice(x, starts=starts, stops=stops, steps=steps)


def graph_of(inputs: list[Input], *results: Node) -> Graph:
    """Return a graph."""
    outputs = tuple(Output(node, f"y{number}") for number, node in enumerate(results))
    return Graph("test", tuple(inputs), outputs)


def shapes(graph: Graph, op: object) -> list[tuple[int, ...]]:
    """Return the shapes of all values that an op makes."""
    return [node.shape for node in graph.nodes if node.op is op]


def same_values(graph: Graph, arrays: list[np.ndarray]) -> Graph:
    """Return the cropped graph; assert that it computes what the graph does, compiled as well."""
    cropped = crop(graph)
    wanted = evaluate(graph, arrays)
    for got in (evaluate(cropped, arrays), run(graph, arrays)):
        for one, other in zip(got, wanted, strict=True):
            assert_close(np.asarray(one), np.asarray(other))
    return cropped


@pytest.mark.parametrize("batch", [1, 3])
def test_last_position(batch: int, golden: Golden) -> None:
    """Of a network's last layer the last position only; of the layer before, what it needs."""
    (x, x0), (w, w0), (v, v0) = value("x", batch, 5, 8), value("w", 8, 16), value("v", 16, 4)
    flat = ops.reshape(x.node, shape=(batch * 5, 8))
    hidden = ops.reshape(ops.matmul(flat, w.node), shape=(batch, 5, 16))
    hidden = ops.tanh(hidden)
    out = ops.matmul(ops.reshape(hidden, shape=(batch * 5, 16)), v.node)
    last = cut(ops.reshape(out, shape=(batch, 5, 4)), slice(None), slice(-1, None))
    cropped = same_values(graph_of([x, w, v], last), [x0, w0, v0])
    assert shapes(cropped, ops.matmul) == [(batch, 16), (batch, 4)]
    assert shapes(cropped, ops.tanh) == [(batch, 1, 16)]
    golden(f"crop_{batch}.txt", str(simplify(cropped)))


def test_several_readers() -> None:
    """What two readers ask for is one part: from the first to the last, in their common step."""
    (x, x0), (w, w0) = value("x", 12, 8), value("w", 8, 16)
    y = ops.matmul(x.node, w.node)
    results = [cut(y, slice(2, 3)), cut(y, slice(4, 9, 4))]
    cropped = same_values(graph_of([x, w], *results), [x0, w0])
    assert shapes(cropped, ops.matmul) == [(4, 16)]  # rows 2, 4, 6, 8


@pytest.mark.parametrize("keep", ["output", "sort"])
def test_whole(keep: str) -> None:
    """An output, and what an op without a rule reads, is computed as a whole: nothing changes."""
    (x, x0), (w, w0) = value("x", 6, 8), value("w", 8, 16)
    y = ops.matmul(x.node, w.node)
    other = y if keep == "output" else ops.flip(y, axes=(0,))
    graph = graph_of([x, w], cut(y, slice(1, 2)), other)
    assert same_values(graph, [x0, w0]) is graph


def test_convolutions_stay_whole() -> None:
    """What is computed in a convolution's loops stays there."""
    (x, x0), (w, w0) = value("x", 2, 3, 6, 6), value("w", 4, 3, 3, 3)
    pairs = ((1, 1), (1, 1))
    y = ops.conv(x.node, w.node, stride=(1, 1), padding=pairs, dilation=(1, 1), groups=1)
    graph = graph_of([x, w], cut(ops.tanh(y), slice(0, 1)))
    assert same_values(graph, [x0, w0]) is graph


def test_parts_of_a_concatenation() -> None:
    """Only what is read of each part is computed; a part that is not read at all, not at all."""
    named = [value(name, 4, 3) for name in "abc"]
    whole_ = ops.concat(*(ops.exp(item.node) for item, _ in named), axis=0)
    last = cut(ops.neg(whole_), slice(5, 10, 2))
    cropped = same_values(graph_of([item for item, _ in named], last), [x for _, x in named])
    assert sorted(shapes(cropped, ops.exp)) == [(1, 3), (2, 3)]


def test_sums_and_spreads() -> None:
    """Softmax over the rows of which some are read; what is spread is read once."""
    x, x0 = value("x", 6, 4, 8)
    y = ops.exp(ops.permute(x.node, axes=(1, 0, 2)))
    total = ops.expand(ops.reshape(ops.sum(y, axes=(2,)), shape=(4, 6, 1)), shape=(4, 6, 8))
    cropped = same_values(graph_of([x], cut(ops.div(y, total), slice(1, 3), slice(-1, None))), [x0])
    assert shapes(cropped, ops.exp) == [(2, 1, 8)]
    assert shapes(cropped, ops.sum) == [(2, 1)]


def test_divisors_are_looked_at() -> None:
    """A whole number divided by zero is an error, also where nobody reads the quotient."""
    array = np.arange(6)
    x = argument("x", array)
    graph = graph_of(
        [x], cut(ops.floor_divide(ops.full_like(x.node, value=7), x.node), slice(1, 2))
    )
    assert crop(graph) is graph
    with pytest.raises(AssertionError, match="divided by zero"):
        run(graph, [array])


sizes = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)


@st.composite
def parts(draw: st.DrawFn, shape: tuple[int, ...]) -> Part:
    """A part of a shape."""
    found = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start + 1, size))
        step = draw(st.integers(1, 3))
        found.append(range(start, range(start, stop, step)[-1] + 1, step))
    return tuple(found)


@given(st.data())
def test_reshaped_parts(data: st.DataObject) -> None:
    """A part of a reshaped value is the same elements of the value, in the same order."""
    shape = tuple(data.draw(sizes))
    old = tuple(data.draw(st.permutations(shape)))
    split = data.draw(st.integers(0, len(old)))
    old = (*old[:split], 1, prod(old[split:]))
    asked = data.draw(parts(shape))
    new, there = reshaped(asked, shape, old)
    flat = np.arange(prod(shape))
    got = flat.reshape(old)[np.ix_(*there)].reshape(shape_of(new))
    np.testing.assert_array_equal(got, flat.reshape(shape)[np.ix_(*new)])
    within(asked, new)  # raises unless all that was asked for is there


@given(st.data())
def test_both_parts(data: st.DataObject) -> None:
    """A part that has all of two has each of them, and its elements are found in it."""
    shape = tuple(data.draw(sizes))
    one, other = data.draw(parts(shape)), data.draw(parts(shape))
    larger = both(one, other)
    flat = np.arange(prod(shape)).reshape(shape)
    for part in (one, other):
        found = flat[np.ix_(*larger)][np.ix_(*within(part, larger))]
        np.testing.assert_array_equal(found, flat[np.ix_(*part)])


def test_reshape_keeps_rows() -> None:
    """The last of each of three sequences is every fifth row; a part of two dims may be one."""
    assert reshaped((range(3), range(4, 5)), (3, 5), (15,))[1] == (range(4, 15, 5),)
    assert reshaped((range(4, 15, 5),), (15,), (3, 5))[1] == (range(3), range(4, 5))
    new, old = reshaped((range(3), range(2)), (3, 5), (15,))  # no progression: all of it
    assert (new, old) == (whole((3, 5)), whole((15,)))
