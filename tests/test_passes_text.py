"""Ring one: graphs and kernels as text after the passes; `pytest --update-golden` renews them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Input, Node, Output, make
from jitnet.compiler.ir.index import Index, Var, of, ravel, unravel
from jitnet.compiler.ir.loops import Buffer, For, Stmt, Store, loads, walk
from jitnet.compiler.passes.assemble import Assembler
from jitnet.compiler.passes.complex_pairs import complex_pairs
from jitnet.compiler.passes.memory import plan_memory
from jitnet.compiler.pipeline import optimize
from jitnet.compiler.schedule import schedule
from jitnet.runtime.dtype import float32, int64
from tests.graph_harness import argument, assert_close, run

Golden = Callable[[str, str], None]


def value(name: str, *shape: int, dtype: type = np.float32) -> Input:
    """Return a graph input."""
    return argument(name, np.zeros(shape, dtype))


def spread(x: Node, shape: tuple[int, ...], axis: int) -> Node:
    """Repeat a reduced value along the axis that was reduced."""
    kept = tuple(1 if a == axis else size for a, size in enumerate(shape))
    return ops.expand(ops.reshape(x, shape=kept), shape=shape)


def softmax(x: Node) -> Node:
    """softmax over the last of two dims"""
    e = ops.exp(ops.sub(x, spread(ops.max(x, axes=(1,)), x.shape, 1)))
    return ops.div(e, spread(ops.sum(e, axes=(1,)), x.shape, 1))


def number(like: Node, value: float) -> Node:
    """A number everywhere"""
    return ops.full_like(like, value=value)


def relu(x: Node) -> Node:
    """0 where x <= 0"""
    return ops.where(ops.le(x, number(x, 0.0)), number(x, 0.0), x)


def kernels(graph: Graph) -> str:
    """Return the kernels of a graph as text, barriers and arena included."""
    steps, memory = schedule(Assembler(optimize(graph)).plan())
    lines = []
    for step in steps:
        lines.extend(["-- barrier --"] if step.barrier else [])
        lines.append(str(step.kernel))
    return "\n".join([*lines, f"arena {memory.arena_bytes}, scratch {memory.scratch_bytes}"])


def test_simplify(golden: Golden) -> None:
    """Algebra, folding, sharing and movements that cancel."""
    x, y = value("x", 4, 6), value("y", 4, 6)
    a, b = x.node, y.node
    one = ops.mul(ops.add(a, number(a, -0.0)), number(a, 1.0))
    two = ops.permute(ops.permute(ops.neg(ops.neg(b)), axes=(1, 0)), axes=(1, 0))
    three = ops.reshape(ops.reshape(ops.add(one, two), shape=(24,)), shape=(4, 6))
    four = ops.mul(ops.add(a, b), number(a, 2.0))
    five = ops.sqrt(ops.add(number(a, 1.0), number(a, 3.0)))
    six = ops.where(ops.lt(number(a, 1.0), number(a, 2.0)), ops.cast(a, dtype=float32), b)
    results = (three, four, five, six)
    outputs = tuple(Output(node, f"r{n}") for n, node in enumerate(results))
    graph = Graph("simplify", (x, y), outputs)
    golden("simplify.txt", f"{graph}\n\n{optimize(graph)}\n")


def test_zero_plus_zero_keeps_its_sign() -> None:
    """x + 0.0 is not x for x = -0.0, so it stays; x - 0.0 and x + -0.0 go."""
    x = value("x", 3)
    kept = ops.add(x.node, number(x.node, 0.0))
    gone = ops.sub(x.node, number(x.node, 0.0))
    graph = optimize(Graph("zeros", (x,), (Output(kept, "kept"), Output(gone, "gone"))))
    assert graph.outputs[0].node.op is ops.add
    assert graph.outputs[1].node is x.node
    (one, two) = run(graph, [np.array([-0.0, 0.0, 1.0], np.float32)])
    assert not np.signbit(one[0]) and np.signbit(two[0])


def test_row_kernel(golden: Golden) -> None:
    """A softmax is one kernel: three loops over a row that stays in the cache."""
    x = value("x", 64, 100)
    golden("softmax.txt", kernels(Graph("softmax", (x,), (Output(softmax(x.node), "y"),))))


def test_training_step(golden: Golden) -> None:
    """Linear, rectifier, gradient and update: epilogues, masks, transposes, in-place updates."""
    x, w, g = value("x", 32, 20), value("w", 48, 20), value("g", 32, 48)
    turned = ops.permute(w.node, axes=(1, 0))
    y = relu(ops.matmul(x.node, turned))
    masked = ops.where(ops.le(y, number(y, 0.0)), number(y, 0.0), g.node)
    dx = ops.matmul(masked, w.node)
    dw = ops.permute(ops.matmul(ops.permute(x.node, axes=(1, 0)), masked), axes=(1, 0))
    updated = ops.sub(w.node, ops.mul(dw, number(dw, 0.1)))
    outputs = (Output(y, "y"), Output(dx, "dx"), Output(dw, "dw"), Output(updated, "w", 1))
    graph = Graph("step", (x, w, g), outputs)
    golden("step.txt", f"{optimize(graph)}\n\n{kernels(graph)}")


def test_convolution(golden: Golden) -> None:
    """Padding is a copy into channels-last; bias and rectifier join the product; pools follow."""
    x, w, b = value("x", 2, 8, 6, 6), value("w", 16, 8, 3, 3), value("b", 16)
    ones = ((1, 1), (1, 1))
    y = ops.conv(x.node, w.node, stride=(1, 1), padding=ones, dilation=(1, 1), groups=1)
    bias = ops.expand(ops.reshape(b.node, shape=(1, 16, 1, 1)), shape=y.shape)
    y = relu(ops.add(y, bias))
    pool = {
        "kernel": (2, 2),
        "stride": (2, 2),
        "padding": (0, 0),
        "dilation": (1, 1),
        "ceil": False,
    }
    p = ops.max_pool(y, **pool)
    outputs = (Output(ops.mul(p, p), "p"), Output(ops.max_pool_grad(p, y, **pool), "dy"))
    golden("convolution.txt", kernels(Graph("convolution", (x, w, b), outputs)))


def test_overwriting_what_others_still_read() -> None:
    """Two inputs that swap, one read transposed while it is overwritten: each sees old values."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((40, 40)).astype(np.float32) for _ in range(2)]
    a, b = (argument(name, array) for name, array in zip("ab", arrays, strict=True))
    turned = ops.add(a.node, ops.permute(a.node, axes=(1, 0)))
    total = ops.sum(a.node, axes=(0, 1))
    outputs = (Output(ops.copy(b.node), "a", 0), Output(turned, "b", 1), Output(total, "total"))
    before = [array.copy() for array in arrays]
    got = run(Graph("swap", (a, b), outputs), arrays)
    assert_close(got[0], before[1])
    assert_close(got[1], before[0] + before[0].T)
    assert_close(got[2], before[0].sum(dtype=np.float32), 1000)


