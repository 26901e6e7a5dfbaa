"""Programs as people write them: each runs the same eagerly and compiled."""

from __future__ import annotations

import random
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn, optim
from jitnet.compile import compile
from jitnet.errors import CompileError
from jitnet.tensor import Tensor

Maker = Callable[[], tuple[Callable[..., Any], list[Tensor]]]


def data(count: int = 5) -> list[tuple[Tensor, Tensor]]:
    rng = np.random.default_rng(1)
    return [
        (
            jitnet.from_numpy(rng.normal(size=(6, 4)).astype(np.float32)),
            jitnet.from_numpy(rng.integers(0, 3, 6)),
        )
        for _ in range(count)
    ]


def plain_model() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def clipped() -> tuple[Callable[..., Any], list[Tensor]]:
    model = plain_model()
    optimizer = optim.SGD(model.parameters(), lr=0.5)

    def step(x: Tensor, y: Tensor) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        return loss, norm

    return step, list(model.parameters())


def accumulated() -> tuple[Callable[..., Any], list[Tensor]]:
    model = plain_model()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x: Tensor, y: Tensor) -> Any:
        total = jitnet.zeros(())
        for part in range(3):
            rows = slice(2 * part, 2 * part + 2)
            loss = F.cross_entropy(model(x[rows]), y[rows]) / 3
            loss.backward()
            total += loss.detach()
        optimizer.step()
        optimizer.zero_grad()
        return total

    return step, list(model.parameters())


def averaged_weights() -> tuple[Callable[..., Any], list[Tensor]]:
    model, shadow = plain_model(), plain_model()
    shadow.load_state_dict(model.state_dict())
    shadow.requires_grad_(False)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x: Tensor, y: Tensor) -> Any:
        loss = F.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        with jitnet.no_grad():
            for mine, theirs in zip(shadow.parameters(), model.parameters(), strict=True):
                mine.mul_(0.9).add_(theirs, alpha=0.1)
            return {"loss": loss.detach(), "right": (shadow(x).argmax(1) == y).sum()}

    return step, [*model.parameters(), *shadow.parameters()]


def frozen_and_tied() -> tuple[Callable[..., Any], list[Tensor]]:
    first, last = nn.Linear(4, 4), nn.Linear(4, 4)
    last.weight = first.weight
    body = nn.Linear(4, 4).requires_grad_(False)
    params = [*first.parameters(), last.bias]
    optimizer = optim.AdamW(params, lr=0.01)

    def step(x: Tensor, y: Tensor) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(last(F.relu(body(first(x)))), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, [*params, *body.parameters()]


def two_optimizers() -> tuple[Callable[..., Any], list[Tensor]]:
    generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
    first = optim.Adam(generator.parameters(), lr=0.01)
    second = optim.RMSprop(critic.parameters(), lr=0.01)

    def step(x: Tensor, y: Tensor) -> Any:
        fake = generator(x)
        second.zero_grad()
        critic_loss = critic(fake.detach()).mean() - critic(x).mean()
        critic_loss.backward()
        second.step()
        first.zero_grad()
        loss = -critic(fake).mean()
        loss.backward()
        first.step()
        return critic_loss, loss

    return step, [*generator.parameters(), *critic.parameters()]


def by_hand() -> tuple[Callable[..., Any], list[Tensor]]:
    weight = jitnet.ones(4, 3).requires_grad_()
    bias = jitnet.zeros(3, requires_grad=True)

    def step(x: Tensor, y: Tensor) -> Any:
        loss = F.cross_entropy(x @ weight + bias, y)
        gradients = jitnet.autograd.grad(loss, [weight, bias])
        with jitnet.no_grad():
            for param, gradient in zip((weight, bias), gradients, strict=True):
                param -= 0.1 * gradient
        return loss.detach(), gradients[0].norm()

    return step, [weight, bias]


def data_attribute() -> tuple[Callable[..., Any], list[Tensor]]:
    weight = jitnet.ones(4, 3).requires_grad_()

    def step(x: Tensor, y: Tensor) -> Any:
        loss = F.cross_entropy(x @ weight, y)
        loss.backward()
        weight.data -= 0.1 * weight.grad.data
        weight.grad.zero_()
        return loss

    return step, [weight]


def recurrent() -> tuple[Callable[..., Any], list[Tensor]]:
    cell = nn.Linear(4 + 5, 5)
    head = nn.Linear(5, 3)
    params = [*cell.parameters(), *head.parameters()]
    optimizer = optim.SGD(params, lr=0.1)
    state = jitnet.zeros(6, 5)

    def step(x: Tensor, y: Tensor) -> Any:
        hidden = state.clone()
        for _ in range(3):
            hidden = jitnet.tanh(cell(jitnet.cat([x, hidden], 1)))
        loss = F.cross_entropy(head(hidden), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state.copy_(hidden.detach())
        return loss

    return step, [*params, state]


def closure() -> tuple[Callable[..., Any], list[Tensor]]:
    model = plain_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor, y: Tensor) -> Any:
        def evaluate() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(evaluate)

    return step, list(model.parameters())


MAKERS: list[Maker] = [
    clipped, accumulated, averaged_weights, frozen_and_tied, two_optimizers, by_hand,
    data_attribute, recurrent, closure,
]  # fmt: skip


def values(result: Any) -> list[float]:
    if isinstance(result, Tensor):
        return [result.item()]
    if isinstance(result, dict):
        result = list(result.values())
    return [value for item in result for value in values(item)]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_program(make: Maker) -> None:
    jitnet.manual_seed(0)
    eager, eager_state = make()
    jitnet.manual_seed(0)
    step, state = make()
    compiled = compile(step)
    for x, y in data():
        np.testing.assert_allclose(values(compiled(x, y)), values(eager(x, y)), rtol=1e-4)
    for a, b in zip(eager_state, state, strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-3, atol=1e-5)
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), rtol=1e-3, atol=1e-5)
    assert len(compiled.variants) <= 2


