"""What a compiled function computes of its state alone is computed once, and never stale."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn, optim
from jitnet.compile import CompiledFunction, compile
from jitnet.runtime import layout, routine
from jitnet.runtime.holders import Writes
from jitnet.tensor import Tensor


@pytest.fixture(params=["native", "python"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry out calls one way or the other."""
    if request.param == "python":
        monkeypatch.setattr(routine, "LAYOUT_KNOWN", False)
    elif not layout.LAYOUT_KNOWN:
        pytest.skip("this Python lays objects out in a way that is not known")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Writes]:
    """Return what grows by one entry each time that something is made of state."""
    found: list[Writes] = []
    read = Writes.read

    def noted(self: Writes, reader: Callable[[], None]) -> None:
        read(self, reader)
        found.append(self)

    monkeypatch.setattr(Writes, "read", noted)
    return found


def network() -> nn.Module:
    jitnet.manual_seed(0)
    layers = (nn.Conv2d(16, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 32, 3))
    return nn.Sequential(*layers).eval()


def image() -> Tensor:
    return jitnet.arange(16 * 16 * 16).reshape(1, 16, 16, 16).sin()


def compiled(model: nn.Module) -> CompiledFunction:
    return compile(lambda x: model(x))


def check(fn: Callable[..., Any], model: nn.Module) -> None:
    """Assert that a compiled model gives what the model gives now, twice."""
    with jitnet.no_grad():
        want = model(image()).numpy()
        for _ in range(2):
            np.testing.assert_allclose(fn(image()).numpy(), want, 1e-4, 1e-5 * np.abs(want).max())


def test_made_once(made: list[Writes]) -> None:
    model = network()
    fn = compiled(model)
    for _ in range(3):
        check(fn, model)
    assert len(made) == 1


def test_shown_apart() -> None:
    model = network()
    fn = compiled(model)
    check(fn, model)
    once, always = fn.dump("graph").split("==== in every call ====")
    assert "rsqrt" in once and "rsqrt" not in always
    assert "winograd_kernels" in once and "kept kept0" in always
    assert "once and after a write into what they read" in fn.explain()


def test_nothing_is_kept_of_what_calls_do_not_differ_in(made: list[Writes]) -> None:
    weight = jitnet.ones(64, 64)
    fn = compile(lambda: (weight * 2 + 1).sqrt())
    fn()
    weight.mul_(4)
    assert fn()[0, 0].item() == 3 and not made


def test_nor_of_what_is_trained(made: list[Writes]) -> None:
    model = network()
    fn = compiled(model)
    fn(image()).sum().backward()
    assert not made and model[3].weight.grad is not None


def test_what_is_kept_and_is_part_of_a_concatenation_that_is_kept() -> None:
    """Both are made once; the part has memory of its own."""
    state = jitnet.arange(12.0).reshape(4, 3)

    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        part = state[:2] * 0.9 + state[2:]
        whole = jitnet.cat([part, state[2:]])
        return x @ part.T, (whole.T @ whole) @ x.T

    compiled, x = compile(function), jitnet.ones(2, 3)
    for _ in range(2):
        for found, wanted in zip(compiled(x), function(x), strict=True):
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), 1e-5)
        state.add_(1)


def test_what_is_kept_is_copied_into_a_concatenation() -> None:
    jitnet.manual_seed(0)
    weight, x = jitnet.randn(8, 8), jitnet.randn(3, 8)

    def joined(x: Tensor) -> Tensor:
        return jitnet.cat([weight[:4] @ weight, x @ weight, weight[:2]])

    fn = compile(joined)
    for _ in range(2):
        np.testing.assert_allclose(fn(x).numpy(), joined(x).numpy(), 1e-5, 1e-5)
        weight.mul_(1.5)


def scale_(model: Any) -> None:
    model[3].weight.mul_(2)


def write_a_view(model: Any) -> None:
    model[3].weight[3:5, :, 1] = 7


def write_data(model: Any) -> None:
    model[3].weight.data.mul_(3)


def set_data(model: Any) -> None:
    model[3].weight.data = jitnet.ones(32, 64, 3, 3)


def copy_into(model: Any) -> None:
    model[1].running_var.copy_(jitnet.full((64,), 9.0))


def swap_data(model: Any) -> None:
    first, other = model[3].weight, jitnet.full((32, 64, 3, 3), 0.5)
    first.data, other.data = other.data, first.data


def load(model: Any) -> None:
    state = {name: value.detach() * 2 for name, value in model.state_dict().items()}
    model.load_state_dict(state)


def replace(model: Any) -> None:
    model[3].weight = nn.Parameter(jitnet.ones(32, 64, 3, 3))


def convert(model: Any) -> None:
    model.double().mul = None
    model.double()
    model[3].weight.add_(1)
    model.float()


def train_a_step(model: Any) -> None:
    with jitnet.enable_grad():
        optimizer = optim.SGD(model.parameters(), lr=0.5)
        model(image()).sum().backward()
        optimizer.step()


def train_compiled(model: Any) -> None:
    optimizer = optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    with jitnet.enable_grad():
        step(image())


def write_compiled(model: Any) -> None:
    compile(lambda: model[3].weight.data.add_(1))()


CHANGES = (
    scale_, write_a_view, write_data, set_data, copy_into, swap_data, load, replace, convert,
    train_a_step, train_compiled, write_compiled,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_never_stale(change: Callable[[Any], None]) -> None:
    model = network()
    fn = compiled(model)
    check(fn, model)
    before = model(image()).detach().clone()
    with jitnet.no_grad():
        change(model)
    check(fn, model)
    assert (model(image()) - before).abs().max().item() > 1e-2  # else this test could not fail


def test_memory_that_others_have_is_read_in_every_call(made: list[Writes]) -> None:
    model = network()
    fn = compiled(model)
    check(fn, model)
    given = model[3].weight.detach().numpy()
    for _ in range(3):
        given *= 2
        check(fn, model)
    assert len(made) == 7


@pytest.mark.parametrize("borrow", [jitnet.from_numpy, jitnet.from_dlpack])
def test_so_is_memory_that_is_borrowed(borrow: Callable[[Any], Tensor]) -> None:
    theirs = np.ones((32, 64, 3, 3), np.float32)
    model = network()
    model[3].weight.data = borrow(theirs)
    fn = compiled(model)
    for _ in range(3):
        theirs *= 2
        check(fn, model)


def test_two_functions_keep_their_own() -> None:
    model = network()
    one, other = compiled(model), compiled(model)
    check(one, model)
    with jitnet.no_grad():
        model[3].weight.mul_(2)
    check(other, model)
    check(one, model)


def test_what_failed_to_be_made_is_made_again() -> None:
    table, places = jitnet.arange(8.0), jitnet.tensor([1, 9])
    fn = compile(lambda x: x + table[places].exp())
    for _ in range(2):
        with pytest.raises(IndexError, match="9"):
            fn(jitnet.ones(2))
    places[1] = 2
    np.testing.assert_allclose(fn(jitnet.zeros(2)).numpy(), np.exp([1, 2]).astype(np.float32))


def test_threads_that_write_and_call() -> None:
    model = network()
    fn = compiled(model)
    check(fn, model)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with jitnet.no_grad():
                for _ in range(20):
                    model[3].weight.mul_(2 if number % 2 else 0.5)
                    fn(image())
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    check(fn, model)