def test_swap_in_one_kernel() -> None:
    """a, b = b, a: both are read before either is written."""
    arrays = [np.arange(5, dtype=np.float32), np.arange(5, 10, dtype=np.float32)]
    a, b = (argument(name, array) for name, array in zip("ab", arrays, strict=True))
    outputs = (Output(ops.copy(b.node), "a", 0), Output(ops.copy(a.node), "b", 1))
    got = run(Graph("swap", (a, b), outputs), arrays)
    np.testing.assert_array_equal(got, [[5, 6, 7, 8, 9], [0, 1, 2, 3, 4]])


def test_arena_is_shared_in_time() -> None:
    """A long chain of products needs memory for few of its values at once."""
    x = value("x", 64, 64)
    y = x.node
    for _ in range(10):
        y = ops.tanh(ops.matmul(y, x.node))
    plan = Assembler(optimize(Graph("chain", (x,), (Output(y, "y"),)))).plan()
    assert plan_memory(plan.kernels).arena_bytes <= 2 * (64 * 64 * 4 + 64)


def test_memory_is_not_reused_before_its_last_read() -> None:
    """A kernel that stores one result and then reads an argument keeps the two apart.

    The count and the sum are row values of one reduction: the count is stored first.
    """
    x = value("x", 4)
    total = ops.sum(ops.neg(x.node), axes=(0,))
    ones = ops.add(ops.mul(x.node, number(x.node, 0.0)), number(x.node, 1.0))
    count = ops.sum(ops.abs(ones), axes=(0,))
    mean = ops.div(total, count)
    later = ops.tanh(ops.matmul(ops.reshape(mean, shape=(1, 1)), ops.reshape(count, shape=(1, 1))))
    graph = Graph("mean", (x,), (Output(mean, "mean"), Output(later, "later")))
    steps, memory = schedule(Assembler(optimize(graph)).plan())
    for step in steps:
        _assert_reads_come_first(step.kernel.code.body, memory.offsets)
    (got, _) = run(graph, [np.array([1, 2, 3, 6], np.float32)])
    np.testing.assert_allclose(got, -3.0)


def _assert_reads_come_first(body: tuple[Stmt, ...], offsets: dict[Buffer, int]) -> None:
    written: set[int] = set()
    for stmt in walk(body):
        for load in loads((stmt,)) if not isinstance(stmt, For) else ():
            if load.buffer.place == "arena":
                names = {b for b, at in offsets.items() if at == offsets[load.buffer]}
                assert len(names) == 1 or offsets[load.buffer] not in written
        if isinstance(stmt, Store) and stmt.buffer.place == "arena":
            written.add(offsets[stmt.buffer])


