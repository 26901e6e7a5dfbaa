"""RAdam: Adam that waits with its scaling until the mean square can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.functional import where
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_betas, check_learning_rate
from .decay import downhill_or_shrunk
from .groups import ParamGroup
from .optimizer import Optimizer


class RAdam(Optimizer):
    """Adam, its scaling rectified by how many steps the mean square stands for (Liu et al., 2019).

    In the first steps, while that is 5 or fewer, the plain mean of gradients is used. foreach,
    capturable and differentiable are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
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
            "exp_avg_sq": lambda: creation.zeros_like(param),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        rate = hyper(group, "lr")
        beta1, beta2 = hyper(group, "betas", 0), hyper(group, "betas", 1)
        grad = downhill_or_shrunk(param, grad, group)

        step, mean, square = state["step"], state["exp_avg"], state["exp_avg_sq"]
        step.add_(1)
        mean.add_((grad - mean) * (1 - beta1))
        square.mul_(beta2).add_(grad * grad * (1 - beta2))

        count = step.to(float64)
        power = beta2**count
        most = 2 / (1 - beta2) - 1
        length = most - 2 * count * power / (1 - power)  # how many steps the mean square stands for
        trusted = length > 5
        safe = where(trusted, length, 6.0)
        share = (safe - 4) * (safe - 2) * most / ((most - 4) * (most - 2) * safe)
        rectified = ((1 - power) * share).sqrt().to(param.dtype)
        step_size = (rate / (1 - beta1**count)).to(param.dtype)
        scale = where(trusted, rectified / (square.sqrt() + hyper(group, "eps")), 1.0)
        param.sub_(mean * step_size * scale)
