"""Optimizers inside compiled steps: the eager steps, no recompiling for rates, never stale code."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import functional as F

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("Adam", {"lr": 0.02, "amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.02}),
    ("RMSprop", {"lr": 0.02, "centered": True, "eps": 0.1, "momentum": 0.9}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("Adadelta", {}),
    ("Adamax", {"lr": 0.02}),
    ("NAdam", {"lr": 0.02}),
    ("RAdam", {"lr": 0.02, "betas": (0.5, 0.8)}),
    ("ASGD", {"lr": 0.05, "t0": 1.0}),
    ("Rprop", {"lr": 0.01}),
    ("Adafactor", {"lr": 0.02, "d": 2.0, "weight_decay": 0.01}),
]
Change = Callable[[jitnet.optim.Optimizer], Any]


class Pair:
    """The same model and optimizer twice: one is stepped eagerly, one compiled."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        jitnet.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
        self.models = [model, copy.deepcopy(model)]
        make = getattr(jitnet.optim, name)
        self.optimizers = [make(model.parameters(), **options) for model in self.models]
        steps = [_step_of(*parts) for parts in zip(self.models, self.optimizers, strict=True)]
        self.compiled = jitnet.compile(steps[1])
        self.steps = [steps[0], self.compiled]
        self.random = np.random.default_rng(0)

    def run(self, count: int) -> None:
        """Make steps of both on the same batches, and compare the losses."""
        for _ in range(count):
            x = jitnet.tensor(self.random.normal(size=(6, 5)).astype(np.float32))
            y = jitnet.tensor(self.random.integers(0, 3, size=6))
            losses = [step(x, y).item() for step in self.steps]
            assert losses[0] == pytest.approx(losses[1], rel=1e-5)

    def change(self, change: Change) -> None:
        """Change both optimizers in the same way."""
        for optimizer in self.optimizers:
            change(optimizer)

    def compare(self) -> None:
        """Compare parameters and optimizer state."""
        for ours, theirs in zip(*(model.parameters() for model in self.models), strict=True):
            np.testing.assert_allclose(
                ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-5
            )
        states = [optimizer.state_dict()["state"] for optimizer in self.optimizers]
        assert states[0].keys() == states[1].keys()
        for number, entry in states[0].items():
            assert entry.keys() == states[1][number].keys()
            for name, value in entry.items():
                np.testing.assert_allclose(
                    value.numpy(), states[1][number][name].numpy(), rtol=1e-4, atol=1e-5
                )


def _step_of(model: nn.Module, optimizer: jitnet.optim.Optimizer) -> Any:
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_compiled_steps_are_the_eager_ones(name: str, options: dict[str, Any]) -> None:
    pair = Pair(name, options)
    pair.run(8)
    pair.compare()
    assert len(pair.compiled.variants) == 1


def test_state_made_before_compiling_is_gone_on_with() -> None:
    pair = Pair("Adam", {"lr": 0.02})
    pair.steps[1] = pair.compiled.__wrapped__
    pair.run(3)
    pair.steps[1] = pair.compiled
    pair.run(3)
    pair.compare()
    assert pair.optimizers[1].state_dict()["state"][0]["step"].item() == 6


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_schedules_never_recompile(name: str) -> None:
    options = {"momentum": 0.9} if name == "SGD" else {}
    pair = Pair(name, {"lr": 0.01, **options})
    schedules = [
        jitnet.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
        for optimizer in pair.optimizers
    ]
    for _ in range(8):
        pair.run(1)
        for schedule in schedules:
            schedule.step()
    pair.compare()
    assert len(pair.compiled.variants) == 1


def _set(**options: Any) -> Change:
    return lambda optimizer: optimizer.param_groups[0].update(options)


@pytest.mark.parametrize(
    ("name", "options", "change", "variants"),
    [
        ("SGD", {"lr": 0.1, "weight_decay": 0.1}, _set(weight_decay=0.5), 1),
        ("SGD", {"lr": 0.1}, _set(weight_decay=0.5), 2),
        ("SGD", {"lr": 0.1}, _set(momentum=0.9), 2),
        ("SGD", {"lr": 0.1, "momentum": 0.9}, _set(momentum=0.5), 1),
        ("SGD", {"lr": 0.1, "momentum": 0.9}, _set(nesterov=True), 2),
        ("SGD", {"lr": 0.1, "momentum": 0.9}, _set(maximize=True), 2),
        ("SGD", {"lr": 0.1, "momentum": 0.9}, _set(dampening=0.5), 2),
        ("Adam", {"lr": 0.01}, _set(betas=(0.5, 0.6), eps=1e-2), 1),
        ("Adam", {"lr": 0.01}, _set(amsgrad=True), 2),
        ("Adam", {"lr": 0.01, "weight_decay": 0.1}, _set(decoupled_weight_decay=True), 2),
    ],
)
def test_a_changed_option_never_replays_stale_code(
    name: str, options: dict[str, Any], change: Change, variants: int
) -> None:
    pair = Pair(name, options)
    pair.run(3)
    pair.change(change)
    pair.run(3)
    pair.compare()
    assert len(pair.compiled.variants) == variants


def test_a_loaded_state_is_what_the_next_step_uses() -> None:
    pair = Pair("Adam", {"lr": 0.02})
    pair.run(2)
    saved = copy.deepcopy(pair.optimizers[0].state_dict())
    pair.run(2)
    pair.change(lambda optimizer: optimizer.load_state_dict(saved))
    pair.run(2)
    pair.compare()
    assert len(pair.compiled.variants) == 1


def test_cleared_state_starts_anew() -> None:
    pair = Pair("Adam", {"lr": 0.02})
    pair.run(2)
    pair.change(lambda optimizer: optimizer.state.clear())
    pair.run(2)
    pair.compare()
    assert pair.optimizers[1].state_dict()["state"][0]["step"].item() == 2


def test_a_group_added_later_is_updated() -> None:
    pair = Pair("SGD", {"lr": 0.1})
    pair.run(2)
    for model, optimizer in zip(pair.models, pair.optimizers, strict=True):
        model[1] = nn.PReLU(7)
        optimizer.add_param_group({"params": model[1].parameters(), "lr": 0.5})
    pair.run(3)
    pair.compare()
    assert pair.models[1][1].weight.tolist() != [0.25] * 7


def test_clipping_inside_the_step() -> None:
    pair = Pair("SGD", {"lr": 0.5})
    for number, (model, optimizer) in enumerate(zip(pair.models, pair.optimizers, strict=True)):

        def step(
            x: Tensor,
            y: Tensor,
            model: nn.Module = model,
            optimizer: jitnet.optim.Optimizer = optimizer,
        ) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return loss

        pair.steps[number] = jitnet.compile(step) if number else step
    pair.run(4)
    pair.compare()


def test_batch_norm_statistics_move_in_a_compiled_step() -> None:
    for momentum in (0.1, None):
        jitnet.manual_seed(0)
        eager = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=momentum))
        compiled = copy.deepcopy(eager)
        mean = compiled[1].running_mean
        forward = jitnet.compile(lambda x, model=compiled: model(x))
        for _ in range(3):
            x = jitnet.randn(5, 3)
            np.testing.assert_allclose(
                eager(x).detach().numpy(), forward(x).detach().numpy(), rtol=1e-4, atol=1e-5
            )
        assert compiled[1].running_mean is mean
        assert compiled[1].num_batches_tracked.item() == 3
        np.testing.assert_allclose(mean.numpy(), eager[1].running_mean.numpy(), rtol=1e-5)
