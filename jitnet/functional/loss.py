"""Losses of classes: cross entropy and the negative log likelihood."""

from __future__ import annotations

from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import int64

from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .activation import log_softmax
from .arithmetic import add, div, mul
from .choice import where
from .linear_algebra import linear
from .precision import autocast_widens, rounded_once
from .promote import to_dtype
from .reduction import mean
from .reduction import sum as total
from .unary import neg


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


@autocast_widens
@rounded_once
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
    if target.ndim == input.ndim and target._type.dtype.kind == "float":
        if target._type.shape != input._type.shape:
            raise ShapeError(
                at_line(f"cross_entropy wants probabilities like {input._type}, got {target._type}")
            )
        if ignore_index >= 0:
            raise RuntimeError(at_line("ignore_index is not supported for floating point target"))
        return _soft(input, target, weight, reduction, label_smoothing, dim)
    logs = log_softmax(input, dim)
    hard = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return hard
    smooth = _smooth(logs, target, weight, ignore_index, reduction, dim)
    classes = input._type.shape[dim]
    return add(mul(hard, 1 - label_smoothing), mul(smooth, label_smoothing / classes))


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Return the cross entropy of input @ linear_weight^T + linear_bias and targets.

    Shapes: input [N, F] or [F]; linear_weight [C, ..., F] and linear_bias [C, ...] for targets
    [N, ...] of C classes. options, by which PyTorch saves memory, change nothing.
    """
    classes, *places = linear_weight._type.shape[:-1]
    if input.ndim not in (1, 2) or (places and input.ndim != 2):
        raise ShapeError(
            at_line(f"linear_cross_entropy wants rows [N, F], got {input._type} for {places}")
        )
    flat = linear_weight.flatten(0, -2)
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = linear(input, flat, bias).reshape(*input._type.shape[:-1], classes, *places)
    if ignore_index is not None and target._type.shape == logits._type.shape:
        raise RuntimeError(
            at_line("ignore_index cannot be specified when target contains probabilities")
        )
    return cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def _class_weight(weight: Tensor, rank: int, dim: int, classes: int) -> Tensor:
    if weight._type.shape != (classes,):
        raise ShapeError(
            at_line(
                f"weight tensor should be defined for all {classes} classes, got {weight._type}"
            )
        )
    return weight.reshape(*(classes if axis == dim else 1 for axis in range(rank)))  # type: ignore[no-any-return]


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
        return div(total(loss), x._type.numel // max(classes, 1))
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


@autocast_widens
@rounded_once
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
