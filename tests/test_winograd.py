"""Convolutions by planes of tiles: the ops, which convolutions become so, how exact they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.ops import winograd as planes
from jitnet.compiler.passes.winograd import winograd
from jitnet.compiler.pipeline import optimize
from tests.graph_harness import argument, check, run

Pairs = tuple[tuple[int, int], tuple[int, int]]

# image [N, C, H, W], filters, padding: whole tiles, odd sizes, uneven padding, one image.
SHAPES: list[tuple[tuple[int, ...], int, Pairs]] = [
    ((4, 64, 8, 8), 64, ((1, 1), (1, 1))),
    ((3, 40, 11, 8), 72, ((1, 1), (1, 1))),
    ((6, 96, 15, 9), 65, ((0, 0), (2, 1))),
    ((1, 65, 28, 30), 48, ((1, 2), (0, 0))),
    ((4, 128, 8, 8), 192, ((1, 1), (1, 1))),
]


def convolution(
    image: tuple[int, ...], filters: int, padding: Pairs, dtype: type = np.float32
) -> tuple[list[Node], list[Input], list[np.ndarray]]:
    """Return a convolution and both its gradients, their inputs, and values for these."""
    rng = np.random.default_rng(sum(image) + filters)
    kernel = (filters, image[1], 3, 3)
    x = rng.standard_normal(image).astype(dtype)
    w = rng.standard_normal(kernel).astype(dtype)
    inputs = [argument("x", x), argument("w", w)]
    params = {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "groups": 1}
    y = ops.conv(inputs[0].node, inputs[1].node, **params)
    g = rng.standard_normal(y.shape).astype(dtype)
    inputs.append(argument("g", g))
    nodes = [item.node for item in inputs]
    to_image = ops.conv_input_grad(nodes[2], nodes[1], shape=image, **params)
    to_kernel = ops.conv_weight_grad(nodes[2], nodes[0], shape=kernel, **params)
    return [y, to_image, to_kernel], inputs, [x, w, g]


def graph_of(results: list[Node], inputs: list[Input]) -> Graph:
    """Return a graph with those results."""
    outputs = tuple(Output(node, f"y{number}") for number, node in enumerate(results))
    return Graph("test", tuple(inputs), outputs)


def op_names(graph: Graph) -> set[str]:
    """Return the names of the ops in a graph after its passes."""
    return {node.op.name for node in optimize(graph).nodes}


TRANSFORMS: list[tuple[tuple[int, ...], Callable[[Node], Node]]] = [
    ((3, 17, 10, 8), lambda x: planes.winograd_tiles(x, use="conv")),
    ((3, 17, 10, 8), planes.winograd_result_tiles),
    ((16, 60, 17), lambda m: planes.winograd_results(m, shape=(3, 17, 10, 8))),
    ((33, 18, 3, 3), lambda w: planes.winograd_kernels(w, turned=False)),
    ((33, 18, 3, 3), lambda w: planes.winograd_kernels(w, turned=True)),
    ((16, 33, 18), planes.winograd_kernel_grads),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_by_blocks_are_those_of_their_definition(dtype: type) -> None:
    """Both fused forms, with what is read through padding and what is written with the result."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, 128, 8, 14)).astype(dtype)
    w = rng.standard_normal((16, 128, 50)).astype(dtype)
    g = rng.standard_normal((3, 192, 8, 14)).astype(dtype)
    inputs = [argument("x", x), argument("w", w), argument("g", g)]
    image, kernels, results = (item.node for item in inputs)
    around = ops.pad(image, low=(0, 0, 1, 1), high=(0, 0, 1, 1), value=0)
    y = planes.winograd_conv(around, kernels, shape=(3, 50, 8, 14))
    dw = [planes.winograd_weight_grad(results, around, parts=parts) for parts in (1, 3)]
    check([ops.abs(y), *map(ops.neg, dw)], inputs, [x, w, g])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "transform"), TRANSFORMS)
def test_transforms_are_those_of_their_definition(
    shape: tuple[int, ...], transform: Callable[[Node], Node], dtype: type
) -> None:
    """Each compiled transform gives what its op's eval gives, and so does what follows it."""
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    item = argument("x", x)
    result = transform(item.node)
    check([ops.abs(result)], [item], [x])


@pytest.mark.parametrize(("image", "filters", "padding"), SHAPES)
def test_convolutions_are_nearly_as_exact_as_direct_ones(
    image: tuple[int, ...], filters: int, padding: Pairs
) -> None:
    """At most twice as far from float64 as NumPy's products of patches in float32."""
    results, inputs, arrays = convolution(image, filters, padding)
    graph = graph_of(results, inputs)
    assert not op_names(graph) & {"conv", "conv_input_grad", "conv_weight_grad"}
    exact_results, exact_inputs, _ = convolution(image, filters, padding, np.float64)
    wide = [array.astype(np.float64) for array in arrays]
    exact = evaluate(graph_of(exact_results, exact_inputs), wide)
    direct = evaluate(graph, arrays)
    for got, plain, want in zip(run(graph, arrays), direct, exact, strict=True):
        size = np.abs(want).max()
        assert np.abs(got - want).max() <= 2 * np.abs(plain - want).max() + 1e-6 * size


