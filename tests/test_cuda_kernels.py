"""CUDA kernels in Numba's simulator and as PTX, on small shapes, against the ops' own eval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="pip install 'jitnet[cuda]'")

import jitnet
from jitnet import nn
from jitnet.compiler import ops
from jitnet.compiler.codegen.cuda import lanes, splitting, tiling
from jitnet.compiler.cuda import lower_cuda
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.nn import functional as F
from jitnet.runtime.dtype import (
    DTYPES,
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int64,
)
from tests.cuda_machines import Machine
from tests.graph_harness import argument, check, sample
from tests.test_pipeline_ops import BINARY, UNARY, accepts

REAL = [dtype for dtype in DTYPES if dtype.kind != "complex"]


@pytest.mark.ptx_each(6)
@pytest.mark.parametrize("dtype", REAL, ids=lambda dtype: dtype.short)
def test_every_scalar_function(machine: Machine, dtype: DType) -> None:
    """Every unary and binary op that takes the dtype."""
    rng = np.random.default_rng(1)
    a, b = sample(rng, dtype, (3, 7)), sample(rng, dtype, (3, 7))
    if dtype.kind in ("int", "uint"):
        b = np.asarray(np.maximum(np.abs(b), 1) % 7 + 1).astype(a.dtype)
    left, right = argument("a", a), argument("b", b)
    one = [op(left.node) for op in UNARY.values() if accepts(op, left.node.type)]
    two = [
        op(left.node, right.node)
        for op in BINARY.values()
        if accepts(op, left.node.type, right.node.type)
    ]
    check([*one, *two], [left, right], [a, b], machine.run)


@pytest.mark.ptx_each(6)
@pytest.mark.parametrize("dtype", REAL, ids=lambda dtype: dtype.short)
def test_casts(machine: Machine, dtype: DType) -> None:
    """Every cast from the dtype."""
    x = np.abs(sample(np.random.default_rng(2), dtype, (13,)))
    item = argument("x", x)
    check([ops.cast(item.node, dtype=other) for other in REAL], [item], [x], machine.run)


@pytest.mark.ptx_each(2)
@pytest.mark.parametrize("columns", [3, 40, 300])
def test_reductions_by_warps_and_blocks(machine: Machine, columns: int) -> None:
    """Sums, extremes and their places along rows, down columns and over everything."""
    rng = np.random.default_rng(3)
    for dtype in (float32, int64, bool_):
        x = sample(rng, dtype, (3, columns))
        if dtype is float32:
            x[1, columns // 2] = np.nan
        item = argument("x", x)
        results = []
        for axes in ((1,), (0,), (0, 1)):
            chosen = (ops.max, ops.min) if dtype is bool_ else (ops.sum, ops.max, ops.min)
            results += [op(item.node, axes=axes) for op in chosen]
        if dtype is not bool_:
            results += [
                op(item.node, axis=axis) for op in (ops.argmax, ops.argmin) for axis in (0, 1)
            ]
        check(results, [item], [x], machine.run)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1), (1, 70, 9), (9, 70, 1), (3, 20, 5), (17, 19, 6), (5, 0, 4)]
)
@pytest.mark.ptx_each(2)
def test_products(machine: Machine, sizes: tuple[int, int, int]) -> None:
    """Tiles with ragged edges, batches, transposed operands, whole numbers."""
    rows, depth, columns = sizes
    rng = np.random.default_rng(4)
    for dtype, batch in ((float32, ()), (float32, (2,)), (int64, ())):
        a, b = (
            sample(rng, dtype, (*batch, rows, depth)),
            sample(rng, dtype, (*batch, columns, depth)),
        )
        left, right = argument("a", a), argument("b", b)
        turned = ops.permute(right.node, axes=(*range(len(batch)), len(batch) + 1, len(batch)))
        product = ops.matmul(left.node, turned)
        check([ops.maximum(product, ops.neg(product))], [left, right], [a, b], machine.run)


@pytest.mark.parametrize("size", [33, 66, 129])
def test_large_tiles(machine: Machine, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles where each thread makes a square of results, with a ragged edge."""
    monkeypatch.setattr(tiling, "ENOUGH_BLOCKS", 1)
    rng = np.random.default_rng(5)
    a, b = sample(rng, float32, (size, 5)), sample(rng, float32, (5, max(size - 2, 32)))
    left, right = argument("a", a), argument("b", b)
    check([ops.matmul(left.node, right.node)], [left, right], [a, b], machine.run)


