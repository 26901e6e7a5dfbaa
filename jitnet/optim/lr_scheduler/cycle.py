"""OneCycleLR: up, down, and further down, while momentum does the reverse (Smith, Topin, 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, need_optimizer, set_rate


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _linear(start: float, end: float, share: float) -> float:
    return (end - start) * share + start


ANNEAL: dict[str, Callable[[float, float, float], float]] = {"cos": _cosine, "linear": _linear}


def for_groups(optimizer: Optimizer, name: str, value: Any) -> list[float]:
    """Return an option's value for each group: the same, or one of a list each."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ValueError(f"expected {count} values for {name}, got {len(values)}")
    return values


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Set a group's momentum, or its first beta."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def prepare_momentum(optimizer: Optimizer, base: Any, high: Any, last_epoch: int) -> None:
    """Note between which values momentum goes, and begin at the highest."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError("the optimizer has neither momentum nor betas: pass cycle_momentum=False")
    if last_epoch != -1:
        return
    bases = for_groups(optimizer, "base_momentum", base)
    highs = for_groups(optimizer, "max_momentum", high)
    for group, low, top in zip(optimizer.param_groups, bases, highs, strict=True):
        group["base_momentum"] = low
        group["max_momentum"] = top
        set_momentum(group, top)


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down to that start / final_div_factor.

    Call `step()` after every batch; give total_steps, or epochs and steps_per_epoch. Momentum (or
    Adam's first beta) goes from max_momentum to base_momentum and back if cycle_momentum.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        need_optimizer(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start must be between 0 and 1, got {pct_start}")
        if anneal_strategy not in ANNEAL:
            raise ValueError(
                f"anneal_strategy must be one of {sorted(ANNEAL)}, got {anneal_strategy!r}"
            )
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self._phases = self._make_phases(pct_start, three_phase)
        self.optimizer = optimizer
        if last_epoch == -1:
            self._prepare(max_lr, div_factor, final_div_factor)
        if cycle_momentum:
            prepare_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _make_phases(self, pct_start: float, three_phase: bool) -> list[tuple[float, str, str]]:
        """Return (last step, from, to) of each phase; "initial", "max" and "min" are rates."""
        up = float(pct_start * self.total_steps) - 1
        end = float(self.total_steps - 1)
        if not three_phase:
            return [(up, "initial", "max"), (end, "max", "min")]
        down = float(2 * pct_start * self.total_steps) - 2
        return [(up, "initial", "max"), (down, "max", "initial"), (end, "initial", "min")]

    def _prepare(self, max_lr: Any, div_factor: float, final_div_factor: float) -> None:
        for group, rate in zip(
            self.optimizer.param_groups, for_groups(self.optimizer, "max_lr", max_lr), strict=True
        ):
            group["initial_lr"] = rate / div_factor
            group["max_lr"] = rate
            group["min_lr"] = group["initial_lr"] / final_div_factor
            set_rate(group, group["initial_lr"])

    def _anneal(self, ends: dict[str, float]) -> float:
        """Return the value of this step, `ends` naming the values between which phases go."""
        step = float(self.last_epoch)
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR was made for {self.total_steps} steps, this is step {step:.0f}"
            )
        start = 0.0
        for position, (end, low, high) in enumerate(self._phases):
            if step <= end or position == len(self._phases) - 1:
                share = (step - start) / (end - start)
                return ANNEAL[self.anneal_strategy](ends[low], ends[high], share)
            start = end
        raise AssertionError("the last phase takes every step")

    def get_lr(self) -> list[float]:
        """Return each group's rate, and set its momentum."""
        rates = []
        for group in self.optimizer.param_groups:
            ends = {name: group[f"{name}_lr"] for name in ("initial", "max", "min")}
            rates.append(self._anneal(ends))
            if self.cycle_momentum:
                high, low = group["max_momentum"], group["base_momentum"]
                momentum = self._anneal({"initial": high, "max": low, "min": high})
                set_momentum(group, momentum)
        return rates


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ValueError("give total_steps, or both epochs and steps_per_epoch")
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if value <= 0 or not isinstance(value, int):
                raise ValueError(f"{name} must be a positive int, got {value}")
        return epochs * steps_per_epoch
    if total_steps <= 0 or not isinstance(total_steps, int):
        raise ValueError(f"total_steps must be a positive int, got {total_steps}")
    return total_steps
