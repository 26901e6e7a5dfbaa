"""Adamax: Adam with the largest recent gradient in place of the mean square."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.functional import maximum
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_betas, check_learning_rate
from .decay import downhill
from .groups import ParamGroup
from .optimizer import Optimizer


class Adamax(Optimizer):
    """m = b1 m + (1 - b1) g;  u = max(b2 u, |g| + eps);  p -= lr / (1 - b1^step) * m / u.

    (Kingma and Ba, 2014.) foreach, capturable and differentiable are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        check_betas(group)
        at_least_zero(group, "eps", "weight_decay")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        return {
            "step": lambda: creation.zeros(()),
            "exp_avg": lambda: creation.zeros_like(param),
            "exp_inf": lambda: creation.zeros_like(param),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        beta1, beta2 = hyper(group, "betas", 0), hyper(group, "betas", 1)
        grad = downhill(param, grad, group)
        step, mean, largest = state["step"], state["exp_avg"], state["exp_inf"]
        step.add_(1)
        mean.add_((grad - mean) * (1 - beta1))
        largest.copy_(maximum(largest * beta2, grad.abs() + hyper(group, "eps")))
        rate = hyper(group, "lr") / (1 - beta1 ** step.to(float64))
        param.sub_(mean / largest * rate.to(param.dtype))
