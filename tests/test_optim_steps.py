"""Optimizers: PyTorch's steps and state, and their own formulas and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.nn import epoch

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.05, "betas": (0.0, 0.9)}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.05, "centered": True, "eps": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "eps": 1e-3, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adadelta", {"lr": 1.0, "rho": 0.8, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("NAdam", {"lr": 0.05, "momentum_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.05, "weight_decay": 0.1, "t0": 2.0, "lambd": 0.01}),
    ("Rprop", {"lr": 0.05, "etas": (0.4, 1.3), "step_sizes": (1e-3, 0.1)}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.8), "decoupled_weight_decay": True}),
    (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1},
    ),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(OPTIMIZERS)]


def _problem(lib: Any, values: list[np.ndarray], dtype: Any) -> tuple[list[Any], Callable[[], Any]]:
    """Parameters and a loss whose gradients change with them."""
    params = [lib.tensor(value, dtype=dtype, requires_grad=True) for value in values]
    target = lib.tensor(np.linspace(-1.0, 2.0, 6).reshape(2, 3), dtype=dtype)

    def loss() -> Any:
        weight, bias, scale = params
        return ((weight + bias) * scale - target).tanh().pow(2).sum()

    return params, loss


VALUES = [
    np.random.default_rng(0).normal(size=(2, 3)),
    np.array([0.5, -0.5, 0.0]),
    np.array(1.5),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=IDS)
def test_steps_and_state_are_pytorchs(name: str, options: dict[str, Any], dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, loss = _problem(jitnet, VALUES, getattr(jitnet, dtype))
    theirs, their_loss = _problem(torch, VALUES, getattr(torch, dtype))
    mine = getattr(jitnet.optim, name)(ours, **options)
    other = getattr(torch.optim, name)(theirs, **options)
    close = {"rtol": 1e-4, "atol": 5e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 0.0}
    for _ in range(12):
        for optimizer, compute in ((mine, loss), (other, their_loss)):
            optimizer.zero_grad()
            compute().backward()
            optimizer.step()
    for param, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(param.detach().numpy(), expected.detach().numpy(), **close)
    state, expected_state = mine.state_dict(), other.state_dict()
    assert state["param_groups"] == expected_state["param_groups"]
    for number, entry in expected_state["state"].items():
        kept = {key: value for key, value in state["state"][number].items() if key != "started"}
        assert set(kept) == set(entry)
        for key, value in entry.items():
            assert str(kept[key].dtype).split(".")[1] == str(value.dtype).split(".")[1]
            np.testing.assert_allclose(kept[key].numpy(), value.numpy(), **close)


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=IDS)
def test_going_on_from_pytorchs_state(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    theirs, their_loss = _problem(torch, VALUES, torch.float64)
    other = getattr(torch.optim, name)(theirs, **options)
    for _ in range(3):
        other.zero_grad()
        their_loss().backward()
        other.step()
    ours, loss = _problem(
        jitnet, [param.detach().numpy().copy() for param in theirs], jitnet.float64
    )
    mine = getattr(jitnet.optim, name)(ours, **options)
    mine.load_state_dict(_from_torch(torch, other.state_dict()))
    for optimizer, compute in ((mine, loss), (other, their_loss)):
        optimizer.zero_grad()
        compute().backward()
        optimizer.step()
    for param, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(param.detach().numpy(), expected.detach().numpy(), rtol=1e-8)


def _from_torch(torch: Any, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return jitnet.from_numpy(value.detach().numpy().copy())
    if isinstance(value, dict):
        return {key: _from_torch(torch, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_torch(torch, item) for item in value]
    return value


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=IDS)
def test_loading_own_state_goes_on_exactly(name: str, options: dict[str, Any]) -> None:
    first, loss = _problem(jitnet, VALUES, jitnet.float32)
    optimizer = getattr(jitnet.optim, name)(first, **options)
    _steps(optimizer, loss, 3)
    second, again = _problem(jitnet, [param.detach().numpy() for param in first], jitnet.float32)
    other = getattr(jitnet.optim, name)(second, **options)
    other.load_state_dict(optimizer.state_dict())
    _steps(optimizer, loss, 3)
    _steps(other, again, 3)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def _steps(optimizer: jitnet.optim.Optimizer, loss: Callable[[], Any], count: int) -> None:
    for _ in range(count):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def _one_parameter() -> nn.Parameter:
    param = nn.Parameter(jitnet.tensor([1.0, -2.0]))
    param.grad = jitnet.tensor([0.5, 1.0])
    return param


def test_sgd_momentum_by_hand() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.SGD([param], lr=0.1, momentum=0.5)
    optimizer.step()
    np.testing.assert_allclose(param.tolist(), [0.95, -2.1], rtol=1e-6)
    optimizer.step()
    np.testing.assert_allclose(param.tolist(), [0.875, -2.25], rtol=1e-6)


def test_dampening_spares_the_first_step() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.SGD([param], lr=0.1, momentum=0.5, dampening=1.0)
    optimizer.step()
    np.testing.assert_allclose(param.tolist(), [0.95, -2.1], rtol=1e-6)
    optimizer.step()
    np.testing.assert_allclose(param.tolist(), [0.925, -2.15], rtol=1e-6)


def test_adam_first_step_is_the_learning_rate() -> None:
    param = _one_parameter()
    jitnet.optim.Adam([param], lr=0.1).step()
    np.testing.assert_allclose(param.tolist(), [0.9, -2.1], rtol=1e-6)


def test_the_parameter_keeps_its_memory_and_needs_no_gradient_mode() -> None:
    param = _one_parameter()
    memory = param.detach().numpy()
    jitnet.optim.AdamW([param]).step()
    assert memory[0] < 1.0
    assert param.requires_grad
    assert param.grad_fn is None


def test_parameters_without_gradients_are_left_alone() -> None:
    param, idle = _one_parameter(), nn.Parameter(jitnet.ones(1))
    optimizer = jitnet.optim.Adam([param, idle], lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert idle.tolist() == [1.0]
    assert idle not in optimizer.state
    assert list(optimizer.state_dict()["state"]) == [0]


def test_a_closure_runs_with_gradients() -> None:
    param = nn.Parameter(jitnet.tensor([3.0]))
    optimizer = jitnet.optim.SGD([param], lr=0.1)

    def closure() -> jitnet.Tensor:
        optimizer.zero_grad()
        loss = (param * param).sum()
        loss.backward()
        return loss

    with jitnet.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert param.item() == pytest.approx(2.4)


def test_zero_grad_drops_or_clears() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.SGD([param], lr=0.1)
    optimizer.zero_grad(set_to_none=False)
    assert param.grad is not None
    assert param.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert param.grad is None


def test_groups_have_options_of_their_own() -> None:
    a, b = _one_parameter(), _one_parameter()
    optimizer = jitnet.optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 1.0]
    optimizer.step()
    np.testing.assert_allclose(a.tolist(), [0.95, -2.1], rtol=1e-6)
    np.testing.assert_allclose(b.tolist(), [0.5, -3.0], rtol=1e-6)
    c = _one_parameter()
    optimizer.add_param_group({"params": [c], "momentum": 0.9})
    optimizer.step()
    assert "momentum_buffer" in optimizer.state[c]
    assert [group["params"] for group in optimizer.state_dict()["param_groups"]] == [[0], [1], [2]]


def test_the_learning_rate_may_change_and_may_be_a_tensor() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.SGD([param], lr=jitnet.tensor(0.1))
    optimizer.step()
    np.testing.assert_allclose(param.tolist(), [0.95, -2.1], rtol=1e-6)
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    np.testing.assert_allclose(param.tolist(), [0.95, -2.1], rtol=1e-6)


def test_hooks_around_a_step() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.SGD([param], lr=0.1)
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    handle = optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    optimizer.step()
    handle.remove()
    optimizer.step()
    assert seen == ["before", "after", "before"]


def test_state_is_loaded_in_place() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.Adam([param])
    optimizer.step()
    mean = optimizer.state[param]["exp_avg"]
    state = optimizer.state_dict()
    saved = {0: {key: value.clone() for key, value in state["state"][0].items()}}
    optimizer.step()
    optimizer.load_state_dict({"state": saved, "param_groups": state["param_groups"]})
    assert optimizer.state[param]["exp_avg"] is mean
    assert mean.tolist() == saved[0]["exp_avg"].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["param_groups"].append(s["param_groups"][0]), "has 2 parameter groups"),
        (lambda s: s["param_groups"][0]["params"].append(7), "has 2 parameters"),
        (lambda s: s["state"].update({5: {}}), "unknown parameters"),
        (lambda s: s["state"][0].update(exp_avg=jitnet.zeros(3)), "has shape"),
        (lambda s: s.pop("state"), "'state' and 'param_groups'"),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(
    change: Callable[[Any], Any], message: str
) -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.Adam([param], lr=0.1)
    optimizer.step()
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = 5.0
    change(state)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.state[param]["exp_avg"].shape == (2,)


def test_what_moves_the_epoch() -> None:
    param = _one_parameter()
    optimizer = jitnet.optim.SGD([param], lr=0.1, momentum=0.9)
    optimizer.step()
    before = epoch.current
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.2
    optimizer.zero_grad()
    assert epoch.current == before
    optimizer.param_groups[0]["nesterov"] = True
    assert epoch.current > before
    before = epoch.current
    optimizer.add_param_group({"params": [nn.Parameter(jitnet.ones(1))]})
    assert epoch.current > before


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: jitnet.optim.SGD([p], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda p: jitnet.optim.SGD([p], lr=float("nan")), ValueError, "learning rate"),
        (lambda p: jitnet.optim.SGD([p], lr="fast"), TypeError, "lr must be a number"),
        (lambda p: jitnet.optim.SGD([p], momentum=-1), ValueError, "Invalid momentum value"),
        (lambda p: jitnet.optim.SGD([p], nesterov=True), ValueError, "Nesterov"),
        (lambda p: jitnet.optim.SGD([p], speed=3), TypeError, "unexpected keyword"),
        (
            lambda p: jitnet.optim.Adam([p], betas=(1.0, 0.9)),
            ValueError,
            "beta parameter at index 0",
        ),
        (lambda p: jitnet.optim.Adam([p], eps=-1), ValueError, "Invalid eps value"),
        (lambda p: jitnet.optim.AdamW([p], weight_decay=-1), ValueError, "weight_decay"),
        (lambda p: jitnet.optim.SGD([{"params": [p], "lr": -1}]), ValueError, "learning rate"),
        (lambda p: jitnet.optim.SGD(p), TypeError, "put it into a list"),
        (lambda p: jitnet.optim.SGD([]), ValueError, "empty parameter list"),
        (lambda p: jitnet.optim.SGD([3]), TypeError, "update Tensors, got int"),
        (lambda p: jitnet.optim.SGD([p * 2]), ValueError, "result of a computation"),
        (lambda p: jitnet.optim.SGD([{"lr": 1}]), ValueError, "must have 'params'"),
        (lambda p: jitnet.optim.SGD([{"params": {p}}]), TypeError, "got a set"),
        (
            lambda p: jitnet.optim.SGD([{"params": [p]}, {"params": [p]}]),
            ValueError,
            "more than one parameter group",
        ),
        (lambda p: jitnet.optim.Optimizer([p], {}).step(), NotImplementedError, "must define"),
    ],
)
def test_wrong_options_are_refused(
    make: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(_one_parameter())


def test_duplicate_parameters_warn() -> None:
    param = _one_parameter()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        jitnet.optim.SGD([param, param])


def test_printing() -> None:
    text = repr(jitnet.optim.SGD([_one_parameter()], lr=0.1))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n")
    assert "    lr: 0.1\n" in text


def test_names_are_for_all_groups_or_for_none() -> None:
    a, b = _one_parameter(), _one_parameter()
    optimizer = jitnet.optim.SGD([("a", a)], lr=0.1)
    optimizer.add_param_group({"params": [("b", b)]})
    assert [group["param_names"] for group in optimizer.param_groups] == [["a"], ["b"]]
    with pytest.raises(ValueError, match="names to the parameters of all groups or of none"):
        optimizer.add_param_group({"params": [_one_parameter()]})
