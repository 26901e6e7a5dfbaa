"""Whatever a compiled function reads of modules, parameters and optimizers may change, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn, optim
from jitnet.compile import compile
from jitnet.errors import CompileError
from jitnet.tensor import Tensor


class Layer(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.weight = nn.Parameter(jitnet.ones(3))
        self.parts = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight * self.k + sum(self.parts)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Layer(2)
        self.layers = nn.ModuleList([Layer(1), Layer(1)])
        self.plain = [self.first]
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.first(x))
        for layer in self.layers:
            x = layer(x)
        return x


def check(fn: Any, model: Model, x: Tensor) -> None:
    jitnet.manual_seed(0)
    with jitnet.no_grad():
        wanted = model(x).numpy()
    jitnet.manual_seed(0)
    with jitnet.no_grad():
        np.testing.assert_allclose(fn(x).numpy(), wanted, rtol=1e-6)


def test_module_state_of_every_kind() -> None:
    model = Model()
    fn = compile(lambda x: model(x))
    x = jitnet.ones(2, 3)
    changes = [
        lambda: None,
        lambda: model.eval(),
        lambda: model.train(),
        lambda: setattr(model.first, "k", 5),
        lambda: model.first.parts.append(7),
        lambda: setattr(model.first, "weight", nn.Parameter(jitnet.full((3,), 4.0))),
        lambda: setattr(model, "first", Layer(9)),
        lambda: model.layers.append(Layer(3)),
        lambda: setattr(model.drop, "p", 0.1),
        lambda: setattr(model, "drop", nn.Identity()),
        lambda: setattr(model.layers[0].weight, "data", jitnet.full((3,), 8.0)),
    ]
    for change in changes:
        change()
        check(fn, model, x)
    model.first.register_forward_hook(lambda module, args, result: result * 100)
    check(fn, model, x)
    with jitnet.no_grad():
        model.first.weight.fill_(2.5)  # a value: no new variant
    count = len(fn.variants)
    check(fn, model, x)
    assert len(fn.variants) == count


def test_method_put_on_an_instance() -> None:
    model = Model().eval()
    fn = compile(lambda x: model(x))
    x = jitnet.ones(1, 3)
    check(fn, model, x)
    model.first.forward = lambda x: x * 1000
    check(fn, model, x)


def test_grad_mode_and_requires_grad() -> None:
    model = Layer(1)
    fn = compile(lambda x: model(x))
    x = jitnet.ones(3)
    assert fn(x).requires_grad
    with jitnet.no_grad():
        assert not fn(x).requires_grad
    model.weight.requires_grad_(False)
    assert not fn(x).requires_grad
    model.weight.requires_grad_(True)
    assert fn(x).requires_grad
    assert len(fn.variants) == 3


@pytest.mark.parametrize("key", ["weight_decay", "momentum", "nesterov", "maximize", "lr"])
def test_hyper_parameters(key: str) -> None:
    def make() -> tuple[nn.Module, Any, Any]:
        jitnet.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

        def step(x: Tensor) -> None:
            optimizer.zero_grad()
            model(x).pow(2).sum().backward()
            optimizer.step()

        return model, optimizer, step

    a, a_optimizer, eager = make()
    b, b_optimizer, step = make()
    compiled = compile(step)
    x = jitnet.ones(4, 3)
    values = {"nesterov": True, "maximize": True}
    for number in range(5):
        if number >= 2:
            for optimizer in (a_optimizer, b_optimizer):
                group = optimizer.param_groups[0]
                group[key] = values.get(key, 0.01 * number)
        eager(x)
        compiled(x)
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-4)
    wanted = {"lr": 1, "momentum": 1, "weight_decay": 2, "nesterov": 2, "maximize": 2}
    assert len(compiled.variants) == wanted[key]


def test_parameter_replaced_under_the_optimizer() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.5)

    def step(x: Tensor) -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    compiled = compile(step)
    compiled(jitnet.ones(1, 2))
    optimizer.add_param_group({"params": [nn.Parameter(jitnet.zeros(1))], "lr": 1.0})
    model.weight = nn.Parameter(jitnet.zeros(1, 2))
    optimizer.param_groups[0]["params"][0] = model.weight
    compiled(jitnet.ones(1, 2))
    np.testing.assert_array_equal(model.weight.detach().numpy(), [[-0.5, -0.5]])


def test_gradient_hooks() -> None:
    weight = jitnet.ones(2).requires_grad_()

    def function(x: Tensor) -> None:
        weight.grad = None
        (x * weight).sum().backward()

    fn = compile(function)
    handles = []
    for factor in (1, 2, 6):
        fn(jitnet.ones(2))
        assert weight.grad[0].item() == factor
        number = len(handles) + 2
        handles.append(weight.register_hook(lambda g, n=number: g * n))
    for factor in (24, 12):
        fn(jitnet.ones(2))
        assert weight.grad[0].item() == factor
        handles.pop(0).remove()


def test_hook_registered_inside_is_refused() -> None:
    weight = jitnet.ones(2).requires_grad_()
    weight.register_hook(lambda g: g)

    def function(x: Tensor) -> None:
        weight.register_hook(lambda g: g * 2)

    with pytest.raises(CompileError, match="hooks"):
        compile(function)(jitnet.ones(2))
    assert len(weight._hooks) == 1


def test_loss_with_settings() -> None:
    loss = nn.CrossEntropyLoss()
    fn = compile(lambda x, y: loss(x, y))
    x, y = jitnet.randn(4, 3), jitnet.tensor([0, 1, 2, 0])
    assert abs(fn(x, y).item() - F.cross_entropy(x, y).item()) < 1e-6
    loss.reduction = "sum"
    assert abs(fn(x, y).item() - F.cross_entropy(x, y, reduction="sum").item()) < 1e-5
