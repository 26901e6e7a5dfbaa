"""Learning-rate schedules: PyTorch's rates at every epoch, and saved state."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import jitnet
from jitnet import nn

SCHEDULES: list[Callable[[Any, Any], Any]] = [
    lambda s, o: s.StepLR(o, step_size=3, gamma=0.5),
    lambda s, o: s.MultiStepLR(o, milestones=[2, 5, 5], gamma=0.1),
    lambda s, o: s.ExponentialLR(o, gamma=0.9),
    lambda s, o: s.ConstantLR(o, factor=0.5, total_iters=4),
    lambda s, o: s.LinearLR(o, start_factor=0.25, total_iters=5),
    lambda s, o: s.PolynomialLR(o, total_iters=6, power=2.0),
    lambda s, o: s.CosineAnnealingLR(o, T_max=4, eta_min=0.01),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3),
    lambda s, o: s.LambdaLR(o, lr_lambda=lambda epoch: 0.95**epoch),
    lambda s, o: s.MultiplicativeLR(o, lr_lambda=[lambda epoch: 0.9, lambda epoch: 0.8]),
    lambda s, o: s.OneCycleLR(o, max_lr=1.0, total_steps=12),
    lambda s, o: s.OneCycleLR(
        o,
        max_lr=[1.0, 0.5],
        epochs=3,
        steps_per_epoch=4,
        anneal_strategy="linear",
        three_phase=True,
    ),
    lambda s, o: s.CyclicLR(o, base_lr=0.1, max_lr=1.0, step_size_up=3),
    lambda s, o: s.CyclicLR(
        o, base_lr=[0.1, 0.2], max_lr=0.5, step_size_up=2, step_size_down=3, mode="triangular2"
    ),
    lambda s, o: s.CyclicLR(o, 0.1, 1.0, 2, mode="exp_range", gamma=0.9, cycle_momentum=False),
    lambda s, o: s.CyclicLR(o, 0.1, 1.0, 2, scale_fn=lambda x: 0.8**x, scale_mode="iterations"),
    lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, start_factor=0.5, total_iters=3), s.ExponentialLR(o, gamma=0.8)],
        milestones=[4],
    ),
    lambda s, o: s.ChainedScheduler([s.StepLR(o, 3), s.ExponentialLR(o, gamma=0.9)]),
]


def _ours(name: str = "SGD") -> jitnet.optim.Optimizer:
    params = [nn.Parameter(jitnet.ones(1)) for _ in range(2)]
    groups = [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.3}]
    options = {"momentum": 0.9} if name == "SGD" else {}
    return getattr(jitnet.optim, name)(groups, lr=0.1, **options)  # type: ignore[no-any-return]


def _rates(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*epoch parameter.*:UserWarning")
@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("make", SCHEDULES)
def test_rates_are_pytorchs(make: Callable[[Any, Any], Any], name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    params = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    options = {"momentum": 0.9} if name == "SGD" else {}
    theirs = getattr(torch.optim, name)(
        [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.3}], lr=0.1, **options
    )
    ours = _ours(name)
    mine, other = make(jitnet.optim.lr_scheduler, ours), make(torch.optim.lr_scheduler, theirs)
    for _ in range(11):
        assert _rates(ours) == pytest.approx(_rates(theirs), rel=1e-9, abs=1e-15)
        assert mine.get_last_lr() == pytest.approx([float(r) for r in other.get_last_lr()])
        for key in ("momentum", "betas"):
            if key in ours.param_groups[0]:
                expected = theirs.param_groups[0][key]
                assert ours.param_groups[0][key] == pytest.approx(expected, rel=1e-9)
        theirs.step()
        mine.step()
        other.step()


@pytest.mark.parametrize("make", SCHEDULES)
def test_saved_schedules_go_on(make: Callable[[Any, Any], Any]) -> None:
    first = _ours()
    schedule = make(jitnet.optim.lr_scheduler, first)
    for _ in range(4):
        schedule.step()
    second = _ours()
    other = make(jitnet.optim.lr_scheduler, second)
    other.load_state_dict(schedule.state_dict())
    second.load_state_dict(first.state_dict())
    json.dumps(schedule.state_dict())
    for _ in range(4):
        schedule.step()
        other.step()
        assert _rates(first) == _rates(second)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"mode": "max", "patience": 0, "factor": 0.5, "cooldown": 1},
        {"threshold_mode": "abs", "threshold": 0.2, "patience": 1, "min_lr": 0.05},
    ],
)
def test_plateau_is_pytorchs(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    ours = jitnet.optim.SGD([nn.Parameter(jitnet.ones(1))], lr=0.1)
    mine = jitnet.optim.lr_scheduler.ReduceLROnPlateau(ours, **options)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for metric in (1.0, 0.9, 0.95, 0.93, 0.92, 0.91, 0.5, 0.6, 0.7, 0.8):
        mine.step(jitnet.tensor(metric))
        other.step(metric)
        assert _rates(ours) == pytest.approx(_rates(theirs))
        assert mine.num_bad_epochs == other.num_bad_epochs


def test_a_tensor_rate_is_overwritten_in_place() -> None:
    rate = jitnet.tensor(0.1, dtype=jitnet.float64)
    optimizer = jitnet.optim.SGD([nn.Parameter(jitnet.ones(1))], lr=rate)
    schedule = jitnet.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.05)
    assert schedule.get_last_lr() == pytest.approx([0.05])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda s, o: s.StepLR(3, 1), TypeError, "wants an Optimizer"),
        (lambda s, o: s.StepLR(o, 0), ValueError, "step_size must be positive"),
        (lambda s, o: s.LambdaLR(o, [lambda epoch: 1.0]), ValueError, "expected 2 functions"),
        (lambda s, o: s.StepLR(o, 1, last_epoch=3), KeyError, "initial_lr"),
        (lambda s, o: s.OneCycleLR(o, 1.0), ValueError, "give total_steps"),
        (lambda s, o: s.OneCycleLR(o, 1.0, 10, pct_start=2), ValueError, "between 0 and 1"),
        (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "below 1"),
        (lambda s, o: s.ReduceLROnPlateau(o, mode="best"), ValueError, "'min' or 'max'"),
        (lambda s, o: s.LinearLR(o, start_factor=0.0), ValueError, "start_factor"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0"),
        (lambda s, o: s.SequentialLR(o, [], []), ValueError, "at least one"),
        (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]), ValueError, "want 0 milestones"),
    ],
)
def test_wrong_settings_are_refused(
    make: Callable[[Any, Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(jitnet.optim.lr_scheduler, _ours())


def test_one_cycle_ends() -> None:
    optimizer = _ours()
    schedule = jitnet.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="made for 3 steps"):
        schedule.step()
