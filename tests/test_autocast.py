"""autocast and GradScaler: what they leave behind, compiled as well as eager, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.runtime.dtype import DType, bfloat16, float16, float32


def network() -> nn.Module:
    jitnet.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 3))


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((32, 8), np.float32)
    return jitnet.tensor(x), jitnet.tensor((x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 1))


def test_parameters_and_gradients_stay_float32() -> None:
    net, (x, y) = network(), data()
    with jitnet.autocast("cpu"):
        logits = net(x)
        loss = nn.functional.cross_entropy(logits, y)
    assert logits.dtype is bfloat16 and loss.dtype is float32
    loss.backward()
    assert {param.dtype for param in net.parameters()} == {float32}
    exact = network()
    nn.functional.cross_entropy(exact(x), y).backward()
    for a, b in zip(net.parameters(), exact.parameters(), strict=True):
        assert a.grad.dtype is float32
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), atol=5e-3)


def test_it_nests_and_ends() -> None:
    x = jitnet.ones(2, 2)
    assert not jitnet.is_autocast_enabled("cpu")
    with jitnet.autocast("cpu", dtype=jitnet.float16):
        assert jitnet.is_autocast_enabled("cpu") and jitnet.get_autocast_dtype("cpu") is float16
        assert (x @ x).dtype is float16
        with jitnet.autocast("cpu", enabled=False):
            assert (x @ x).dtype is float32
        with jitnet.amp.autocast("cpu"), jitnet.no_grad():
            assert (x @ x).dtype is bfloat16
        assert (x @ x).dtype is float16
    with pytest.raises(ZeroDivisionError), jitnet.autocast("cpu"):
        raise ZeroDivisionError
    assert (x @ x).dtype is float32


def test_as_a_decorator() -> None:
    @jitnet.autocast("cpu", dtype=jitnet.bfloat16)
    def product(x: Any) -> Any:
        return x @ x

    assert product(jitnet.ones(2, 2)).dtype is bfloat16


def test_other_devices_warn_and_change_nothing() -> None:
    x = jitnet.ones(2, 2)
    with pytest.warns(UserWarning, match="'cuda', but this jitnet runs on the CPU only"):
        switch = jitnet.autocast("cuda", dtype=jitnet.float16)
    with switch:
        assert (x @ x).dtype is float32
    with jitnet.cuda.amp.autocast(enabled=False), jitnet.cpu.amp.autocast():
        assert (x @ x).dtype is bfloat16
    with pytest.warns(UserWarning, match="only supports dtype of"), jitnet.autocast("cpu", float32):
        assert (x @ x).dtype is float32
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'gpu'"):
        jitnet.autocast("gpu")


def test_around_a_compiled_function() -> None:
    """Whether autocast is on is part of what a compiled variant is made for."""
    product = jitnet.compile(lambda x: x @ x)
    x = jitnet.randn(4, 4)
    assert product(x).dtype is float32
    with jitnet.autocast("cpu"):
        want = x @ x
        got = product(x)
    assert got.dtype is bfloat16 and (got == want).all()
    assert product(x).dtype is float32
    assert "autocast's dtype was None, is jitnet.bfloat16" in product.explain()


@pytest.mark.parametrize("dtype", [bfloat16, float16], ids=lambda dtype: dtype.name)
def test_training(dtype: DType) -> None:
    """A loop with autocast and GradScaler, eager and as one compiled step, learns the same."""

    def step(net: Any, optimizer: Any, scaler: Any, x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        with jitnet.autocast("cpu", dtype=dtype):
            loss = nn.functional.cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss

    x, y = data()
    losses, scales = [], []
    for run in (step, jitnet.compile(step)):
        net = network()
        optimizer = jitnet.optim.AdamW(net.parameters(), lr=0.02)
        scaler = jitnet.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=10)
        losses.append([run(net, optimizer, scaler, x, y).item() for _ in range(25)])
        scales.append(scaler.get_scale())
    assert losses[0][-1] < 0.3 * losses[0][0]
    assert scales == [2.0**12] * 2
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05, atol=0.01)


def test_a_compiled_step_is_skipped() -> None:
    """Parameters and the optimizer's state stay, the scale falls; the next step is taken."""
    weight = jitnet.tensor([1.0, -2.0], requires_grad=True)
    optimizer = jitnet.optim.Adam([weight], lr=0.1)
    scaler = jitnet.GradScaler("cpu", init_scale=8.0)

    @jitnet.compile
    def step(factor: Any) -> None:
        optimizer.zero_grad()
        scaler.scale((weight * weight).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()

    def state() -> list[Any]:
        entry = optimizer.state[weight]
        return [weight.tolist(), *(entry[name].tolist() for name in sorted(entry))]

    step(jitnet.tensor(1.0))
    before = state()
    step(jitnet.tensor(float("inf")))
    assert state() == before and scaler.get_scale() == 4.0
    step(jitnet.tensor(1.0))
    assert state() != before and scaler.get_scale() == 4.0


def test_disabled_scalers_pass_through() -> None:
    with pytest.warns(UserWarning, match="this jitnet runs on the CPU only"):
        scaler = jitnet.cuda.amp.GradScaler()
    assert not scaler.is_enabled() and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    weight = jitnet.ones(1, requires_grad=True)
    optimizer = jitnet.optim.SGD([weight], lr=1.0)
    loss = weight.sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert weight.item() == 0.0


def test_scaler_errors_and_state() -> None:
    weight = jitnet.ones(1, requires_grad=True)
    optimizer = jitnet.optim.SGD([weight], lr=1.0)
    scaler = jitnet.GradScaler("cpu", init_scale=4.0)
    with pytest.raises(AssertionError, match="No inf checks were recorded"):
        scaler.update()
    first, second = scaler.scale([weight.sum(), weight.sum()])
    assert (first + second).item() == 8.0
    first.backward()
    scaler.unscale_(optimizer)
    assert weight.grad.item() == 1.0
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    scaler.update(16.0)
    other = jitnet.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 16.0
    half = jitnet.ones(1, dtype=float16, requires_grad=True)
    scaler.scale(half.sum()).backward()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.unscale_(jitnet.optim.SGD([half], lr=1.0))


def test_custom_functions_keep_their_precision() -> None:
    seen = []

    class Product(jitnet.autograd.Function):
        @staticmethod
        @jitnet.amp.custom_fwd(device_type="cpu", cast_inputs=jitnet.float32)
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            seen.append(x.dtype)
            return x @ x

        @staticmethod
        @jitnet.amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            seen.append(jitnet.is_autocast_enabled("cpu"))
            return g @ x.t() + x.t() @ g

    x = jitnet.ones(2, 2, dtype=bfloat16, requires_grad=True)
    with jitnet.autocast("cpu"):
        y = Product.apply(x)
        y.sum().backward()
    assert y.dtype is float32 and seen == [float32, False] and x.grad.dtype is bfloat16