PRODUCTS = [  # rows, terms, columns; of these, which lie so that 16 bytes are read at a time
    (16, 32, 72, True),
    (23, 17, 39, False),
    (34, 70, 17, False),
]


@pytest.mark.ptx_each(6)
@pytest.mark.parametrize("sizes", PRODUCTS, ids=str)
@pytest.mark.parametrize("dtype", [float16, bfloat16], ids=lambda dtype: dtype.short)
def test_tensor_cores(machine: Machine, dtype: DType, sizes: tuple[int, int, int, bool]) -> None:
    """16-bit floats, in all layouts and batches, with what follows the product."""
    rows, terms, columns, wide = sizes
    rng = np.random.default_rng(6)
    shapes = ((rows, terms), (terms, rows)), ((terms, columns), (columns, terms))
    for flip_a, flip_b, batch in ((0, 0, (2,)), (0, 1, ()), (1, 0, ())):
        a = sample(rng, dtype, (*batch, *shapes[0][flip_a]))
        b = sample(rng, dtype, (*batch, *shapes[1][flip_b]))
        left, right = argument("a", a), argument("b", b)
        x = ops.permute(left.node, axes=(1, 0)) if flip_a else left.node
        y = ops.permute(right.node, axes=(1, 0)) if flip_b else right.node
        result = ops.maximum(ops.matmul(x, y), ops.full_like(ops.matmul(x, y), value=0))
        graph = Graph("product", (left, right), (Output(result, "y"),))
        text = str(lower_cuda(graph).program)
        assert f"mma_{dtype.name}(" in text
        assert ("load8(" in text) is (wide and not (flip_b and not flip_a))
        assert ("copy8(" in text) is (wide and not flip_a), "those along the sum"
        check([result], [left, right], [a, b], machine.run)


