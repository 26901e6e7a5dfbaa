"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.functional import maximum
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_betas, check_learning_rate
from .decay import downhill_or_shrunk
from .groups import ParamGroup
from .optimizer import Optimizer


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr * m' / (sqrt(v') + eps).

    m' and v' are divided by 1 - b^step (Kingma and Ba, 2014); amsgrad takes the largest v so far
    (Reddi et al., 2018); decoupled_weight_decay shrinks the parameter instead of adding to g, which
    is AdamW. foreach, capturable, differentiable and fused are accepted and change nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        check_betas(group)
        at_least_zero(group, "eps", "weight_decay")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        made = {
            "step": lambda: creation.zeros(()),
            "exp_avg": lambda: creation.zeros_like(param),
            "exp_avg_sq": lambda: creation.zeros_like(param),
        }
        if group["amsgrad"]:
            made["max_exp_avg_sq"] = lambda: creation.zeros_like(param)
        return made

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
        if group["amsgrad"]:
            state["max_exp_avg_sq"].copy_(maximum(state["max_exp_avg_sq"], square))
            square = state["max_exp_avg_sq"]

        # The corrections are float64 scalars: 1 - b^step has few digits left in float32.
        count = step.to(float64)
        step_size = (rate / (1 - beta1**count)).to(param.dtype)
        root = (1 - beta2**count).sqrt().to(param.dtype)
        param.sub_(mean / (square.sqrt() / root + hyper(group, "eps")) * step_size)


class AdamW(Adam):
    """Adam with decoupled weight decay: p shrinks by lr * weight_decay (Loshchilov 2017)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
