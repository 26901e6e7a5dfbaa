"""Whole training steps: compiled they do what eager does, to everything."""

from __future__ import annotations

import copy
import importlib
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn, optim
from jitnet.compile import compile
from jitnet.compiler.codegen import program
from jitnet.nn import Module
from jitnet.runtime import layout
from jitnet.tensor import Tensor

Step = Callable[..., Any]


def mlp() -> Module:
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


class Net(nn.Module):
    """A small convolutional network with all that has state."""

    def __init__(self) -> None:
        super().__init__()
        # No bias: batch norm leaves its gradient nothing but rounding, which Adam would scale up.
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.25)
        self.head = nn.Linear(4 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.head(self.drop(x.flatten(1)))


def batches(count: int, shape: tuple[int, ...], classes: int) -> list[tuple[Tensor, Tensor]]:
    rng = np.random.default_rng(0)
    return [
        (
            jitnet.from_numpy(rng.normal(size=shape).astype(np.float32)),
            jitnet.from_numpy(rng.integers(0, classes, shape[0])),
        )
        for _ in range(count)
    ]


def training(make: Callable[[], Module], opt: Callable[..., Any]) -> tuple[Module, Any, Step]:
    jitnet.manual_seed(3)
    model = make()
    optimizer = opt(model.parameters())

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-3),
}


def run_both(
    make: Callable[[], Module], opt: Callable[..., Any], data: list[tuple[Tensor, Tensor]]
) -> tuple[list[float], list[float], Module, Module, Any]:
    eager_model, _, eager_step = training(make, opt)
    jitnet.manual_seed(11)
    eager = [eager_step(x, y).item() for x, y in data]
    model, _, step = training(make, opt)
    compiled = compile(step)
    jitnet.manual_seed(11)
    losses = [compiled(x, y).item() for x, y in data]
    return eager, losses, eager_model, model, compiled


def assert_same_state(a: Module, b: Module, tolerance: float) -> None:
    for (name, p), q in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        np.testing.assert_allclose(
            p.numpy(), q.numpy(), rtol=tolerance, atol=tolerance, err_msg=name
        )
    for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
        assert q.grad is not None
        np.testing.assert_allclose(
            p.grad.numpy(), q.grad.numpy(), rtol=tolerance, atol=tolerance, err_msg=name
        )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_mlp_steps_equal_eager(name: str) -> None:
    data = batches(50, (6, 8), 4)
    eager, losses, a, b, compiled = run_both(mlp, OPTIMIZERS[name], data)
    np.testing.assert_allclose(losses, eager, rtol=2e-5)
    assert_same_state(a, b, 1e-4)
    assert len(compiled.variants) == 1


