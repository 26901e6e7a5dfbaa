"""SGD: stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper, switch
from jitnet.functional import where
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .decay import downhill
from .groups import ParamGroup
from .optimizer import Optimizer


class SGD(Optimizer):
    """b = momentum * b + (1 - dampening) * g;  p -= lr * b  (nesterov: lr * (g + momentum * b)).

    g is the gradient plus weight_decay * p (minus the gradient with maximize); the first step sets
    b = g. foreach, differentiable and fused are accepted and change nothing: a compiled step fuses
    by itself.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        if not switch(group, "momentum"):
            return {}
        made = {"momentum_buffer": lambda: creation.zeros_like(param)}
        if switch(group, "dampening"):
            # The first step is not damped; a buffer that exists already has had its first step.
            had_one = float(self.state[param].get("momentum_buffer") is not None)
            made["started"] = lambda: creation.tensor(had_one)
        return made

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        grad = downhill(param, grad, group)
        if switch(group, "momentum"):
            grad = self._with_momentum(grad, state, group)
        param.sub_(grad * hyper(group, "lr"))

    def _with_momentum(self, grad: Tensor, state: Mapping[str, Any], group: ParamGroup) -> Tensor:
        """Return the direction of the step, the momentum buffer updated."""
        buffer: Tensor = state["momentum_buffer"]
        momentum = hyper(group, "momentum")
        if switch(group, "dampening"):
            started: Tensor = state["started"]
            blended = buffer * momentum + grad * (1 - hyper(group, "dampening"))
            buffer.copy_(where(started > 0, blended, grad))
            started.fill_(1.0)
        else:
            buffer.mul_(momentum).add_(grad)
        return grad + buffer * momentum if group["nesterov"] else buffer
