"""Images side by side in lanes: the same values as image by image, and where that is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.passes import image_lanes
from jitnet.compiler.passes.image_lanes import images_in_lanes
from jitnet.compiler.pipeline import optimize
from tests.graph_harness import argument, check

POOL: dict[str, Any] = {
    "kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil": False
}  # fmt: skip


@pytest.fixture
def free_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pass count what convolutions gain only, however small they are."""
    monkeypatch.setattr(image_lanes, "MOVE_CYCLES", 0.0)


def window(
    rank: int, padding: int = 0, stride: int = 1, groups: int = 1, dilation: int = 1
) -> dict[str, Any]:
    """Return a convolution's parameters, equal in all dims."""
    return {
        "stride": (stride,) * rank,
        "padding": ((padding, padding),) * rank,
        "dilation": (dilation,) * rank,
        "groups": groups,
    }


def inputs_of(*shapes: tuple[int, ...], dtype: type = np.float32) -> list[tuple[Input, np.ndarray]]:
    """Return arguments of these shapes with values."""
    rng = np.random.default_rng(len(shapes))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    return [(argument(f"x{number}", array), array) for number, array in enumerate(arrays)]


def graph_of(results: list[Node], inputs: list[Input]) -> Graph:
    """Return a graph with those results."""
    outputs = tuple(Output(node, f"y{number}") for number, node in enumerate(results))
    return Graph("test", tuple(inputs), outputs)


def family(
    image: tuple[int, ...], kernel: tuple[int, ...], dtype: type = np.float32, **params: Any
) -> tuple[list[Node], list[Input], list[np.ndarray]]:
    """Return a convolution, a rectifier, its gradients and those sums that a bias wants."""
    (x, a), (w, b) = inputs_of(image, kernel, dtype=dtype)
    y = ops.conv(x.node, w.node, **params)
    positive = ops.maximum(y, ops.full_like(y, value=0))
    mask = ops.le(positive, ops.full_like(y, value=0))
    g = ops.where(mask, ops.full_like(y, value=0), ops.mul(y, y))
    bias = ops.sum(g, axes=(0, *range(2, len(image))))
    grads = [
        ops.conv_input_grad(g, w.node, shape=image, **params),
        ops.conv_weight_grad(g, x.node, shape=kernel, **params),
    ]
    return [positive, bias, *grads], [x, w], [a, b]


def is_moved(graph: Graph) -> bool:
    """Whether the pass changes a graph."""
    return images_in_lanes(graph) is not graph


FAMILIES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((32, 3, 12, 11), (6, 3, 5, 5), window(2)),
    ((16, 6, 9, 9), (16, 6, 3, 5), window(2, padding=2)),
    ((48, 2, 9, 12), (16, 2, 5, 5), window(2, padding=1, stride=2)),
    ((32, 4, 40), (8, 4, 9), window(1, padding=4)),
    ((64, 3, 4, 7), (6, 3, 2, 2), window(2, dilation=3)),  # pixels that no tap reaches
]


@pytest.mark.usefixtures("free_copies")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("image", "kernel", "params"), FAMILIES)
def test_convolutions_and_gradients_are_those_image_by_image(
    image: tuple[int, ...], kernel: tuple[int, ...], params: dict[str, Any], dtype: type
) -> None:
    """Whatever the rank, stride and padding; compiled, too."""
    results, inputs, arrays = family(image, kernel, dtype, **params)
    graph = graph_of(results, inputs)
    moved = images_in_lanes(graph)
    assert moved is not graph
    for got, want in zip(evaluate(moved, arrays), evaluate(graph, arrays), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4 * np.abs(want).max())
    check(results, inputs, arrays)


@pytest.mark.usefixtures("free_copies")
def test_plain_loops_leave_the_same_terms_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tiles do not pay, a gradient's edges are the same."""
    monkeypatch.setattr("jitnet.compiler.codegen.contract.prefers_tiles", lambda c, target: False)
    check(*family((16, 3, 7, 6), (4, 3, 3, 2), **window(2, padding=1)))


