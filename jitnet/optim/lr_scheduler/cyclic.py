"""CyclicLR: up and down between two rates, again and again (Smith, WACV 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, need_optimizer, set_rate
from .cycle import for_groups, prepare_momentum, set_momentum


class CyclicLR(LRScheduler):
    """From base_lr to max_lr in step_size_up steps and back in step_size_down.

    mode: "triangular", "triangular2" (each cycle half as high) or "exp_range" (gamma ** step as
    high); or scale_fn, of the cycle's number or the step's (scale_mode). Momentum, or Adam's first
    beta, does the reverse if cycle_momentum. Call `step()` after every batch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        need_optimizer(optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"mode {mode!r} is invalid and scale_fn is None")
        self.optimizer = optimizer
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        by_step = mode == "exp_range" and scale_fn is None
        self.scale_mode = "iterations" if by_step else scale_mode
        self.cycle_momentum = cycle_momentum
        bases = for_groups(optimizer, "base_lr", base_lr)
        self.max_lrs = for_groups(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, bases, strict=True):
                set_rate(group, rate)
        if cycle_momentum:
            prepare_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        self._bases = bases
        super().__init__(optimizer, last_epoch)
        self.base_lrs = bases

    def _height(self, cycle: int) -> float:
        """Return how high this cycle, or step, goes."""
        x = cycle if self.scale_mode == "cycle" else self.last_epoch
        if self.scale_fn is not None:
            return self.scale_fn(x)
        heights = {"triangular": 1.0, "triangular2": 0.5 ** (x - 1)}
        return heights[self.mode] if self.mode in heights else self.gamma**x

    def get_lr(self) -> list[float]:
        """Return each group's rate, and set its momentum."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = self.step_ratio
        share = (x / up if x <= up else (x - 1) / (up - 1)) * self._height(cycle)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                high, low = group["max_momentum"], group["base_momentum"]
                set_momentum(group, high - (high - low) * share)
        return [
            low + (high - low) * share for low, high in zip(self._bases, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return all of the schedule's state but its optimizer and scale_fn."""
        return {key: value for key, value in super().state_dict().items() if key != "scale_fn"}
