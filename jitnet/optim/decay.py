"""Which way is down: the gradient with its sign, and with weight decay."""

from __future__ import annotations

from jitnet.capture import hyper, switch
from jitnet.tensor import Tensor

from .groups import ParamGroup


def downhill(param: Tensor, grad: Tensor, group: ParamGroup) -> Tensor:
    """Return what to go against: grad, turned round to maximize, plus weight_decay * param."""
    if group["maximize"]:
        grad = -grad
    if switch(group, "weight_decay"):
        grad = grad + param * hyper(group, "weight_decay")
    return grad


def downhill_or_shrunk(param: Tensor, grad: Tensor, group: ParamGroup) -> Tensor:
    """Return what `downhill` does, or shrink param instead of adding to its gradient.

    That is decoupled_weight_decay (Loshchilov and Hutter, 2017).
    """
    if not group["decoupled_weight_decay"]:
        return downhill(param, grad, group)
    if switch(group, "weight_decay"):
        param.mul_(1 - hyper(group, "lr") * hyper(group, "weight_decay"))
    return -grad if group["maximize"] else grad
