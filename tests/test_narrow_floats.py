"""float16 and bfloat16: their bits in compiled code, rounding, and every op that takes floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.compiler import ops
from jitnet.compiler.codegen.emitter import Function, Value
from jitnet.compiler.codegen.math import emit_cast
from jitnet.compiler.ir.graph import Graph, Output
from jitnet.compiler.ir.narrow import compute
from jitnet.compiler.passes.widen import widen
from jitnet.runtime.dtype import DType, bfloat16, convert, float16, float32, float64, int64
from jitnet.runtime.target import Target
from tests.graph_harness import argument, check
from tests.math_harness import run, targets
from tests.test_ops_table import Case, elementwise_cases, structural_cases

NARROW = pytest.mark.parametrize("dtype", [float16, bfloat16], ids=lambda dtype: dtype.name)
TARGETS = pytest.mark.parametrize("target", targets(), ids=lambda t: f"{t.vector_bytes}B")


def every(dtype: DType) -> np.ndarray:
    """Return all numbers of a dtype."""
    return np.arange(1 << 16, dtype=np.uint16).view(dtype.numpy)


def assert_bits(got: np.ndarray, want: np.ndarray) -> None:
    """Assert equality of float32, the signs of zeros included; NaN is NaN."""
    nan = np.isnan(want)
    np.testing.assert_array_equal(np.isnan(got), nan)
    np.testing.assert_array_equal(got[~nan].view(np.uint32), want[~nan].view(np.uint32))


@NARROW
@TARGETS
def test_all_numbers_are_read_and_written(dtype: DType, target: Target) -> None:
    """With and without the processor's own conversions."""
    x = every(dtype)

    def same(f: Function, value: Value) -> Value:
        return value

    assert_bits(run(same, [x], float32, target=target), x.astype(np.float32))
    assert_bits(run(same, [x], dtype, target=target).astype(np.float32), x.astype(np.float32))


