"""Losses, with PyTorch's names, defaults and reductions."""

from __future__ import annotations

from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import int64

from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from . import arithmetic
from .activation import log_softmax
from .arithmetic import add, clamp, div, exp, log, log1p, mul, neg, sub, where
from .promote import to_dtype
from .reduction import mean
from .reduction import sum as total


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """Return the loss as its mean, its sum or as it is."""
    if reduction == "mean":
        return mean(loss)
    if reduction == "sum":
        return total(loss)
    if reduction == "none":
        return loss
    raise ValueError(at_line(f"reduction is 'mean', 'sum' or 'none', got {reduction!r}"))


def _chosen(reduction: str, size_average: Any, reduce: Any) -> str:
    """Return the reduction that PyTorch's older arguments mean."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


# -- classes ------------------------------------------------------------------------------------


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of logits [N, C, ...] (or [C]) and classes, or probabilities.

    Classes are whole numbers [N, ...]; probabilities have the logits' shape.
    """
    reduction = _chosen(reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            at_line(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
        )
    dim = 0 if input.ndim == 1 else 1
    if input.ndim == 0:
        raise ShapeError(at_line("cross_entropy wants logits of at least 1 dim [C], got a scalar"))
    if target._type.shape == input._type.shape and target._type.dtype.kind == "float":
        return _soft(input, target, weight, reduction, label_smoothing, dim)
    logs = log_softmax(input, dim)
    hard = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return hard
    smooth = _smooth(logs, target, weight, ignore_index, reduction, dim)
    classes = input._type.shape[dim]
    return add(mul(hard, 1 - label_smoothing), mul(smooth, label_smoothing / classes))


def _class_weight(weight: Tensor, rank: int, dim: int, classes: int) -> Tensor:
    if weight._type.shape != (classes,):
        raise ShapeError(
            at_line(
                f"weight tensor should be defined for all {classes} classes, got {weight._type}"
            )
        )
    return weight.reshape(*(classes if axis == dim else 1 for axis in range(rank)))


def _soft(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float, dim: int
) -> Tensor:
    """Return the cross entropy of logits and class probabilities."""
    classes = x._type.shape[dim]
    if smoothing:
        target = add(mul(target, 1 - smoothing), smoothing / classes)
    terms = mul(log_softmax(x, dim), target)
    if weight is not None:
        terms = mul(terms, _class_weight(weight, x.ndim, dim, classes))
    loss = neg(total(terms, dim))
    if reduction == "mean":
        return div(total(loss), max(x._type.numel // max(classes, 1), 1))
    return reduced(loss, reduction)


def _smooth(
    logs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    dim: int,
) -> Tensor:
    """Return the part of the loss that label smoothing spreads over all classes."""
    spread = logs
    if weight is not None:
        spread = mul(logs, _class_weight(weight, logs.ndim, dim, logs._type.shape[dim]))
    loss = neg(total(spread, dim))
    used = target.ne(ignore_index)
    loss = where(used, loss, 0.0)
    if reduction != "mean":
        return reduced(loss, reduction)
    counted = to_dtype(used, logs._type.dtype)
    if weight is not None:
        safe = where(used, target, 0)
        counted = mul(counted, weight[safe])
    return div(total(loss), total(counted))


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return minus the log probability [N, C, ...] (or [C]) of each class in target [N, ...]."""
    reduction = _chosen(reduction, size_average, reduce)
    dim = 0 if input.ndim == 1 else 1
    _check_target(input, target, dim)
    used = target.ne(ignore_index)
    safe = where(used, target, 0)
    picked = neg(_at_class(input, safe, dim))
    if weight is None:
        loss = where(used, picked, 0.0)
        if reduction != "mean":
            return reduced(loss, reduction)
        return div(total(loss), to_dtype(total(used), input._type.dtype))
    _class_weight(weight, input.ndim, dim, input._type.shape[dim])
    each = where(used, weight[safe], 0.0)
    loss = mul(where(used, picked, 0.0), each)
    return div(total(loss), total(each)) if reduction == "mean" else reduced(loss, reduction)


def _at_class(logs: Tensor, target: Tensor, dim: int) -> Tensor:
    """Return the element of each row that target names."""
    try:
        return ops.pick(logs, to_dtype(target, int64), axis=dim)
    except IndexError as error:
        found = str(error).split()[1]
        raise IndexError(
            at_line(f"Target {found} is out of bounds: there are {logs._type.shape[dim]} classes")
        ) from None


def _check_target(x: Tensor, target: Tensor, dim: int) -> None:
    if target._type.dtype.kind not in ("int", "uint"):
        raise DTypeError(
            at_line(
                f"the target wants whole numbers (classes), got {target._type}; use .long(), or "
                "give cross_entropy probabilities of the logits' shape"
            )
        )
    shape = x._type.shape
    wanted = shape[:dim] + shape[dim + 1 :]
    if target._type.shape != wanted:
        raise ShapeError(
            at_line(
                f"Expected target size {list(wanted)}, got {list(target._type.shape)} for input "
                f"{x._type}"
            )
        )


# -- numbers ------------------------------------------------------------------------------------


def _pair(name: str, input: Tensor, target: Tensor) -> None:
    if not isinstance(target, Tensor):
        raise TypeError(at_line(f"{name} wants a Tensor as target, got {type(target).__name__}"))


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


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the sizes of the differences."""
    _pair("l1_loss", input, target)
    return reduced(arithmetic.abs(sub(input, target)), _chosen(reduction, size_average, reduce))


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
    size = arithmetic.abs(sub(input, target))
    loss = where(size < beta, div(mul(mul(size, size), 0.5), beta), sub(size, 0.5 * beta))
    return reduced(loss, _chosen(reduction, size_average, reduce))


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
    size = arithmetic.abs(sub(input, target))
    loss = where(size <= delta, mul(mul(size, size), 0.5), mul(sub(size, 0.5 * delta), delta))
    return reduced(loss if weight is None else mul(loss, weight), reduction)


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
    tail = log1p(exp(neg(arithmetic.abs(input))))
    logs = add(arithmetic.maximum(neg(input), 0), tail)  # -log(sigmoid(input))
    if pos_weight is None:
        loss = add(mul(sub(1, target), input), logs)
    else:
        factor = add(mul(sub(pos_weight, 1), target), 1)
        loss = add(mul(sub(1, target), input), mul(factor, logs))
    if weight is not None:
        loss = mul(loss, weight)
    return reduced(loss, _chosen(reduction, size_average, reduce))


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
        loss = sub(arithmetic.xlogy(target, target), mul(target, input))
    if reduction == "batchmean":
        return div(total(loss), max(input._type.shape[0] if input.ndim else 1, 1))
    return reduced(loss, _chosen(reduction, size_average, reduce))


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


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return input where target is 1 and max(0, margin - input) where it is -1."""
    below = clamp(sub(margin, input), min=0)
    loss = where(target.eq(1), input, where(target.eq(-1), below, 0.0))
    return reduced(loss, _chosen(reduction, size_average, reduce))


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


# -- vectors ------------------------------------------------------------------------------------


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between vectors along dim."""
    product = total(mul(x1, x2), dim)
    first = clamp(total(mul(x1, x1), dim), min=eps * eps)
    second = clamp(total(mul(x2, x2), dim), min=eps * eps)
    return div(product, arithmetic.sqrt(mul(first, second)))


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return 1 - cos where target is 1 and max(0, cos - margin) where it is -1."""
    cosine = cosine_similarity(input1, input2, dim=-1)
    away = clamp(sub(cosine, margin), min=0)
    loss = where(target.eq(1), sub(1, cosine), away)
    return reduced(loss, _chosen(reduction, size_average, reduce))


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of the differences along the last dim."""
    from .reduction import norm

    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, distance to positive - distance to negative + margin)."""
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = arithmetic.minimum(far, pairwise_distance(positive, negative, p, eps))
    loss = clamp(add(sub(near, far), margin), min=0)
    return reduced(loss, _chosen(reduction, size_average, reduce))