def test_the_number_of_threads_changes_no_bit() -> None:
    """One thread or three: the same results."""
    results, inputs, arrays = convolution(*SHAPES[1])
    one, three = (run(graph_of(results, inputs), arrays, threads) for threads in (1, 3))
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_follows_a_convolution_joins_its_last_step() -> None:
    """A bias and a rectifier need no pass of their own, and read what they should."""
    results, inputs, arrays = convolution((2, 64, 6, 6), 64, ((1, 1), (1, 1)))
    bias = np.linspace(-3, 3, 64, dtype=np.float32)
    item = argument("bias", bias)
    spread = ops.expand(ops.reshape(item.node, shape=(1, 64, 1, 1)), shape=(2, 64, 6, 6))
    y = ops.maximum(ops.add(results[0], spread), ops.full_like(results[0], value=0))
    check([y], [*inputs, item], [*arrays, bias])


DIRECT: list[tuple[str, tuple[int, ...], int, type]] = [
    ("double precision", (4, 64, 8, 8), 64, np.float64),
    ("few channels", (4, 3, 8, 8), 64, np.float32),
    ("few filters", (4, 64, 8, 8), 4, np.float32),
    ("kernels larger than the image", (1, 256, 2, 2), 256, np.float32),
]


@pytest.mark.parametrize(("why", "image", "filters", "dtype"), DIRECT)
def test_other_convolutions_stay_direct(
    why: str, image: tuple[int, ...], filters: int, dtype: type
) -> None:
    """Nothing is transformed where that would cost digits or time."""
    results, inputs, _ = convolution(image, filters, ((1, 1), (1, 1)), dtype)
    graph = graph_of(results, inputs)
    assert {node.op for node in winograd(graph).nodes} == {node.op for node in graph.nodes}, why


WAYS: list[tuple[tuple[int, ...], int, set[str]]] = [
    ((32, 64, 32, 32), 64, {"winograd_conv", "winograd_weight_grad", "sum"}),  # in parts
    ((8, 128, 16, 16), 128, {"winograd_conv", "winograd_weight_grad"}),
    ((8, 256, 8, 8), 256, {"matmul", "winograd_results", "winograd_weight_grad"}),
    ((3, 40, 11, 8), 72, {"winograd_conv", "matmul", "winograd_kernel_grads"}),
]


@pytest.mark.parametrize(("image", "filters", "names"), WAYS)
def test_planes_stay_in_the_cache_where_they_can(
    image: tuple[int, ...], filters: int, names: set[str]
) -> None:
    """Blocks of tiles where the kernels' planes fit beside them, slices of channels, or neither."""
    results, inputs, _ = convolution(image, filters, ((1, 1), (1, 1)))
    assert names <= op_names(graph_of(results, inputs))


@pytest.mark.parametrize(
    "params",
    [
        {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1},
        {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (2, 2), "groups": 1},
        {"stride": (1, 1), "padding": ((3, 3), (1, 1)), "dilation": (1, 1), "groups": 1},
    ],
)
def test_other_walks_stay_direct(params: dict[str, object]) -> None:
    """Strides, dilation and padding beyond the kernel are not for tiles."""
    x = argument("x", np.zeros((4, 64, 8, 8), np.float32))
    w = argument("w", np.zeros((64, 64, 3, 3), np.float32))
    graph = graph_of([ops.conv(x.node, w.node, **params)], [x, w])
    assert "conv" in op_names(graph)


def test_transforms_say_what_they_want() -> None:
    """Shapes that cannot be cut into tiles are errors that name them."""
    x = argument("x", np.zeros((1, 2, 5, 4), np.float32)).node
    with pytest.raises(ShapeError, match="even"):
        planes.winograd_tiles(x, use="conv")
    with pytest.raises(ShapeError, match=r"\[O, C, 3, 3\]"):
        planes.winograd_kernels(x, turned=False)
    with pytest.raises(ShapeError, match=r"\[16, O, C\]"):
        planes.winograd_kernel_grads(x)
    with pytest.raises(ShapeError, match="planes of"):
        planes.winograd_results(x, shape=(1, 2, 4, 4))
    results, tiles = (argument("x", np.zeros((1, 2, n, n), np.float32)).node for n in (4, 6))
    with pytest.raises(ShapeError, match="3 equal parts of 4"):
        planes.winograd_weight_grad(results, tiles, parts=3)
