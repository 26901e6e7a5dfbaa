"""Rprop: steps of a size of their own, which grow while a gradient keeps its sign."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.functional import where
from jitnet.tensor import Tensor

from .checks import check_learning_rate
from .groups import ParamGroup
from .optimizer import Optimizer


class Rprop(Optimizer):
    """size *= etas[1] where g keeps its sign, etas[0] where it changed it;  p -= sign(g) size.

    Where the sign changed, p stays for a step (Riedmiller and Braun, 1993). step_sizes: the least
    and the largest size. foreach, differentiable and capturable are accepted.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        if not 0.0 < group["etas"][0] < 1.0 < group["etas"][1]:
            raise ValueError(f"Invalid eta values: {group['etas']}; want 0 < etas[0] < 1 < etas[1]")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        rate = group["lr"]
        return {
            "step": lambda: creation.zeros(()),
            "prev": lambda: creation.zeros_like(param),
            "step_size": lambda: creation.full_like(param, float(rate)),
        }

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        if group["maximize"]:
            grad = -grad
        shrink, grow = group["etas"]
        least, most = group["step_sizes"]
        state["step"].add_(1)
        agreement = grad * state["prev"]
        size = state["step_size"]
        moved = where(agreement > 0, size * grow, where(agreement < 0, size * shrink, size))
        size.copy_(moved.clamp(least, most))
        kept = where(agreement < 0, 0.0, grad)
        param.sub_(kept.sign() * size)
        state["prev"].copy_(kept)
