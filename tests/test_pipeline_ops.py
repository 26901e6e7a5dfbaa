"""Ring two: every op of the table, compiled, against its own eval, over dtypes and layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.compiled import compile_graph
from jitnet.compiler.ir.errors import DivisionError
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.load import load
from jitnet.runtime.cpu import host_target
from jitnet.runtime.dtype import (
    REALS,
    DType,
    bool_,
    float32,
    float64,
    int32,
    int64,
    uint16,
    uint64,
)
from tests.graph_harness import argument, check, run, sample

FLOATS = (float32, float64)
SHAPES = [(), (1,), (5,), (3, 7), (0, 4), (2, 3, 37), (70, 33)]
UNARY = {
    op.name: op
    for op in ops.OPS
    if op.name
    in (
        "neg abs sign exp exp2 expm1 log log1p log2 log10 sqrt rsqrt reciprocal sin cos tan asin "
        "acos atan sinh cosh tanh asinh acosh atanh erf erfc erfinv sigmoid floor ceil round trunc "
        "logical_not bitwise_not isnan isinf isfinite"
    ).split()
}
BINARY = {
    op.name: op
    for op in ops.OPS
    if op.name
    in (
        "add sub mul div floor_divide remainder fmod pow maximum minimum atan2 eq ne lt le gt ge "
        "logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift "
        "right_shift"
    ).split()
}


def accepts(op: Op, *types: TensorType, **params: Any) -> bool:
    """Whether an op has a meaning for these types."""
    try:
        op.type(*types, **params)
    except (RuntimeError, TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("dtype", REALS, ids=lambda dtype: dtype.short)
def test_unary(dtype: DType) -> None:
    """One program of every unary op that takes the dtype, over contiguous and strided inputs."""
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        x = sample(rng, dtype, shape)
        wide = np.repeat(x[..., None], 2, -1)[..., 0] if shape else x
        for array in (x, wide):
            item = argument("x", array)
            chosen = [op for op in UNARY.values() if accepts(op, item.node.type)]
            check([op(item.node) for op in chosen], [item], [array])


@pytest.mark.parametrize("dtype", REALS, ids=lambda dtype: dtype.short)
def test_binary(dtype: DType) -> None:
    """One program of every binary op that takes the dtype."""
    rng = np.random.default_rng(2)
    for shape in ((), (5,), (9, 19)):
        a, b = sample(rng, dtype, shape), sample(rng, dtype, shape)
        if dtype.kind in ("int", "uint"):
            b = np.asarray(np.maximum(np.abs(b), 1) % 7 + 1).astype(a.dtype)
        left, right = argument("a", a), argument("b", b)
        chosen = [op for op in BINARY.values() if accepts(op, left.node.type, right.node.type)]
        if dtype.kind != "float":
            chosen = [op for op in chosen if op.name != "pow"]
        check([op(left.node, right.node) for op in chosen], [left, right], [a, b])


@pytest.mark.parametrize("dtype", REALS, ids=lambda dtype: dtype.short)
def test_cast_and_where(dtype: DType) -> None:
    """Every cast to and from the dtype, and a choice between two of it."""
    rng = np.random.default_rng(3)
    x, c = sample(rng, dtype, (6, 21)), sample(rng, bool_, (6, 21))
    if dtype.kind == "float":
        x = np.abs(x)
    a, b = argument("x", x), argument("c", c)
    casts = [ops.cast(a.node, dtype=other) for other in REALS]
    zero = ops.full_like(a.node, value=0)
    check([*casts, ops.where(b.node, a.node, zero)], [a, b], [x, c])


REDUCTIONS = {op.name: op for op in ops.OPS if op.name in "sum prod max min any all".split()}


@pytest.mark.parametrize(
    "dtype", [float32, float64, int64, int32, uint16, uint64, bool_], ids=lambda d: d.short
)
def test_reductions(dtype: DType) -> None:
    """Reductions over inner, outer and all dims, of every size around a vector."""
    rng = np.random.default_rng(4)
    cases = [((5,), (0,)), ((3, 100), (1,)), ((100, 3), (0,)), ((33, 70), (0, 1)),
             ((4, 5, 6), (1,)), ((2, 3, 4, 5), (0, 2, 3)), ((0, 4), (0,)), ((4, 0), (0,)),
             ((1, 9), (0,))]  # fmt: skip
    for shape, axes in cases:
        x = sample(rng, dtype, shape)
        if dtype.kind == "float":
            x = x * np.asarray(0.1, x.dtype) + np.asarray(1, x.dtype)
        item = argument("x", x)
        results = [
            op(item.node, axes=axes)
            for op in REDUCTIONS.values()
            if accepts(op, item.node.type, axes=axes)
            and not (op.name == "prod" and dtype.kind in ("int", "uint"))
        ]
        if x.size:
            results.extend(op(item.node, axis=axes[0]) for op in (ops.argmax, ops.argmin))
        check(results, [item], [x])


@pytest.mark.parametrize("shape", [(1 << 20,), (1 << 18, 3), (300, 700), (99991,)])
def test_long_reductions_in_pieces(shape: tuple[int, ...]) -> None:
    """Sums cut into pieces, with and without a divisor, meet float64."""
    x = np.random.default_rng(5).uniform(0, 1, shape).astype(np.float32)
    item = argument("x", x)
    axes = tuple(range(len(shape)))
    total = ops.sum(item.node, axes=axes)
    graph = Graph("total", (item,), (Output(total, "y"),))
    (got,) = run(graph, [x])
    np.testing.assert_allclose(got, x.sum(dtype=np.float64), rtol=1e-5)


def test_movement() -> None:
    """Views in chains, forward and folded into arithmetic."""
    rng = np.random.default_rng(6)
    for dtype in (float32, int64, bool_):
        x, v = sample(rng, dtype, (4, 6, 10)), sample(rng, dtype, (2, 3, 5))
        a, b = argument("x", x), argument("v", v)
        n = a.node
        p = ops.permute(n, axes=(2, 0, 1))
        s = ops.slice(p, starts=(1, 0, 2), stops=(10, 4, 6), steps=(3, 2, 1))
        where = {"starts": (0, 1, 1), "stops": (4, 6, 10), "steps": (2, 2, 2)}
        results = [
            ops.reshape(n, shape=(24, 10)), ops.reshape(p, shape=(5, 2, 24)),
            ops.reshape(s, shape=(24,)), ops.flip(p, axes=(0, 2)),
            ops.reshape(ops.flip(n, axes=(1,)), shape=(3, 80)),
            ops.pad(n, low=(1, 0, 2), high=(0, 3, 1), value=1),
            ops.concat(n, ops.flip(n, axes=(0,)), n, axis=1),
            ops.slice_assign(n, b.node, **{**where, "stops": (4, 6, 10)}),
            ops.expand(ops.slice(n, starts=(0, 2, 0), stops=(4, 3, 10), steps=(1, 1, 1)),
                       shape=(4, 9, 10)),
        ]  # fmt: skip
        check(results, [a, b], [x, v])


def test_reading_every_second_and_every_one_twice() -> None:
    """Lanes that lie 2, 3, 4 or 5 apart, and lanes that share an element."""
    rng = np.random.default_rng(16)
    for dtype in (float32, float64, int64, bool_):
        for size in (60, 64, 75, 240):
            x = sample(rng, dtype, (3, size))
            a = argument("x", x)
            rest = {"starts": (0, 1), "stops": (3, size)}
            every = [ops.slice(a.node, **rest, steps=(1, step)) for step in (2, 3, 4, 5)]
            wide = ops.expand(ops.reshape(a.node, shape=(3, size, 1)), shape=(3, size, 2))
            twice = ops.reshape(wide, shape=(3, 2 * size))
            thrice = ops.reshape(
                ops.expand(ops.reshape(a.node, shape=(3, size, 1)), shape=(3, size, 3)),
                shape=(3 * size, 3),
            )
            turned = ops.permute(thrice, axes=(1, 0))
            check([*every, twice, ops.flip(twice, axes=(1,)), ops.copy(turned)], [a], [x])


def matmul_case(
    rng: np.random.Generator, dtype: DType, batch: tuple[int, ...], m: int, n: int, k: int
) -> None:
    """Check a @ b in all four layouts."""
    for flip_a, flip_b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        a = sample(rng, dtype, (*batch, k, m) if flip_a else (*batch, m, k))
        b = sample(rng, dtype, (*batch, n, k) if flip_b else (*batch, k, n))
        left, right = argument("a", a), argument("b", b)
        turn = (*range(len(batch)), len(batch) + 1, len(batch))
        x = ops.permute(left.node, axes=turn) if flip_a else left.node
        y = ops.permute(right.node, axes=turn) if flip_b else right.node
        check([ops.matmul(x, y)], [left, right], [a, b])


@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1), (2, 3, 4), (1, 40, 50), (33, 1, 65), (17, 47, 90), (64, 10, 128), (70, 33, 0)],
)
def test_matmul(sizes: tuple[int, int, int]) -> None:
    """Products of all layouts, from vectors to tiles, batched and empty."""
    rng = np.random.default_rng(7)
    for dtype in (float32, float64, int64):
        matmul_case(rng, dtype, (), *sizes)
        matmul_case(rng, dtype, (2, 3), *sizes)


CONVS = [
    ((2, 3, 8, 9), (4, 3, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 4, 8, 9), (6, 4, 3, 3), (2, 1), ((1, 1), (0, 1)), (1, 1), 1),
    ((2, 4, 11, 9), (6, 2, 3, 2), (3, 2), ((2, 1), (1, 1)), (2, 1), 2),
    ((1, 8, 9, 9), (8, 1, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 8),
    ((3, 5, 17), (7, 5, 4), (2,), ((3, 3),), (3,), 1),
    ((1, 2, 4, 5, 6), (3, 2, 2, 3, 2), (1, 2, 1), ((1, 0), (1, 1), (0, 0)), (1, 1, 2), 1),
    ((2, 16, 7, 7), (32, 16, 1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 20, 12, 12), (24, 20, 5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1), 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: dtype.short)
@pytest.mark.parametrize("case", CONVS, ids=str)
def test_convolution_and_gradients(case: tuple[Any, ...], dtype: DType) -> None:
    """Forward and both gradients, over stride, padding, dilation and groups."""
    x_shape, w_shape, stride, padding, dilation, groups = case
    rng = np.random.default_rng(8)
    x, w = sample(rng, dtype, x_shape), sample(rng, dtype, w_shape)
    params = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    a, b = argument("x", x), argument("w", w)
    y = ops.conv(a.node, b.node, **params)
    g = sample(rng, dtype, y.shape)
    c = argument("g", g)
    dx = ops.conv_input_grad(c.node, b.node, shape=x_shape, **params)
    dw = ops.conv_weight_grad(c.node, a.node, shape=w_shape, **params)
    check([y, dx, dw], [a, b, c], [x, w, g])


POOLS = [
    ((2, 3, 8, 8), {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)}),
    ((2, 5, 9, 7), {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1)}),
    ((1, 2, 13), {"kernel": (3,), "stride": (2,), "padding": (1,), "dilation": (2,)}),
    ((1, 6, 6), {"kernel": (3, 2), "stride": (1, 3), "padding": (0, 0), "dilation": (1, 1)}),
]


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("shape, params", POOLS)
def test_pools(shape: tuple[int, ...], params: dict[str, Any], ceil: bool) -> None:
    """Maxima, sums, their places and their gradients."""
    rng = np.random.default_rng(9)
    params = {**params, "ceil": ceil}
    x = rng.standard_normal(shape).astype(np.float32)
    a = argument("x", x)
    y = ops.max_pool(a.node, **params)
    g = rng.standard_normal(y.shape).astype(np.float32)
    t = rng.standard_normal(shape).astype(np.float32)
    b, c = argument("g", g), argument("t", t)
    results = [
        y,
        ops.max_pool_index(a.node, **params),
        ops.max_pool_grad(b.node, a.node, **params),
        ops.max_pool_gather(c.node, a.node, **params),
        ops.sum_pool(a.node, **params),
        ops.sum_pool_grad(b.node, shape=shape, **params),
    ]
    check(results, [a, b, c], [x, g, t])


def test_looking_up() -> None:
    """take, pick and put, with repeated indices and rows of any rank."""
    rng = np.random.default_rng(10)
    for rest in ((), (5,), (3, 33)):
        for dtype in (float32, int64):
            x = sample(rng, dtype, (7, *rest))
            i = rng.integers(0, 7, (2, 9)).astype(np.int64)
            v = sample(rng, dtype, (2, 9, *rest))
            a, b, c = argument("x", x), argument("i", i), argument("v", v)
            results = [
                ops.take(a.node, b.node, axis=0),
                ops.put(a.node, b.node, c.node, axis=0, accumulate=True),
                ops.put(a.node, b.node, c.node, axis=0, accumulate=False),
            ]
            check(results, [a, b, c], [x, i, v])
    for shape, axis in (((4, 7), 1), ((2, 7, 5), 1), ((2, 3, 7), 2), ((1, 7, 1), 1)):
        x, i = sample(rng, float32, shape), rng.integers(0, 7, (2, 3)).astype(np.int64)
        v = sample(rng, float32, (*shape[:axis], 2, 3, *shape[axis + 1 :]))
        a, b, c = argument("x", x), argument("i", i), argument("v", v)
        results = [ops.take(a.node, b.node, axis=axis)] + [
            ops.put(a.node, b.node, c.node, axis=axis, accumulate=flag) for flag in (True, False)
        ]
        check(results, [a, b, c], [x, i, v])
    x = rng.standard_normal((6, 10)).astype(np.float32)
    labels = rng.integers(0, 10, 6).astype(np.int64)
    a, b = argument("x", x), argument("labels", labels)
    check([ops.pick(a.node, b.node, axis=1)], [a, b], [x, labels])


@pytest.mark.parametrize("reads", ["nothing", "after", "before", "in_step", "itself"])
def test_putting_into_an_input(reads: str) -> None:
    """A state is written where it lies, unless what is put there comes from elsewhere in it."""
    x = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    i = np.array([2, 0], np.int64)
    v = -np.ones((2, 2, 3), np.float32)
    a, b, c = argument("x", x), argument("i", i), argument("v", v)
    turned = ops.flip(a.node, axes=(1,))
    value = ops.take(turned, b.node, axis=1) if reads == "itself" else c.node
    base = ops.neg(a.node) if reads == "in_step" else a.node
    new = ops.put(base, b.node, value, axis=1, accumulate=False)
    seen = {"before": turned, "after": ops.mul(new, new)}.get(reads, c.node)
    outputs = (Output(ops.neg(seen), "y"), Output(new, "x", 0))
    graph = Graph("put", (a, b, c), outputs)
    wanted = evaluate(graph, [x, i, v])
    compiled = compile_graph(graph, host_target())
    names = [kernel.name for kernel in compiled.stages.kernels]
    copied = any(name.endswith(("_base", "_copy")) for name in names)
    assert copied == (reads in ("in_step", "itself")), names
    y = np.empty(wanted[0].shape, np.float32)
    assert (
        load(compiled).always.run([x.ctypes.data, i.ctypes.data, v.ctypes.data, y.ctypes.data]) == 0
    )
    np.testing.assert_array_equal(y, wanted[0])
    np.testing.assert_array_equal(x, wanted[1])


def test_index_out_of_range_stops_before_anything_is_written() -> None:
    """The status tells which index; the state stays as it was."""
    x = np.zeros((4, 3), np.float32)
    i = np.array([0, 9], np.int64)
    a, b = argument("x", x), argument("i", i)
    y = ops.take(ops.add(a.node, ops.full_like(a.node, value=1.0)), b.node, axis=0)
    grown = ops.add(a.node, ops.full_like(a.node, value=1.0))
    graph = Graph("bad", (a, b), (Output(y, "y"), Output(grown, "x", 0)))
    compiled = compile_graph(graph, host_target())
    program = load(compiled).always
    out = np.zeros((2, 3), np.float32)
    status = program.run([x.ctypes.data, i.ctypes.data, out.ctypes.data])
    kind, text = compiled.stages.messages[status]
    assert kind is IndexError and "out of range" in text and "{value}" in text
    assert program.status[1] == 9
    assert not x.any()


def test_whole_numbers_divided_by_zero_are_refused() -> None:
    """As in eager, and before the state is written."""
    x, y = np.arange(4), np.array([1, 0, 2, 3])
    a, b = argument("x", x), argument("y", y)
    for op in (ops.floor_divide, ops.remainder, ops.fmod):
        outputs = (Output(op(a.node, b.node), "q"), Output(ops.add(a.node, b.node), "x", 0))
        compiled = compile_graph(Graph("divide", (a, b), outputs), host_target())
        out = np.zeros(4, np.int64)
        status = load(compiled).always.run([array.ctypes.data for array in (x, y, out)])
        assert compiled.stages.messages[status][0] is DivisionError
        np.testing.assert_array_equal(x, np.arange(4))


@pytest.mark.parametrize("op", [ops.random_uniform, ops.random_normal])
def test_random_stream_is_the_same_as_eager(op: Op) -> None:
    """Philox in IR gives NumPy's words."""
    state = np.array([1234567890123, 5], np.int64)
    item = argument("state", state)
    for dtype in FLOATS:
        for shape in ((3,), (5, 77)):
            result = op(item.node, shape=shape, dtype=dtype)
            graph = Graph("random", (item,), (Output(result, "y"),))
            (wanted,) = evaluate(graph, [state])
            (got,) = run(graph, [state])
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_same_bits_on_any_number_of_threads() -> None:
    """A softmax, a product and long sums, on 1, 2, 3 and 8 threads."""
    rng = np.random.default_rng(11)
    x, w = rng.standard_normal((2, 150, 200)).astype(np.float32), None
    w = rng.standard_normal((200, 90)).astype(np.float32)
    a, b = argument("x", x[0]), argument("w", w)
    y = ops.tanh(ops.matmul(a.node, b.node))
    total = ops.sum(ops.mul(y, y), axes=(0, 1))
    column = ops.sum(y, axes=(0,))
    outputs = tuple(Output(node, str(n)) for n, node in enumerate((y, total, column)))
    graph = Graph("threads", (a, b), outputs)
    first = run(graph, [x[0], w], threads=1)
    for threads in (2, 3, 8):
        for one, other in zip(first, run(graph, [x[0], w], threads=threads), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("depth", [200, 1300, 20])
def test_products_ask_for_what_follows_them(depth: int) -> None:
    """Memory that is read with a product's results is asked for before a deep one, not others."""
    rng = np.random.default_rng(depth)
    shapes = [(37, depth), (depth, 53), (37, 53), (37, 53), (37, 53)]
    arrays = [sample(rng, float32, shape) for shape in shapes]
    inputs = [argument(f"x{number}", array) for number, array in enumerate(arrays)]
    a, b, *others = (item.node for item in inputs)
    value = ops.matmul(a, b)
    for other in others:
        value = ops.add(ops.mul(value, other), other)
    check([value], inputs, arrays)
    graph = Graph("asks", tuple(inputs), (Output(value, "y"),))
    text = compile_graph(graph, host_target()).stages.llvm
    assert ("call void @llvm.prefetch" in text) == (depth > 100)
