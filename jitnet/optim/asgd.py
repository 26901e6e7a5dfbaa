"""ASGD: gradient descent whose average over the steps is kept beside the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.functional import where
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .decay import downhill
from .groups import ParamGroup
from .optimizer import Optimizer


class ASGD(Optimizer):
    """p = p (1 - lambd eta) - eta g;  ax += (p - ax) mu;  eta = lr / (1 + lambd lr t)^alpha.

    mu = 1 / max(1, t - t0): from step t0 on, `ax` in the state is the average (Polyak and
    Juditsky, 1992). foreach, differentiable and capturable are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "weight_decay")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        rate = group["lr"]
        return {
            "step": lambda: creation.zeros(()),
            "eta": lambda: creation.full((), float(rate)),
            "mu": lambda: creation.ones(()),
            "ax": lambda: creation.zeros_like(param),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        grad = downhill(param, grad, group)
        step, eta, mu, average = state["step"], state["eta"], state["mu"], state["ax"]
        step.add_(1)
        rate, lambd = hyper(group, "lr"), hyper(group, "lambd")
        moving = eta.to(param.dtype)
        param.copy_(param * (1 - lambd * moving) - grad * moving)
        weight = mu.to(param.dtype)
        average.copy_(where(weight == 1, param, average + (param - average) * weight))
        count = step.to(float64)
        eta.copy_(rate / (1 + lambd * rate * count) ** hyper(group, "alpha"))
        mu.copy_(1 / (count - hyper(group, "t0")).clamp(min=1))
