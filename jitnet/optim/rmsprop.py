"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper, switch
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .decay import downhill
from .groups import ParamGroup
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """v = alpha v + (1 - alpha) g^2;  p -= lr * g / (sqrt(v) + eps)  (Hinton, 2012).

    centered subtracts the square of the mean gradient from v; momentum accumulates the steps.
    foreach, capturable and differentiable are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "eps", "momentum", "weight_decay", "alpha")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        names = ["square_avg"]
        if switch(group, "momentum"):
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        made: dict[str, Callable[[], Tensor]] = {"step": lambda: creation.zeros(())}
        made.update({name: lambda: creation.zeros_like(param) for name in names})
        return made

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        alpha = hyper(group, "alpha")
        grad = downhill(param, grad, group)
        state["step"].add_(1)
        square = state["square_avg"]
        square.mul_(alpha).add_(grad * grad * (1 - alpha))
        variance = square
        if group["centered"]:
            mean = state["grad_avg"]
            mean.add_((grad - mean) * (1 - alpha))
            variance = square - mean * mean
        direction = grad / (variance.sqrt() + hyper(group, "eps"))
        if switch(group, "momentum"):
            buffer = state["momentum_buffer"]
            direction = buffer.mul_(hyper(group, "momentum")).add_(direction)
        param.sub_(direction * hyper(group, "lr"))
