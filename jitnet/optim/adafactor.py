"""Adafactor: Adam with second moments kept as one row and one column of each matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper, switch
from jitnet.limits import finfo
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .groups import ParamGroup
from .optimizer import Optimizer


class Adafactor(Optimizer):
    """p -= alpha g / sqrt(r c / mean(r)), r and c moving means of g^2 over rows and columns.

    alpha: lr (at most 1 / sqrt(step)) times the root mean square of p; a step's own root mean
    square is kept below d (Shazeer and Stern, 2018). foreach is accepted and changes nothing.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "weight_decay")
        for number, eps in enumerate(group["eps"], start=1):
            if eps is not None and not eps >= 0.0:
                raise ValueError(f"epsilon{number} should be >= 0 but is: {eps}")
        if group["beta2_decay"] > 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {group['beta2_decay']}")
        if group["d"] < 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {group['d']}")

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        shape = tuple(param.shape)
        made: dict[str, Callable[[], Tensor]] = {"step": lambda: creation.zeros(())}
        if len(shape) < 2:
            made["variance"] = lambda: creation.zeros_like(param)
            return made
        made["row_var"] = lambda: creation.zeros(*shape[:-1], 1, dtype=param.dtype)
        made["col_var"] = lambda: creation.zeros(*shape[:-2], 1, shape[-1], dtype=param.dtype)
        return made

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        if group["maximize"]:
            grad = -grad
        step = state["step"]
        step.add_(1)
        floor, least = group["eps"]
        floor = finfo(param.dtype).eps if floor is None else floor
        count = step.to(float64)
        weight = (count ** group["beta2_decay"]).to(param.dtype)
        rate = hyper(group, "lr")
        bounded = (1 / count.sqrt()).clamp(max=rate).to(param.dtype)
        alpha = _size(param).clamp(min=least) * bounded
        if switch(group, "weight_decay"):
            param.mul_(1 - rate * hyper(group, "weight_decay"))
        guess = _variance(grad, state, weight, floor)
        update = guess.clamp(min=floor * floor).rsqrt() * grad
        param.sub_(update * (alpha / (_size(update) / group["d"]).clamp(min=1.0)))


def _size(x: Tensor) -> Tensor:
    """Return the root mean square of all elements."""
    return x.norm() / x.numel() ** 0.5  # type: ignore[no-any-return]


def _variance(grad: Tensor, state: Mapping[str, Any], weight: Tensor, floor: float) -> Tensor:
    """Move the means of squares towards those of grad, and return what they say of each element."""
    square = grad * grad
    if "variance" in state:
        held = state["variance"]
        held.add_((square - held) * weight)
        return held.clone()  # type: ignore[no-any-return]
    rows, columns = state["row_var"], state["col_var"]
    rows.add_((square.mean(-1, keepdim=True) - rows) * weight)
    columns.add_((square.mean(-2, keepdim=True) - columns) * weight)
    return (rows * columns) / rows.mean(-2, keepdim=True).clamp(min=floor)
