"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .decay import downhill
from .groups import ParamGroup
from .optimizer import Optimizer


class Adagrad(Optimizer):
    """s = s + g^2;  p -= lr / (1 + (step - 1) lr_decay) * g / (sqrt(s) + eps).

    (Duchi et al., 2011.) foreach, differentiable and fused are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                self._state_of(param, group)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        start = group["initial_accumulator_value"]
        return {
            "step": lambda: creation.zeros(()),
            "sum": lambda: creation.full_like(param, start),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        grad = downhill(param, grad, group)
        step, total = state["step"], state["sum"]
        step.add_(1)
        slowed = 1 + (step.to(float64) - 1) * hyper(group, "lr_decay")
        rate = (hyper(group, "lr") / slowed).to(param.dtype)
        total.add_(grad * grad)
        param.sub_(grad / (total.sqrt() + hyper(group, "eps")) * rate)
