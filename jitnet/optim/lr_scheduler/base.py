"""The base of schedules that know the rate of each epoch from its number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from ..optimizer import Optimizer


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Set a group's learning rate; a Tensor rate is overwritten in place."""
    if isinstance(group["lr"], Tensor):
        with no_grad():
            group["lr"].fill_(rate)
        return
    group["lr"] = rate


def as_number(rate: Any) -> Any:
    """Return a learning rate as a Python float."""
    return rate.item() if isinstance(rate, Tensor) else rate


def need_optimizer(optimizer: Any) -> None:
    """Raise TypeError for what is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a schedule wants an Optimizer, got {type(optimizer).__name__}")


class LRScheduler:
    """Set every group's "lr" at each `step()`; a subclass defines `get_lr`.

    last_epoch: -1 to begin; else the number of the epoch after which training goes on.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        need_optimizer(optimizer)
        self.optimizer = optimizer
        self.base_lrs = [self._initial(group, last_epoch) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    @staticmethod
    def _initial(group: dict[str, Any], last_epoch: int) -> float:
        """Return the rate that the schedule starts from, kept in the group as "initial_lr"."""
        if last_epoch == -1:
            group.setdefault("initial_lr", as_number(group["lr"]))
        elif "initial_lr" not in group:
            raise KeyError(
                "to go on with a schedule (last_epoch other than -1) every parameter group needs "
                "'initial_lr'; load the optimizer's state_dict first"
            )
        return float(group["initial_lr"])

    def get_lr(self) -> list[float]:
        """Return each group's rate for epoch `last_epoch`."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr")

    def get_last_lr(self) -> list[float]:
        """Return each group's rate as last set."""
        return list(self._last_lr)

    def step(self) -> None:
        """Go to the next epoch."""
        self.last_epoch += 1
        self._set(self.get_lr())

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = [as_number(group["lr"]) for group in self.optimizer.param_groups]

    def _rates(self) -> list[float]:
        """Return each group's rate as it is now."""
        return [as_number(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return all of the schedule's state but its optimizer."""
        return {key: value for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state of a state_dict."""
        vars(self).update(state_dict)
