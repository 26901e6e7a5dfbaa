"""Attributes that a compiled function sets to tensors: each call sets them, as eager code does."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn, optim
from jitnet.compile import compile
from jitnet.errors import CompileError
from jitnet.runtime import layout, routine
from jitnet.tensor import Tensor


@pytest.fixture(params=["native", "python"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry out calls one way or the other."""
    if request.param == "python":
        monkeypatch.setattr(routine, "LAYOUT_KNOWN", False)
    elif not layout.LAYOUT_KNOWN:
        pytest.skip("this Python lays objects out in a way that is not known")


class Recorder(nn.Module):
    """Keeps what it computed on the way, and a mask that it makes when it needs one."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.last: Any = None
        self.mask: Any = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        self.last = y.detach()
        self.feature = y.mean()  # appears at the first call
        if self.mask is None or self.mask.size(0) != len(x):
            self.mask = jitnet.arange(float(len(x))).reshape(-1, 1)
        self.parts = (y * self.mask, None)
        self.loss = (y * self.mask).pow(2).sum()
        return self.parts[0] + self.feature


NAMES = ("last", "feature", "mask", "loss")


def same(model: Recorder, eager: Recorder) -> None:
    for name in NAMES:
        found, wanted = getattr(model, name), getattr(eager, name)
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), 1e-5, 1e-6)
    assert model.parts[1] is None and model.parts[0].shape == eager.parts[0].shape


def test_a_step_sets_them_at_each_call() -> None:
    jitnet.manual_seed(0)
    model = Recorder()
    eager = copy.deepcopy(model)

    def step_of(model: Recorder) -> Any:
        optimizer = optim.SGD(model.parameters(), lr=0.05)

        def step(x: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = model(x).pow(2).mean() + model.loss * 0.1
            loss.backward()
            optimizer.step()
            return loss

        return step

    compiled, plain = compile(step_of(model)), step_of(eager)
    seen = []
    for rows in (3, 3, 3, 3, 2, 3):
        x = jitnet.randn(rows, 4)
        np.testing.assert_allclose(compiled(x).item(), plain(x).item(), 1e-5)
        same(model, eager)
        seen.append((model.last, model.last.clone()))
    for kept, value in seen:  # each call has made tensors of its own
        assert kept.equal(value)
    assert len(compiled.variants) <= 5


def test_a_forward_pass_sets_them_with_their_history() -> None:
    jitnet.manual_seed(0)
    model = Recorder()
    eager = copy.deepcopy(model)
    forward = compile(model)
    for _ in range(3):
        x = jitnet.randn(3, 4)
        for net, call in ((model, forward), (eager, eager)):
            net.zero_grad()
            (call(x).sum() + net.loss + net.feature).backward()
        same(model, eager)
        wanted = eager.layer.weight.grad.numpy()
        np.testing.assert_allclose(model.layer.weight.grad.numpy(), wanted, 1e-4, 1e-5)


def test_those_that_are_only_set_compile_once() -> None:
    class Noted:
        def __init__(self) -> None:
            self.weights: Any = None

        def __call__(self, x: Tensor) -> Tensor:
            weights = self.weights = x.softmax(0)
            return weights * 2

    noted = Noted()
    compiled = compile(lambda x: noted(x).sum())
    for size in range(3):
        x = jitnet.randn(5) + size
        compiled(x)
        np.testing.assert_allclose(noted.weights.numpy(), x.softmax(0).numpy(), 1e-5)
    assert len(compiled.variants) == 1


def test_another_function_sees_what_was_set() -> None:
    model = Recorder()
    forward, read = compile(model), compile(lambda: model.last * 2)
    for _ in range(3):
        forward(jitnet.randn(3, 4))
        np.testing.assert_allclose(read().numpy(), model.last.numpy() * 2, 1e-6)


class Running:
    """Carries a state on from call to call."""

    def __init__(self) -> None:
        self.total: Any = jitnet.ones(2)
        self.pair: Any = (jitnet.zeros(2), jitnet.ones(2, 2).t()[0])


def test_a_state_that_is_carried_on() -> None:
    running, eager = Running(), Running()

    def step(state: Running, x: Tensor) -> Tensor:
        a, b = state.pair
        state.pair = (a + x * state.total, b * 0.5 + a)
        state.total = state.total + x
        return state.total * 2

    compiled = compile(lambda x: step(running, x))
    kept = []
    for number in range(6):
        x = jitnet.tensor([1.0, 0.1]) * number
        assert compiled(x).equal(step(eager, x))
        assert running.total.equal(eager.total)
        assert all(a.equal(b) for a, b in zip(running.pair, eager.pair, strict=True))
        kept.append((running.total, running.total.clone()))
    assert all(total.equal(value) for total, value in kept)
    assert len(compiled.variants) <= 3
    running.total = eager.total = jitnet.zeros(2)  # set outside: seen
    assert compiled(x).equal(step(eager, x))
    running.total, eager.total = jitnet.zeros(2, 2), jitnet.zeros(2, 2)  # of another kind
    assert compiled(x).equal(step(eager, x))


def test_the_hidden_state_of_a_recurrent_network() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 3)
            self.hidden: Any = (jitnet.zeros(1, 1, 3), jitnet.zeros(1, 1, 3))

        def forward(self, x: Tensor) -> Tensor:
            y, self.hidden = self.lstm(x, self.hidden)
            return y.sum()

    jitnet.manual_seed(0)
    model = Tagger()
    eager = copy.deepcopy(model)

    def step_of(net: Tagger) -> Any:
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        def step(x: Tensor) -> Tensor:
            optimizer.zero_grad()
            net.hidden = tuple(part.detach() for part in net.hidden)
            loss = net(x)
            loss.backward()
            optimizer.step()
            return loss

        return step

    compiled, plain = compile(step_of(model)), step_of(eager)
    for _ in range(5):
        x = jitnet.randn(4, 1, 2)
        np.testing.assert_allclose(compiled(x).item(), plain(x).item(), 1e-4)
    np.testing.assert_allclose(
        model.hidden[0].detach().numpy(), eager.hidden[0].detach().numpy(), 1e-4, 1e-5
    )
    assert len(compiled.variants) <= 3


def test_state_that_two_names_have_is_not_rebound() -> None:
    running = Running()
    running.pair = (running.total, None)

    def add(x: Tensor) -> Tensor:
        running.total = running.total + x
        return running.total + running.pair[0]

    with pytest.raises(CompileError, match=r"running.total .*keep the value in a tensor"):
        compile(add)(jitnet.ones(2))
    assert running.total.tolist() == [1, 1]


def test_nor_state_that_is_returned() -> None:
    running = Running()

    def swap(x: Tensor) -> Tensor:
        before, running.total = running.total, running.total + x
        return before

    with pytest.raises(CompileError, match=r"running.total .*keep the value in a tensor"):
        compile(swap)(jitnet.ones(2))


def test_a_detached_tensor_is_state_whatever_it_was_detached_from() -> None:
    weight = jitnet.randn(3, requires_grad=True)
    made = weight * 2
    target = made.detach()
    assert compile(lambda x: x - target)(made.detach()).tolist() == [0, 0, 0]
    with pytest.raises(CompileError, match="with history"):
        compile(lambda x: (x - target) * made)(jitnet.ones(3))