def test_four_neighbours_to_a_thread(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide reads and writes, beside rows that are read again, strides, other dtypes, padding."""
    monkeypatch.setattr(lanes, "ENOUGH_TURNS", 1)
    rng = np.random.default_rng(11)
    x, y, row = (sample(rng, float32, shape) for shape in ((6, 12), (6, 12), (1, 12)))
    n, half = sample(rng, int64, (6, 12)), sample(rng, bfloat16, (6, 12))
    arrays = [x, y, row, n, half]
    items = [argument(name, array) for name, array in zip("xyrnh", arrays, strict=True)]
    a, b, r, i, h = (item.node for item in items)
    total = ops.add(ops.mul(a, b), ops.expand(r, shape=(6, 12)))
    shifted = ops.pad(a, low=(1, 4), high=(0, 0), value=0)
    results = [
        total,
        ops.add(total, ops.cast(i, dtype=float32)),
        ops.cast(ops.add(a, ops.cast(h, dtype=float32)), dtype=bfloat16),
        ops.mul(ops.permute(a, axes=(1, 0)), ops.permute(b, axes=(1, 0))),
        ops.exp(shifted),
        ops.flip(a, axes=(1,)),
    ]
    graph = Graph("wide", tuple(items), tuple(Output(node, "y") for node in results))
    source = lower_cuda(graph).program.source
    assert "= load4(x, " in source and "store4(" in source
    check(results, items, arrays, machine.run)


@pytest.mark.ptx_each(0)
def test_long_sums_in_bands(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of few results with a long sum: bands of it, added in order by a second kernel."""
    monkeypatch.setattr(splitting, "LEAST_TERMS", 16)
    rng = np.random.default_rng(9)
    for dtype, batch in ((float32, ()), (float32, (2,)), (bfloat16, ())):
        a, b = sample(rng, dtype, (*batch, 20, 96)), sample(rng, dtype, (*batch, 96, 17))
        left, right = argument("a", a), argument("b", b)
        result = ops.neg(ops.matmul(left.node, right.node))
        graph = Graph("product", (left, right), (Output(result, "y"),))
        stages = lower_cuda(graph)
        assert [kernel.name.endswith("_bands") for kernel in stages.kernels] == [True, False]
        check([result], [left, right], [a, b], machine.run)


def test_bands_of_products_alike(machine: Machine) -> None:
    """Products that share their code share both halves, each with sums of its own."""
    rng = np.random.default_rng(10)
    arrays = [sample(rng, float32, (16, 512)) for _ in range(2)]
    items = [argument(f"x{number}", array) for number, array in enumerate(arrays)]
    results = [ops.matmul(item.node, ops.permute(item.node, axes=(1, 0))) for item in items]
    graph = Graph("products", tuple(items), tuple(Output(node, "y") for node in results))
    assert len(lower_cuda(graph).program.functions) == 2
    check(results, items, arrays, machine.run)


@pytest.mark.ptx_each(0)
def test_convolutions_on_tensor_cores(machine: Machine) -> None:
    """A convolution of padded images, and its gradients: operands stay of 16 bits."""
    rng = np.random.default_rng(7)
    params = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    x, w = sample(rng, bfloat16, (2, 16, 4, 5)), sample(rng, bfloat16, (24, 16, 3, 3))
    g = sample(rng, bfloat16, (2, 24, 4, 5))
    a, b, c = argument("x", x), argument("w", w), argument("g", g)
    results = [
        ops.conv(a.node, b.node, **params),
        ops.conv_input_grad(c.node, b.node, shape=x.shape, **params),
        ops.conv_weight_grad(c.node, a.node, shape=w.shape, **params),
    ]
    graph = Graph("conv", (a, b, c), tuple(Output(node, "y") for node in results))
    assert str(lower_cuda(graph).program).count("mma_bfloat16(") >= 3
    check(results, [a, b, c], [x, w, g], machine.run)


@pytest.mark.parametrize("flip", [False, True])
def test_rounding_to_tf32(machine: Machine, flip: bool) -> None:
    """Products of float32 round their operands if they are told that they may."""
    rng = np.random.default_rng(8)
    a, b = sample(rng, float32, (40, 36)), sample(rng, float32, (20, 36) if flip else (36, 20))
    left, right = argument("a", a), argument("b", b)
    y = ops.permute(right.node, axes=(1, 0)) if flip else right.node
    graph = Graph("product", (left, right), (Output(ops.matmul(left.node, y), "y"),))
    stages = lower_cuda(graph, tf32=True)
    assert "mma_tf32(" in stages.program.source
    out = np.zeros((40, 20), np.float32)
    assert machine.simulate(stages, [a, b, out]) == 0
    exact = a.astype(np.float64) @ (b.T if flip else b)
    error = np.abs(out - exact).max() / np.abs(exact).max()
    assert 1e-6 < error < 2e-3  # 10 bits of each operand


@pytest.mark.parametrize("dtype", [bfloat16, float16], ids=lambda dtype: dtype.short)
def test_tiles_that_are_copied_while_others_are_multiplied(machine: Machine, dtype: DType) -> None:
    """The simulator copies only when a thread waits: after it, or too late."""
    rng = np.random.default_rng(9)
    a, b = sample(rng, dtype, (40, 72)), sample(rng, dtype, (20, 72))  # three tiles, a short one
    left, right = argument("a", a), argument("b", b)
    y = ops.matmul(left.node, ops.permute(right.node, axes=(1, 0)))
    graph = Graph("product", (left, right), (Output(y, "y"),))
    assert str(lower_cuda(graph).program).count("copy8(") >= 4
    check([y], [left, right], [a, b], machine.run)


def test_moves_and_lookups(machine: Machine) -> None:
    """Views, padding, concatenation into parts of a result, rows looked up and put."""
    rng = np.random.default_rng(6)
    x, index = sample(rng, float32, (4, 6, 5)), np.array([3, 0, 3, 1])
    a, i = argument("x", x), argument("i", index)
    n = a.node
    rows = ops.take(n, i.node, axis=0)
    results = [
        ops.reshape(ops.permute(n, axes=(2, 0, 1)), shape=(5, 24)),
        ops.pad(n, low=(1, 0, 2), high=(0, 3, 1), value=1),
        ops.concat(n, ops.flip(n, axes=(0,)), n, axis=1),
        rows,
        ops.put(n, i.node, rows, axis=0, accumulate=True),
    ]
    check(results, [a, i], [x, index], machine.run)


def test_a_check_that_fails_stops_what_follows(machine: Machine) -> None:
    """An index out of range sets the status, and no later kernel writes."""
    x, index = np.ones((4, 3), np.float32), np.array([1, 9])
    a, i = argument("x", x), argument("i", index)
    graph = Graph("late", (a, i), (Output(ops.take(a.node, i.node, axis=0), "y"),))
    stages = lower_cuda(graph)
    out = np.full((2, 3), 7, np.float32)
    status = machine.simulate(stages, [x, index, out])
    assert stages.messages[status][0] is IndexError
    assert (out == 7).all()


@pytest.mark.parametrize("dtype", [float32, float64], ids=lambda dtype: dtype.short)
def test_random_numbers_are_those_of_the_cpu(machine: Machine, dtype: DType) -> None:
    """Uniform and normal numbers and bits: the same stream."""
    state = np.array([1234567890123, 1 << 33], np.int64)
    item = argument("state", state)
    results = [
        ops.random_uniform(item.node, shape=(3, 21), dtype=dtype),
        ops.random_normal(item.node, shape=(40,), dtype=dtype),
        ops.random_bits(item.node, shape=(40,), dtype=int64),
    ]
    check(results, [item], [state], machine.run)


@pytest.mark.parametrize("room", [0, 200, 4096])
def test_rows_that_find_no_room(
    machine: Machine, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A softmax and a layer norm whose rows keep nothing, or not all, or everything."""
    monkeypatch.setattr("jitnet.compiler.cuda.SHARED_BYTES", room)
    rows = jitnet.compile(lambda x: F.layer_norm(F.softmax(x.sin(), -1), (40,)))
    rows(jitnet.ones(3, 40))
    graph = rows.variants[0].programs[0].executable.compiled.graph
    x = sample(np.random.default_rng(9), float32, (3, 40))
    check([output.node for output in graph.outputs], list(graph.inputs), [x], machine.run)


# -- whole training steps -----------------------------------------------------------------------


def _step(model: nn.Module, loss: Callable[..., Any], optimizer: Any) -> Any:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return jitnet.compile(step)


def _classifier() -> tuple[Any, ...]:
    model = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Dropout(0.3), nn.Linear(9, 4))
    optimizer = jitnet.optim.Adam(model.parameters(), 1e-2)
    return (
        _step(model, F.cross_entropy, optimizer),
        jitnet.randn(5, 12),
        jitnet.tensor([0, 1, 2, 3, 1]),
    )


def _convolutions() -> tuple[Any, ...]:
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.GELU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(27, 4),
    )  # fmt: skip
    optimizer = jitnet.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    return _step(model, F.cross_entropy, optimizer), jitnet.randn(2, 2, 6, 6), jitnet.tensor([0, 3])


def _attention() -> tuple[Any, ...]:
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    model = nn.Sequential(nn.Embedding(7, 8), layer, nn.Linear(8, 7))
    optimizer = jitnet.optim.AdamW(model.parameters(), 1e-2)
    x = jitnet.tensor([[1, 2, 3, 4], [4, 0, 6, 2]])
    return _step(model, lambda p, y: F.cross_entropy(p.flatten(0, 1), y.flatten()), optimizer), x, x


@pytest.mark.ptx_each(0)
@pytest.mark.parametrize("make", [_classifier, _convolutions, _attention], ids=lambda f: f.__name__)
def test_a_training_step(machine: Machine, make: Callable[[], tuple[Any, ...]]) -> None:
    """Forward, loss, backward and update: the same numbers as the ops' own eval gives."""
    jitnet.manual_seed(0)
    step, *args = make()
    step(*args)
    (variant,) = step.variants
    (launch,) = variant.programs
    graph = launch.executable.compiled.graph
    rng = np.random.default_rng(8)
    arrays = [_array(rng, item) for item in graph.inputs]
    check([output.node for output in graph.outputs], list(graph.inputs), arrays, machine.run)


def _array(rng: np.random.Generator, item: Any) -> np.ndarray:
    """Return values that fit an input: small whole numbers, floats that may be variances."""
    if item.node.dtype.kind == "float":
        return np.asarray(rng.uniform(0.1, 1, item.node.shape)).astype(item.node.dtype.numpy)
    return np.asarray(rng.integers(0, 4, item.node.shape)).astype(item.node.dtype.numpy)
