"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_betas, check_learning_rate
from .decay import downhill_or_shrunk
from .groups import ParamGroup
from .optimizer import Optimizer


class NAdam(Optimizer):
    """Adam whose step mixes the next mean with the gradient (Dozat, 2016).

    The mixing weight of step t is b1 * (1 - 0.96^(t momentum_decay) / 2). foreach, capturable and
    differentiable are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        check_betas(group)
        at_least_zero(group, "eps", "weight_decay", "momentum_decay")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        return {
            "step": lambda: creation.zeros(()),
            "mu_product": lambda: creation.ones(()),
            "exp_avg": lambda: creation.zeros_like(param),
            "exp_avg_sq": lambda: creation.zeros_like(param),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        rate, decay = hyper(group, "lr"), hyper(group, "momentum_decay")
        beta1, beta2 = hyper(group, "betas", 0), hyper(group, "betas", 1)
        grad = downhill_or_shrunk(param, grad, group)

        step, mean, square = state["step"], state["exp_avg"], state["exp_avg_sq"]
        step.add_(1)
        count = step.to(float64)
        mix = beta1 * (1 - 0.5 * 0.96 ** (count * decay))
        next_mix = beta1 * (1 - 0.5 * 0.96 ** ((count + 1) * decay))
        kept = state["mu_product"]
        kept.mul_(mix.to(kept.dtype))
        product = kept.to(float64)
        mean.add_((grad - mean) * (1 - beta1))
        square.mul_(beta2).add_(grad * grad * (1 - beta2))

        correction = (1 - beta2**count).to(param.dtype)
        spread = (square / correction).sqrt() + hyper(group, "eps")
        of_grad = (rate * (1 - mix) / (1 - product)).to(param.dtype)
        of_mean = (rate * next_mix / (1 - product * next_mix)).to(param.dtype)
        param.sub_((grad * of_grad + mean * of_mean) / spread)
