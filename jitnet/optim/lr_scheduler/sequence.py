"""Schedules made of schedules: one after another, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, as_number, need_optimizer, set_rate


class _Schedules:
    """What both have: schedules that are saved and loaded together."""

    _schedulers: list[Any]
    _last_lr: list[float]
    optimizer: Optimizer

    def get_last_lr(self) -> list[float]:
        """Return each group's rate as last set."""
        return list(self._last_lr)

    def _note(self) -> None:
        self._last_lr = [as_number(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of this schedule and, as "_schedulers", of its parts."""
        hidden = ("optimizer", "_schedulers")
        own = {key: value for key, value in vars(self).items() if key not in hidden}
        return {**own, "_schedulers": [part.state_dict() for part in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state of a state_dict."""
        parts = state_dict["_schedulers"]
        if len(parts) != len(self._schedulers):
            raise ValueError(f"expected {len(self._schedulers)} schedules, got {len(parts)}")
        own = {key: value for key, value in state_dict.items() if key != "_schedulers"}
        vars(self).update(own)
        for part, saved in zip(self._schedulers, parts, strict=True):
            part.load_state_dict(saved)


class SequentialLR(_Schedules):
    """The first schedule until the first milestone, the second until the second, and so on."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        need_optimizer(optimizer)
        if not schedulers:
            raise ValueError("SequentialLR wants at least one schedule")
        if any(part.optimizer is not optimizer for part in schedulers):
            raise ValueError("all schedules must be of the optimizer that is given")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{len(schedulers)} schedules want {len(schedulers) - 1} milestones, "
                f"got {len(milestones)}"
            )
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        # Every schedule made its first step when it was made: go back, then make the first's only.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        for part in self._schedulers:
            part.last_epoch -= 1
        self._schedulers[0].step()
        self._note()

    def step(self) -> None:
        """Go to the next epoch."""
        self.last_epoch += 1
        position = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[position]
        if position > 0 and self._milestones[position - 1] == self.last_epoch:
            part.last_epoch = -1
            for group in self.optimizer.param_groups:
                set_rate(group, group["initial_lr"])
        part.step()
        self._note()


class ChainedScheduler(_Schedules):
    """All schedules at every step, each changing the rate that the one before it set."""

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler wants at least one schedule")
        optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        if any(part.optimizer is not optimizer for part in schedulers):
            raise ValueError("all schedules must be of the same optimizer")
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self._note()

    def step(self) -> None:
        """Make a step of every schedule."""
        for part in self._schedulers:
            part.step()
        self._note()
