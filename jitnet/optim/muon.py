"""Muon: momentum whose matrices are made orthogonal before the step (Jordan et al., 2024)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import creation
from jitnet.capture import hyper
from jitnet.runtime.dtype import bfloat16
from jitnet.tensor import Tensor

from .checks import at_least_zero, check_learning_rate
from .groups import ParamGroup
from .optimizer import Optimizer

_RATES: dict[str | None, Callable[[int, int], float]] = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class Muon(Optimizer):
    """b += (g - b)(1 - momentum);  p -= lr ratio orthogonal(b), for matrices only.

    orthogonal: ns_steps of Newton-Schulz in bfloat16, as PyTorch computes it. Give vectors and
    embeddings to another optimizer.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        check_learning_rate(group)
        at_least_zero(group, "momentum", "weight_decay")
        if group["adjust_lr_fn"] not in _RATES:
            raise ValueError(
                f"Adjust learning rate function {group['adjust_lr_fn']} is not supported"
            )
        for param in group["params"]:
            if param.dim() != 2:
                raise ValueError(
                    "Muon only supports 2D parameters whereas we found a parameter with size: "
                    f"{tuple(param.shape)}"
                )

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        return {"momentum_buffer": lambda: creation.zeros_like(param)}

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        buffer, momentum = state["momentum_buffer"], hyper(group, "momentum")
        buffer.add_((grad - buffer) * (1 - momentum))
        update = grad + (buffer - grad) * momentum if group["nesterov"] else buffer
        update = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rate = hyper(group, "lr")
        ratio = _RATES[group["adjust_lr_fn"]](*param.shape)
        kept = param * (1 - rate * hyper(group, "weight_decay"))
        param.copy_(kept - update.to(param.dtype) * (rate * ratio))


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return about U V^T of the singular value decomposition U S V^T, in bfloat16."""
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.to(bfloat16)
    x = x.mT if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = x.addmm(gram.addmm(gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x  # type: ignore[no-any-return]