def test_constants_are_shared_and_bound() -> None:
    """An array in the program is one slot, whoever reads it."""
    x = value("x", 3, 5)
    table = make(ops.constant, value=np.arange(5, dtype=np.float32))
    wide = ops.expand(ops.reshape(table, shape=(1, 5)), shape=(3, 5))
    twice = ops.mul(ops.add(x.node, wide), wide)
    (got,) = run(Graph("constant", (x,), (Output(twice, "y"),)), [np.ones((3, 5), np.float32)])
    line = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(got, np.tile((1 + line) * line, (3, 1)))


def test_index_algebra() -> None:
    """Divisions and remainders that meet again cancel; ranges decide the rest."""
    i, j = of(Var("i", 6)), of(Var("j", 4))
    flat = ravel((i, j), (6, 4))
    assert unravel(flat, (6, 4)) == (i, j)
    assert ravel(unravel(flat, (3, 8)), (3, 8)) == flat
    assert (flat // 4, flat % 4) == (i, j)
    assert (j + 3) // 8 == Index(0)
    back = i * -1 + 5
    assert back % 6 == back
    assert str((flat // 3) * 3 + flat % 3) == str(flat)


def test_int_labels_are_checked_once() -> None:
    """Two lookups by the same labels make one check, before anything else."""
    x, labels = value("x", 4, 10), value("labels", 4, dtype=np.int64)
    assert labels.node.dtype is int64
    picked = ops.pick(x.node, labels.node, axis=1)
    again = ops.pick(ops.exp(x.node), labels.node, axis=1)
    graph = Graph("labels", (x, labels), (Output(picked, "a"), Output(again, "b")))
    plan = Assembler(optimize(graph)).plan()
    assert [kernel.name for kernel in plan.kernels].count("check") == 1
    assert plan.kernels[0].name == "check"
    assert len(plan.messages) == 1


def test_values_used_again_and_again_are_walked_once() -> None:
    """Forty times x = x * x + x: every walk that visits shared parts anew would never end."""
    x = value("x", 2, 16, 4)
    y = x.node
    for _ in range(40):
        y = ops.add(ops.mul(ops.mul(y, y), number(y, 0.01)), y)
    graph = Graph("again", (x,), (Output(y, "y"),))
    array = np.random.default_rng(1).uniform(-1, 1, (2, 16, 4)).astype(np.float32)
    wanted = array.copy()
    for _ in range(40):
        wanted = wanted * wanted * np.float32(0.01) + wanted
    (got,) = run(graph, [array])
    np.testing.assert_allclose(got, wanted, rtol=1e-4)


def test_a_whole_update_joins_its_gradient() -> None:
    """Momenta and bias corrections too: what depends on numbers only is known before."""
    x, g, w, m = value("x", 32, 20), value("g", 32, 48), value("w", 48, 20), value("m", 48, 20)
    steps, rate = value("steps"), value("rate", dtype=np.float64)
    dw = ops.matmul(ops.permute(g.node, axes=(1, 0)), x.node)
    momentum = ops.add(ops.mul(m.node, number(m.node, 0.9)), dw)
    count = ops.add(steps.node, number(steps.node, 1.0))
    scale = ops.div(rate.node, ops.tanh(ops.cast(count, dtype=rate.node.dtype)))
    small = ops.cast(scale, dtype=float32)
    wide = ops.expand(ops.reshape(small, shape=(1, 1)), shape=(48, 20))
    updated = ops.sub(w.node, ops.mul(momentum, wide))
    outputs = (Output(momentum, "m", 3), Output(count, "steps", 4), Output(updated, "w", 2))
    plan = Assembler(optimize(Graph("update", (x, g, w, m, steps, rate), outputs))).plan()
    big = [kernel for kernel in plan.kernels if any(b.size > 1 for b in kernel.writes)]
    assert len(big) == 1
    assert {buffer.name for buffer in big[0].writes} == {"m", "w"}


def test_complex_values_become_pairs(golden: Golden) -> None:
    """What callers see is pairs of floats; a short transform is a product, a long one NumPy's."""
    z, w = value("z", 4, 8, dtype=np.complex64), value("w", 4, 8, dtype=np.complex64)
    product = ops.mul(z.node, ops.conj(w.node))
    short = ops.fourier(product, axes=(1,), inverse=False)
    flat = ops.reshape(product, shape=(1, 32))
    long = ops.half_fourier(ops.magnitude(ops.concat(flat, flat, flat, axis=1)), axis=1)
    outputs = tuple(Output(node, f"r{n}") for n, node in enumerate((product, short, long)))
    graph = Graph("pairs", (z, w), outputs)
    golden("complex.txt", f"{graph}\n\n{complex_pairs(graph)}\n\n{kernels(graph)}\n")