@pytest.mark.usefixtures("free_copies")
def test_no_zeros_are_put_around_a_gradient() -> None:
    """The gradient of an image reads that of the results as it is."""
    results, inputs, _ = family(*FAMILIES[0][:2], **FAMILIES[0][2])
    names = [node.op.name for node in optimize(graph_of(results, inputs)).nodes]
    assert "conv_input_grad" in names
    assert "pad" not in names


def pooled(x: Node, w: Node) -> list[Node]:
    """Return pools of a convolution, and gradients through them."""
    y = ops.conv(x, w, **window(2))
    top, total = ops.max_pool(y, **POOL), ops.sum_pool(y, **POOL)
    return [
        top,
        ops.max_pool_grad(ops.mul(top, total), y, **POOL),
        ops.max_pool_gather(ops.abs(y), y, **POOL),
        ops.sum_pool_grad(total, shape=y.shape, **POOL),
    ]


@pytest.mark.usefixtures("free_copies")
def test_pools_stay_in_lanes() -> None:
    """Windows span no images; what follows a convolution is read where it was written."""
    (x, a), (w, b) = inputs_of((32, 3, 14, 15), (6, 3, 5, 5), dtype=np.float64)
    results = pooled(x.node, w.node)
    graph = graph_of(results, [x, w])
    moved = images_in_lanes(graph)
    assert [len(node.shape) for node in moved.nodes if "pool" in node.op.name] == [5] * 5
    for got, want in zip(evaluate(moved, [a, b]), evaluate(graph, [a, b]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    check(results, [x, w], [a, b])


@pytest.mark.usefixtures("free_copies")
def test_each_image_is_copied_once() -> None:
    """Forward and the gradient of weights read the same copy, and nothing else is copied."""
    results, inputs, _ = family(*FAMILIES[0][:2], **FAMILIES[0][2])
    copies = [n for n in optimize(graph_of(results, inputs)).nodes if n.op is ops.copy]
    assert [node.shape for node in copies] == [(2, 3, 12, 11, 16)]


STAYING: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("too few images", (8, 3, 32, 32), (6, 3, 5, 5), window(2)),
    ("lanes not full", (40, 3, 32, 32), (6, 3, 5, 5), window(2)),
    ("channels fill vectors", (32, 8, 32, 32), (16, 8, 5, 5), window(2)),
    ("more than a vector of channels", (32, 3, 32, 32), (32, 3, 5, 5), window(2)),
    ("groups", (32, 6, 32, 32), (6, 3, 5, 5), window(2, groups=2)),
    ("three spatial dims", (16, 3, 8, 8, 8), (6, 3, 3, 3, 3), window(3)),
    ("copying takes longer", (32, 3, 32, 32), (4, 3, 1, 1), window(2)),
]


@pytest.mark.parametrize(
    ("image", "kernel", "params"), [case[1:] for case in STAYING], ids=[c[0] for c in STAYING]
)
def test_other_convolutions_stay_as_they_are(
    image: tuple[int, ...], kernel: tuple[int, ...], params: dict[str, Any]
) -> None:
    """Where vectors are full already, or lanes would not be, or nothing is gained."""
    results, inputs, _ = family(image, kernel, **params)
    assert not is_moved(graph_of(results, inputs))


@pytest.mark.usefixtures("free_copies")
def test_an_element_by_element_op_of_two_forms_reads_the_other_in_lanes() -> None:
    """A sum of a convolution and of an image from elsewhere."""
    (x, a), (w, b), (z, c) = inputs_of((16, 3, 10, 10), (6, 3, 5, 5), (16, 6, 6, 6))
    y = ops.add(ops.conv(x.node, w.node, **window(2)), z.node)
    assert is_moved(graph_of([y], [x, w, z]))
    check([y], [x, w, z], [a, b, c])


def test_no_images_are_no_lanes() -> None:
    """A batch of none is left alone."""
    (x, _), (w, _) = inputs_of((0, 3, 10, 10), (6, 3, 5, 5))
    assert not is_moved(graph_of([ops.conv(x.node, w.node, **window(2))], [x, w]))
