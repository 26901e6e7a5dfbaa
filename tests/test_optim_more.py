"""Muon, LBFGS and averaged models, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.optim import swa_utils


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.0}]
)
@pytest.mark.parametrize("shape", [(5, 3), (3, 6)])
def test_muon(shape: tuple[int, int], options: dict[str, Any], compiled: bool, torch: Any) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    p, q = jitnet.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ours = jitnet.optim.Muon([p], lr=0.1, **options)
    theirs = torch.optim.Muon([q], lr=0.1, **options)

    def step() -> None:
        (p * p * p).sum().backward()
        ours.step()
        ours.zero_grad()

    run = jitnet.compile(step) if compiled else step
    for _ in range(3):
        run()
        (q * q * q).sum().backward()
        theirs.step()
        theirs.zero_grad()
    # bfloat16 rounds at other places: three digits
    np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=0.02, atol=0.02)
    with pytest.raises(ValueError, match=r"2D parameters .* \(3,\)"):
        jitnet.optim.Muon([jitnet.zeros(3, requires_grad=True)])


def _rosenbrock(lib: Any) -> tuple[Any, Any]:
    x = lib.tensor([-1.2, 1.0, 0.7], dtype=lib.float64, requires_grad=True)
    y = lib.tensor([[0.5, -0.3]], dtype=lib.float64, requires_grad=True)

    def loss() -> Any:
        valley = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        return valley + ((y - x[:2]) ** 4).sum()

    return (x, y), loss


@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 7},
        {"lr": 0.001, "max_iter": 9},
        {"lr": 0.01, "max_iter": 4, "history_size": 3},
    ],
)
def test_lbfgs(options: dict[str, Any], torch: Any) -> None:
    found = []
    for lib in (jitnet, torch):
        params, loss = _rosenbrock(lib)
        optimizer = lib.optim.LBFGS(params, **options)

        def closure(loss: Callable[[], Any] = loss, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        values = [optimizer.step(closure).item() for _ in range(4)]
        found.append((values, [param.detach().numpy() for param in params]))
        assert values[-1] < values[0]
    (mine, ours), (other, theirs) = found
    np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-10)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_lbfgs_calls_a_compiled_closure_and_is_refused_inside_one() -> None:
    x = jitnet.tensor([2.0, -3.0], requires_grad=True)
    optimizer = jitnet.optim.LBFGS([x], line_search_fn="strong_wolfe")

    @jitnet.compile
    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((x - 1) ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(x.detach().numpy(), 1.0, atol=1e-4)
    with pytest.raises(jitnet.CompileError, match="call it outside"):
        jitnet.compile(lambda: optimizer.step(closure))()
    with pytest.raises(RuntimeError, match="only 'strong_wolfe'"):
        jitnet.optim.LBFGS([x], line_search_fn="armijo")


@pytest.mark.parametrize("rule", ["swa", "ema"])
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averaged_models(rule: str, use_buffers: bool, torch: Any) -> None:
    from torch.optim import swa_utils as oracle

    models = [
        lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.BatchNorm1d(2)) for lib in (jitnet, torch)
    ]
    state = models[1].state_dict()
    models[0].load_state_dict({key: jitnet.tensor(value.numpy()) for key, value in state.items()})
    rules = [getattr(lib, f"get_{rule}_avg_fn")() for lib in (swa_utils, oracle)]
    averages = [
        lib.AveragedModel(model, avg_fn=average, use_buffers=use_buffers)
        for lib, model, average in zip((swa_utils, oracle), models, rules, strict=True)
    ]
    data = np.random.default_rng(0).normal(size=(4, 8, 3)).astype(np.float32)
    for batch in data:
        for lib, model, average in zip((jitnet, torch), models, averages, strict=True):
            model(lib.tensor(batch))
            with lib.no_grad():
                for param in model.parameters():
                    param.add_(0.1)
            average.update_parameters(model)
    batches = [[lib.tensor(batch) for batch in data] for lib in (jitnet, torch)]
    swa_utils.update_bn(batches[0], averages[0])
    oracle.update_bn(batches[1], averages[1])
    mine, theirs = (average.state_dict() for average in averages)
    assert sorted(mine) == sorted(theirs)
    for key, value in theirs.items():
        np.testing.assert_allclose(mine[key].numpy(), value.numpy(), rtol=1e-4, atol=1e-6)
    assert isinstance(averages[0], nn.Module)


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")
@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 3, "anneal_strategy": "linear"}])
def test_rates_of_averaging(options: dict[str, Any], torch: Any) -> None:
    found = []
    for lib in (jitnet, torch):
        optimizer = lib.optim.SGD([lib.ones(1, requires_grad=True)], lr=0.3)
        schedule = lib.optim.swa_utils.SWALR(optimizer, swa_lr=0.05, **options)
        rates = []
        for _ in range(13):
            rates.append(optimizer.param_groups[0]["lr"])
            schedule.step()
        found.append(rates)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
