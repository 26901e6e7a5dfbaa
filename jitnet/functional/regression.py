"""Losses of numbers and probabilities, element by element."""

from __future__ import annotations

from typing import Any

from ..errors import at_line
from ..tensor import Tensor
from . import arithmetic, choice, unary
from .arithmetic import add, div, mul, sub
from .choice import clamp, where
from .loss import _chosen, reduced
from .precision import autocast_widens, rounded_once
from .reduction import sum as total
from .unary import exp, log, log1p, neg

# -- numbers ------------------------------------------------------------------------------------


def _pair(name: str, input: Tensor, target: Tensor) -> None:
    if not isinstance(target, Tensor):
        raise TypeError(at_line(f"{name} wants a Tensor as target, got {type(target).__name__}"))


@autocast_widens
@rounded_once
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the squared differences."""
    _pair("mse_loss", input, target)
    away = sub(input, target)
    loss = mul(away, away)
    if weight is not None:
        loss = mul(loss, weight)
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the sizes of the differences."""
    _pair("l1_loss", input, target)
    return reduced(unary.abs(sub(input, target)), _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return squares of differences below beta, sizes above."""
    if beta < 0:
        raise RuntimeError(at_line(f"smooth_l1_loss wants beta >= 0, got {beta}"))
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    size = unary.abs(sub(input, target))
    loss = where(size < beta, div(mul(mul(size, size), 0.5), beta), sub(size, 0.5 * beta))
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return half squares of differences below delta, delta times sizes above."""
    if delta <= 0:
        raise RuntimeError(at_line(f"huber_loss wants delta > 0, got {delta}"))
    size = unary.abs(sub(input, target))
    loss = where(size <= delta, mul(mul(size, size), 0.5), mul(sub(size, 0.5 * delta), delta))
    return reduced(loss if weight is None else mul(loss, weight), reduction)


@autocast_widens
@rounded_once
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the cross entropy of probabilities; logarithms are kept above -100."""
    if input._type.shape != target._type.shape:
        raise ValueError(
            at_line(
                f"binary_cross_entropy wants equal shapes, got {list(target._type.shape)} (target) "
                f"and {list(input._type.shape)} (input)"
            )
        )
    hit = clamp(log(input), min=-100)
    miss = clamp(log1p(neg(input)), min=-100)
    loss = neg(add(mul(target, hit), mul(sub(1, target), miss)))
    if weight is not None:
        loss = mul(loss, weight)
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the cross entropy of sigmoid(input), without overflow."""
    if input._type.shape != target._type.shape:
        raise ValueError(
            at_line(
                f"Target size ({list(target._type.shape)}) must be the same as input size "
                f"({list(input._type.shape)})"
            )
        )
    tail = log1p(exp(neg(unary.abs(input))))
    logs = add(arithmetic.maximum(neg(input), 0), tail)  # -log(sigmoid(input))
    if pos_weight is None:
        loss = add(mul(sub(1, target), input), logs)
    else:
        factor = add(mul(sub(pos_weight, 1), target), 1)
        loss = add(mul(sub(1, target), input), mul(factor, logs))
    if weight is not None:
        loss = mul(loss, weight)
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return target * (log(target) - input), input being log probabilities."""
    if log_target:
        loss = mul(exp(target), sub(target, input))
    else:
        loss = sub(choice.xlogy(target, target), mul(target, input))
    if reduction == "batchmean":
        return div(total(loss), max(input._type.shape[0] if input.ndim else 1, 1))
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the loss of a Poisson distribution's rate (or its logarithm)."""
    if log_input:
        loss = sub(exp(input), mul(target, input))
    else:
        loss = sub(input, mul(target, log(add(input, eps))))
    if full:
        half = mul(log(mul(target, 2 * 3.141592653589793)), 0.5)
        stirling = add(sub(mul(target, log(target)), target), half)
        loss = add(loss, where(target > 1, stirling, 0.0))
    return reduced(loss, _chosen(reduction, size_average, reduce))


@rounded_once
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return the loss of a normal distribution's mean and variance."""
    if var.ndim == input.ndim - 1 and var.ndim:
        var = var.unsqueeze(-1)
    kept = where(var < eps, eps, var.detach()) - var.detach() + var
    away = sub(input, target)
    loss = mul(add(log(kept), div(mul(away, away), kept)), 0.5)
    if full:
        loss = add(loss, 0.5 * 1.8378770664093453)
    return reduced(loss, reduction)


@autocast_widens
@rounded_once
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return input where target is 1, max(0, margin - input) where it is -1, else their sum."""
    below = clamp(sub(margin, input), min=0)
    loss = add(where(target.eq(1), 0.0, below), where(target.eq(-1), 0.0, input))
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, -target * (input1 - input2) + margin)."""
    loss = clamp(add(mul(neg(target), sub(input1, input2)), margin), min=0)
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return log(1 + exp(-target * input))."""
    loss = log1p(exp(mul(neg(target), input)))
    return reduced(loss, _chosen(reduction, size_average, reduce))