def test_cnn_with_batch_norm_and_dropout_equals_eager() -> None:
    data = batches(50, (4, 1, 8, 8), 5)
    eager, losses, a, b, compiled = run_both(Net, OPTIMIZERS["adam"], data)
    np.testing.assert_allclose(losses, eager, rtol=2e-3)
    assert_same_state(a, b, 2e-2)
    assert b.norm.num_batches_tracked.item() == 50
    assert len(compiled.variants) == 1


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_a_program_in_parts_computes_the_same(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad index stops it in its first part; later ones have barriers and serial kernels."""
    monkeypatch.setenv("JITNET_CACHE", "0")
    monkeypatch.setattr(program, "MOST_STEPS", most)

    def trained(wrap: Callable[..., Any]) -> tuple[list[float], Any]:
        jitnet.manual_seed(1)
        table, layer = nn.Embedding(20, 64), nn.Linear(64, 64)
        optimizer = optim.SGD([*table.parameters(), *layer.parameters()], 0.1)

        def step(rows: Tensor, labels: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(layer(table(rows).tanh()), labels)
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(rows, labels).item() for _ in range(4)], step

    rows, labels = jitnet.arange(500) % 20, jitnet.arange(500) % 64
    wanted, _ = trained(lambda function: function)
    losses, step = trained(compile)
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    functions = re.findall(r"define[^@\n]*@program\d*\(", step.dump("llvm"))
    assert len(functions) == 1 if most == 1000 else len(functions) > 3
    with pytest.raises(IndexError):
        step(rows + 1, labels)


def test_threads_give_the_same_bits() -> None:
    data = batches(6, (16, 1, 8, 8), 5)
    results = []
    for threads in (1, 2):
        jitnet.set_num_threads(threads)
        _, losses, _, model, _ = run_both(Net, OPTIMIZERS["adam"], data)
        results.append((losses, [p.detach().numpy().tobytes() for p in model.parameters()]))
    assert results[0] == results[1]


@pytest.mark.skipif(not layout.LAYOUT_KNOWN, reason="calls are carried out in Python here")
def test_a_call_is_native_code() -> None:
    _, _, step = training(mlp, OPTIMIZERS["adam"])
    compiled = compile(step)
    data = batches(3, (6, 8), 4)
    for x, y in data:
        compiled(x, y)
    entered: list[str] = []

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            entered.append(frame.f_code.co_name)
        if event == "c_call" and getattr(arg, "__module__", None) == "numpy":
            entered.append(f"numpy {arg}")

    x, y = data[0]
    sys.setprofile(profile)
    try:
        compiled(x, y)
    finally:
        sys.setprofile(None)
    assert entered == ["__call__"]


def test_ops_are_not_evaluated_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, step = training(mlp, OPTIMIZERS["adam"])
    compiled = compile(step)
    data = batches(2, (6, 8), 4)
    compiled(*data[0])

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("an op ran eagerly")

    monkeypatch.setattr(importlib.import_module("jitnet.tensor"), "_compute", refuse)
    compiled(*data[1])


def test_gradients_stay_visible_and_keep_their_memory() -> None:
    model, _, step = training(mlp, OPTIMIZERS["sgd"])
    compiled = compile(step)
    (x, y), (x2, y2) = batches(2, (6, 8), 4)
    compiled(x, y)
    weight = model[0].weight
    where = weight.grad.numpy().ctypes.data
    compiled(x2, y2)
    assert weight.grad.numpy().ctypes.data == where
    held = weight.grad
    before = held.numpy().copy()
    compiled(x, y)
    assert weight.grad is not held
    np.testing.assert_array_equal(held.numpy(), before)


def test_gradients_accumulate_over_calls() -> None:
    def make() -> tuple[Module, Step]:
        jitnet.manual_seed(0)
        model = mlp()

        def forward_backward(x: Tensor, y: Tensor) -> Tensor:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss.detach()

        return model, forward_backward

    a, eager = make()
    b, plain = make()
    compiled = compile(plain)
    data = batches(4, (6, 8), 4)
    for x, y in data:
        eager(x, y)
        compiled(x, y)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5, atol=1e-6)
    assert len(compiled.variants) == 2  # without and with gradients at entry
    for model in (a, b):
        model.zero_grad()
    compiled(*data[0])
    assert len(compiled.variants) == 2


def test_second_batch_size_is_a_second_variant() -> None:
    model, _, step = training(mlp, OPTIMIZERS["adam"])
    eager_model, _, eager_step = training(mlp, OPTIMIZERS["adam"])
    compiled = compile(step)
    for x, y in [*batches(2, (6, 8), 4), *batches(1, (3, 8), 4), *batches(2, (6, 8), 4)]:
        compiled(x, y)
        eager_step(x, y)
    assert len(compiled.variants) == 2
    assert "argument x: dim 0 was 6, is 3" in compiled.explain()
    assert_same_state(eager_model, model, 1e-4)


def test_learning_rate_schedule_does_not_recompile() -> None:
    model, optimizer, step = training(mlp, OPTIMIZERS["adam"])
    eager_model, eager_optimizer, eager_step = training(mlp, OPTIMIZERS["adam"])
    compiled = compile(step)
    for number, (x, y) in enumerate(batches(6, (6, 8), 4)):
        for each in (optimizer, eager_optimizer):
            each.param_groups[0]["lr"] = 1e-2 / (1 + number)
        compiled(x, y)
        eager_step(x, y)
    assert_same_state(eager_model, model, 1e-4)
    assert len(compiled.variants) == 1


def test_optimizer_state_loads_in_place() -> None:
    model, optimizer, step = training(mlp, OPTIMIZERS["adam"])
    compiled = compile(step)
    data = batches(3, (6, 8), 4)
    compiled(*data[0])
    saved_model = {k: v.clone() for k, v in model.state_dict().items()}
    saved = copy.deepcopy(optimizer.state_dict())
    first = compiled(*data[1]).item()
    compiled(*data[2])
    model.load_state_dict(saved_model)
    optimizer.load_state_dict(saved)
    assert compiled(*data[1]).item() == first
    after = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(saved_model)
    optimizer.load_state_dict(saved)
    step(*data[1])
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(value.numpy(), after[name].numpy(), rtol=1e-4, atol=1e-5)


def test_dropout_streams_agree_and_restart() -> None:
    drop = compile(lambda x: F.dropout(x, 0.5, True))
    x = jitnet.ones(4, 33)
    jitnet.manual_seed(5)
    eager = [F.dropout(x, 0.5, True).numpy() for _ in range(3)]
    jitnet.manual_seed(5)
    for wanted in eager:
        np.testing.assert_array_equal(drop(x).numpy(), wanted)
    jitnet.manual_seed(5)
    np.testing.assert_array_equal(drop(x).numpy(), eager[0])
    assert len(drop.variants) == 1