@NARROW
@TARGETS
def test_rounding_is_to_the_nearest_and_even(dtype: DType, target: Target) -> None:
    """Midway between all neighbours, beside midway, too large, too small, and any bits."""
    exact = every(dtype).astype(np.float32)
    lost = 16 if dtype is bfloat16 else 13
    midway = (exact.view(np.uint32) + np.uint32(1 << lost - 1)).view(np.float32)
    edges = np.array([65519.9, 65520, 1e5, 3.4e38, np.inf, np.nan, 2**-25, 2.9e-8, 0], np.float32)
    bits = np.random.default_rng(0).integers(0, 1 << 32, 1 << 16, np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        below, above = np.nextafter(midway, -np.inf), np.nextafter(midway, np.inf)
    x = np.concatenate([midway, below, above, edges, -edges, bits]).astype(np.float32)
    with np.errstate(all="ignore"):
        want = x.astype(dtype.numpy).astype(np.float32)
    got = run(lambda f, v: emit_cast(f, v, float32, dtype), [x], float32, target=target)
    assert_bits(got, want)


@pytest.mark.parametrize("lanes", [1, 2, 16])
def test_a_double_is_rounded_twice(lanes: int) -> None:
    """To float32 first, as in PyTorch; no single rounding takes its place."""
    x = np.repeat(1 + 2.0**-11 + 2.0**-40, 32)
    got = run(lambda f, v: emit_cast(f, v, float64, float16), [x], float16, lanes)
    np.testing.assert_array_equal(got, np.float16(1))
    assert jitnet.tensor(x[0], dtype=float64).half().item() == 1


def narrowed(case: Case, dtype: DType) -> list[np.ndarray]:
    """Return a case's arguments with its floats narrow."""
    return [convert(arg, dtype) if arg.dtype.kind == "f" else arg for arg in case.args]


def params_of(case: Case) -> dict[str, Any]:
    return {"dtype": int64} if case.op is ops.cast else case.params


CASES = [
    case
    for case in (*elementwise_cases(), *structural_cases())
    if any(arg.dtype.kind == "f" for arg in case.args)
    and case.op is not ops.nextafter  # of its own format
]


@NARROW
def test_neighbours_are_those_of_the_own_format(dtype: DType) -> None:
    x = jitnet.tensor([0.0, 1.0, -1.0, 2.0], dtype=dtype)
    for function in (jitnet.nextafter, jitnet.compile(jitnet.nextafter)):
        above = function(x, jitnet.full_like(x, 8.0))
        np.testing.assert_array_equal((above > x).numpy(), True)
        between = (x.float() + above.float()) / 2
        np.testing.assert_array_equal(
            ((between.to(dtype) == x) | (between.to(dtype) == above)).numpy(), True
        )


@NARROW
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_op_computes_wide_and_rounds_once(case: Case, dtype: DType) -> None:
    """Eager: float32's result, rounded. Compiled: the same, up to float32's own errors."""
    args = narrowed(case, dtype)
    inputs = [argument(f"x{number}", arg) for number, arg in enumerate(args)]
    node = case.op(*(item.node for item in inputs), **params_of(case))
    wide = [arg.astype(np.float32) if arg.dtype == dtype.numpy else arg for arg in args]
    want = np.asarray(case.op.eval(*wide, **params_of(case)))
    got = np.asarray(compute(case.op, args, params_of(case), node.dtype))
    assert got.dtype == node.dtype.numpy
    np.testing.assert_array_equal(got, convert(want, node.dtype))
    check([node], inputs, args)


def test_arithmetic_is_made_wide_and_moves_are_not() -> None:
    x = argument("x", np.ones((2, 3), np.float16))
    moved = ops.permute(x.node, axes=(1, 0))
    graph = widen(Graph("f", (x,), (Output(ops.neg(moved), "y"),)))
    assert [f"{node.type} {node.op.name}" for node in graph.nodes] == [
        "f16[2, 3] input",
        "f16[3, 2] permute",
        "f32[3, 2] cast",
        "f32[3, 2] neg",
        "f16[3, 2] cast",
    ]


@NARROW
def test_a_compiled_step_gives_what_eager_gives(dtype: DType) -> None:
    """Forward, backward and update, with all parameters and states narrow."""

    def make() -> tuple[nn.Module, jitnet.optim.Optimizer]:
        jitnet.manual_seed(3)
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        ).to(dtype)
        return net, jitnet.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(net: Any, optimizer: Any, x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = jitnet.randn(5, 2, 4, 4, dtype=dtype), jitnet.tensor([0, 1, 2, 1, 0])
    eager, compiled = make(), make()
    fast = jitnet.compile(step)
    for _ in range(3):
        want, got = step(*eager, x, y), fast(*compiled, x, y)
        assert got.dtype is dtype
        assert abs(got.item() - want.item()) <= 4 * jitnet.finfo(dtype).eps
    for a, b in zip(eager[0].parameters(), compiled[0].parameters(), strict=True):
        assert a.dtype is b.dtype is dtype
        np.testing.assert_allclose(
            b.detach().float().numpy(), a.detach().float().numpy(), atol=0.02
        )


def test_modules_and_tensors_convert() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert net.half()[0].weight.dtype is jitnet.half and net[1].num_batches_tracked.dtype is int64
    assert net.bfloat16().state_dict()["1.running_mean"].dtype is jitnet.bfloat16
    assert net.to(jitnet.float32)[0].bias.dtype is float32
    x = jitnet.tensor([1.5, 2.5])
    assert x.bfloat16().tolist() == x.half().tolist() == x.tolist()
    assert x.to(jitnet.bfloat16)[0].item() == 1.5 and type(x.half().sum().item()) is float


def test_numpy_has_float16_only() -> None:
    x = jitnet.ones(2, dtype=jitnet.float16)
    assert x.numpy().dtype == np.float16 and jitnet.from_numpy(x.numpy()).dtype is float16
    with pytest.raises(TypeError, match=r"NumPy has no bfloat16; use .float\(\).numpy\(\)"):
        x.bfloat16().numpy()


@NARROW
def test_random_numbers(dtype: DType) -> None:
    """Below 1, on the dtype's grid, and the same compiled."""

    def draws() -> Any:
        return jitnet.rand(4000, dtype=dtype), jitnet.randn(4000, dtype=dtype)

    jitnet.manual_seed(1)
    uniform, normal = draws()
    assert uniform.dtype is normal.dtype is dtype
    assert 1 > uniform.float().max().item() > 0.99 and abs(uniform.float().mean() - 0.5) < 0.02
    assert abs(normal.float().std().item() - 1) < 0.05
    jitnet.manual_seed(1)
    again = jitnet.compile(draws)()
    assert (again[0] == uniform).all() and ((again[1] - normal).abs() < 0.05).all()


def test_limits_and_printing() -> None:
    limits = jitnet.finfo(jitnet.bfloat16)
    assert (limits.bits, limits.eps, limits.tiny) == (16, 2.0**-7, 2.0**-126)
    assert jitnet.finfo(jitnet.half).max == 65504
    x = jitnet.tensor([[1.5, -2.25], [1e-5, 3e4]], dtype=jitnet.bfloat16)
    assert repr(x) == (
        "tensor([[ 1.5000e+00, -2.2500e+00],\n"
        "        [ 1.0014e-05,  2.9952e+04]], dtype=jitnet.bfloat16)"
    )
    assert repr(jitnet.tensor([1.0], dtype=jitnet.half)) == "tensor([1.], dtype=jitnet.float16)"


@NARROW
def test_orders_and_chances(dtype: DType) -> None:
    """NaN stands last, as in all dtypes; small chances are met, which 8 bits could not say."""
    x = jitnet.tensor([2.0, float("nan"), -1.0, 0.5], dtype=dtype)
    assert x.argsort().tolist() == [2, 3, 0, 1] and x[x == x].sort()[0].dtype is dtype
    assert x[2:].unique().dtype is dtype
    ones = jitnet.ones(100_000, dtype=dtype)
    assert 30 < (nn.functional.dropout(ones, 0.999) != 0).sum().item() < 300
    assert 30 < jitnet.bernoulli(ones * 0.001).float().sum().item() < 300
    assert jitnet.zeros(1000, dtype=dtype).exponential_().isfinite().all()
