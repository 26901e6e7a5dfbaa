"""SparseAdam: Adam for tables of which a step reads few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.functional import where
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_betas, check_learning_rate
from .groups import ParamGroup
from .optimizer import Optimizer


class SparseAdam(Optimizer):
    """Adam that moves, and whose means move, only in rows whose gradient is not zero.

    PyTorch's takes the rows that a sparse gradient names. Gradients are dense here.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize}
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        check_betas(group)
        at_least_zero(group, "eps")

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
        if group["maximize"]:
            grad = -grad
        others = tuple(range(1, param.dim()))
        read = (grad != 0).any(dim=others, keepdim=True) if others else grad != 0
        step, mean, square = state["step"], state["exp_avg"], state["exp_avg_sq"]
        step.add_(1)
        mean.copy_(where(read, mean + (grad - mean) * (1 - beta1), mean))
        square.copy_(where(read, square + (grad * grad - square) * (1 - beta2), square))

        # The corrections are float64 scalars: 1 - b^step has few digits left in float32.
        count = step.to(float64)
        size = (rate * (1 - beta2**count).sqrt() / (1 - beta1**count)).to(param.dtype)
        param.copy_(where(read, param - size * mean / (square.sqrt() + hyper(group, "eps")), param))
