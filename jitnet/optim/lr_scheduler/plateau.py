"""ReduceLROnPlateau: a lower rate when a metric stops getting better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..optimizer import Optimizer
from .base import as_number, need_optimizer, set_rate


class ReduceLROnPlateau:
    """The rate times factor after `patience` epochs without progress; call `step(metric)`.

    mode: "min" if a smaller metric is better, "max" if a larger one. threshold: what counts as
    progress, as a share ("rel") or an amount ("abs"). cooldown: epochs to wait after a reduction.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        need_optimizer(optimizer)
        if factor >= 1.0:
            raise ValueError(f"factor must be below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
        count = len(optimizer.param_groups)
        least = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * count
        if len(least) != count:
            raise ValueError(f"expected {count} values for min_lr, got {len(least)}")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = least
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = [as_number(group["lr"]) for group in optimizer.param_groups]
        self.best = math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self._reset()

    def _reset(self) -> None:
        """Forget the best metric and the epochs counted."""
        self.best = math.inf if self.mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction was so recent that bad epochs do not count."""
        return self.cooldown_counter > 0

    def get_last_lr(self) -> list[float]:
        """Return each group's rate as last seen."""
        return list(self._last_lr)

    def step(self, metrics: Any) -> None:
        """Take the metric of one more epoch."""
        current = float(metrics)
        self.last_epoch += 1
        if self.is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [as_number(group["lr"]) for group in self.optimizer.param_groups]

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = as_number(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_rate(group, new)

    def is_better(self, a: float, best: float) -> bool:
        """Whether metric `a` is progress over `best`."""
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            mark = best * (1.0 + sign * self.threshold)
        else:
            mark = best + sign * self.threshold
        return a < mark if self.mode == "min" else a > mark

    def state_dict(self) -> dict[str, Any]:
        """Return all of the schedule's state but its optimizer."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state of a state_dict."""
        vars(self).update(state_dict)