def test_scheduler_inside_is_refused_by_name() -> None:
    model = plain_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)

    def step(x: Tensor) -> None:
        model(x).sum().backward()
        optimizer.step()
        scheduler.step()

    with pytest.raises(CompileError, match="the function changes"):
        compile(step)(jitnet.ones(1, 4))
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_scheduler_outside() -> None:
    model = plain_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    @compile
    def step(x: Tensor) -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    for _ in range(4):
        step(jitnet.ones(1, 4))
        scheduler.step()
    assert len(step.variants) == 1


def test_model_and_optimizer_as_arguments() -> None:
    def step(model: nn.Module, optimizer: Any, x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    fn = compile(step)
    models = [plain_model(), plain_model()]
    optimizers = [optim.SGD(model.parameters(), lr=0.1) for model in models]
    x = data()[0][0]
    for model, optimizer in zip(models, optimizers, strict=True):
        first = fn(model, optimizer, x).item()
        assert fn(model, optimizer, x).item() < first
    assert len(fn.variants) == 2


@pytest.mark.parametrize("draw", [random.random, lambda: random.randint(0, 9)])
def test_python_randomness_is_refused(draw: Callable[[], float]) -> None:
    state = random.getstate()
    with pytest.raises(CompileError, match="random"):
        compile(lambda x: x * draw())(jitnet.ones(1))
    random.setstate(state)


def test_small_numpy_arrays_are_guarded() -> None:
    table = np.array([1.0, 2.0])
    fn = compile(lambda x: x * float(table[1]))
    assert fn(jitnet.ones(1)).item() == 2
    table[1] = 5
    assert fn(jitnet.ones(1)).item() == 5


def test_settings_reached_in_unusual_ways() -> None:
    class Base:
        k = 2

    class Config(Base):
        scale = 1

        @property
        def doubled(self) -> int:
            return self._hidden * 2

        def __init__(self) -> None:
            self._hidden = 3
            self.options = {"alpha": 2}
            self.k0, self.k1 = 1, 1

    config = Config()

    def scaled(x: Tensor, *, alpha: int = 1, extra: list[int] = [5]) -> Tensor:  # noqa: B006
        return x * alpha + extra[0]

    helper = partial(scaled, alpha=3)

    def function(x: Tensor) -> Tensor:
        x = scaled(x, **config.options) + helper(x)
        x = x * type(config).scale + config.k + config.doubled
        return x + sum(getattr(config, f"k{i}") for i in range(2))

    fn = compile(function)
    changes: list[Callable[[], Any]] = [
        lambda: None,
        lambda: config.options.update(alpha=7),
        lambda: setattr(config, "_hidden", 5),
        lambda: setattr(Base, "k", 9),
        lambda: setattr(Config, "scale", 4),
        lambda: scaled.__kwdefaults__["extra"].append(0) or scaled.__kwdefaults__["extra"].pop(0),
        lambda: setattr(config, "k1", 100),
        lambda: setattr(Config, "doubled", 1),
    ]
    for change in changes:
        change()
        x = jitnet.ones(2)
        np.testing.assert_array_equal(fn(x).numpy(), function(x).numpy())


def test_method_replaced_on_the_class() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    model = Model()
    fn = compile(model)
    assert fn(jitnet.ones(1)).item() == 2
    Model.forward = lambda self, x: x + 10
    assert fn(jitnet.ones(1)).item() == 11


def test_user_module_setting() -> None:
    module = types.ModuleType("settings")
    module.__file__ = "settings.py"
    module.K = 2
    fn = compile(lambda x: x * module.K)
    assert fn(jitnet.ones(1)).item() == 2
    module.K = 3
    assert fn(jitnet.ones(1)).item() == 3


def test_gradient_returned_and_kept() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        x.grad = None
        x.requires_grad_()
        (x * x).sum().backward()
        return x, x.grad

    fn = compile(function)
    x = jitnet.ones(2)
    _, grad = fn(x)
    assert grad is x.grad
    _, again = fn(x)
    assert again is x.grad and again is not grad


def test_a_thousand_steps_in_one_program() -> None:
    """Long chains are cut into kernels before Python's recursion limit is."""

    def decay(x: Tensor) -> Tensor:
        for _ in range(500):
            x = x * 0.999 + 0.001
        return x

    x = jitnet.full((4,), 2.0)
    np.testing.assert_allclose(compile(decay)(x).numpy(), decay(x).numpy(), rtol=1e-4)
