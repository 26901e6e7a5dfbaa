"""Losses that want a class's score, or an example's distance, ahead of the others by a margin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from . import arithmetic
from .activation import logsigmoid
from .arithmetic import add, mul, sub
from .choice import clamp, where
from .distance import pairwise_distance
from .indexing import gather
from .loss import _chosen, reduced
from .precision import autocast_widens, rounded_once
from .reduction import mean
from .reduction import sum as total
from .unary import neg


def _rows(name: str, input: Tensor, target: Tensor, per_row: int) -> tuple[Tensor, Tensor]:
    """Return scores [N, C] and whole-numbered targets of per_row dims more than none."""
    if input.ndim == 0:
        return _rows(name, input.reshape(1), target.reshape(1) if per_row else target, per_row)
    if input.ndim > 2 or not input._type.numel:
        raise ShapeError(at_line(f"{name} wants scores [N, C] or [C], got {input._type}"))
    if target._type.dtype.kind not in ("int", "uint"):
        raise DTypeError(at_line(f"{name} wants whole numbers as target, got {target._type}"))
    wanted = input._type.shape if per_row else input._type.shape[:-1]
    if target._type.shape != wanted and not (input.ndim == 1 and target._type.shape == (1,)):
        raise ShapeError(
            at_line(f"{name} wants a target {list(wanted)} for {input._type}, got {target._type}")
        )
    x = input if input.ndim == 2 else input.unsqueeze(0)
    return x, target.reshape(x._type.shape if per_row else (x._type.shape[0],))


@autocast_widens
@rounded_once
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return sum over i != y of max(0, margin - x[y] + x[i]) ** p / C, for each row."""
    if p not in (1, 2):
        raise ValueError(at_line(f"multi_margin_loss wants p 1 or 2, got {p}"))
    x, classes = _rows("multi_margin_loss", input, target, 0)
    count = x._type.shape[1]
    if weight is not None and weight._type.shape != (count,):
        raise ShapeError(at_line(f"weight wants [{count}], one a class, got {weight._type}"))
    own = classes.unsqueeze(1)
    away = clamp(add(sub(x, gather(x, 1, own)), margin), min=0)
    away = mul(away, away) if p == 2 else away
    if weight is not None:
        away = mul(away, weight[classes].unsqueeze(1))
    others = creation.counting((1, count), 1).ne(own)
    loss = total(where(others, away, 0.0), 1) / count
    loss = loss if input.ndim == 2 else loss.squeeze(0)
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return sum of max(0, 1 - x[j] + x[i]) / C over classes j of a row's target and i not of it.

    target: class numbers, of which those before the first -1 count.
    """
    x, labels = _rows("multilabel_margin_loss", input, target, 1)
    count = x._type.shape[1]
    valid = (labels < 0).cumsum(1).eq(0)
    safe = where(valid, labels, 0)
    classes = creation.counting((1, count, 1), 1)
    wanted = (classes.eq(safe.unsqueeze(1)) & valid.unsqueeze(1)).any(2)
    away = clamp(sub(add(x, 1).unsqueeze(1), gather(x, 1, safe).unsqueeze(2)), min=0)
    counted = valid.unsqueeze(2) & ~wanted.unsqueeze(1)
    loss = total(where(counted, away, 0.0), (1, 2)) / count
    loss = loss if input.ndim == 2 else loss.squeeze(0)
    return reduced(loss, _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the binary cross entropy of logits and 0 or 1 for each class, their mean a row."""
    if input._type.shape != target._type.shape:
        raise ShapeError(
            at_line(f"multilabel_soft_margin_loss: {input._type} and {target._type} differ")
        )
    hit = mul(target, logsigmoid(input))
    loss = neg(add(hit, mul(sub(1, target), logsigmoid(neg(input)))))
    if weight is not None:
        loss = mul(loss, weight)
    return reduced(mean(loss, -1), _chosen(reduction, size_average, reduce))


@autocast_widens
@rounded_once
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, d(anchor, positive) - d(anchor, negative) + margin), d being any function."""
    if margin <= 0:
        raise ValueError(at_line(f"margin must be positive, got {margin}"))
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = arithmetic.minimum(far, distance(positive, negative))
    return reduced(clamp(add(sub(near, far), margin), min=0), reduction)
