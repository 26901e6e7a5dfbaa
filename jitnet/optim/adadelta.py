"""Adadelta: steps scaled by the running size of earlier steps over that of gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .decay import downhill
from .groups import ParamGroup
from .optimizer import Optimizer


class Adadelta(Optimizer):
    """v = rho v + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) * g;  p -= lr * d.

    u = rho u + (1 - rho) d^2 (Zeiler, 2012). foreach, capturable and differentiable are accepted
    and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "eps", "weight_decay", "rho")
        if group["rho"] > 1:
            raise ValueError(f"Invalid rho value: {group['rho']}; want 0 .. 1")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        return {
            "step": lambda: creation.zeros(()),
            "square_avg": lambda: creation.zeros_like(param),
            "acc_delta": lambda: creation.zeros_like(param),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        rho, eps = hyper(group, "rho"), hyper(group, "eps")
        grad = downhill(param, grad, group)
        state["step"].add_(1)
        square, earlier = state["square_avg"], state["acc_delta"]
        square.mul_(rho).add_(grad * grad * (1 - rho))
        delta = (earlier + eps).sqrt() / (square + eps).sqrt() * grad
        earlier.mul_(rho).add_(delta * delta * (1 - rho))
        param.sub_(delta * hyper(group, "lr"))
