"""Losses and likenesses of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from . import arithmetic, unary
from .arithmetic import add, div, mul, sub
from .choice import clamp, where
from .indexing import index_select
from .loss import _chosen, reduced
from .precision import autocast_widens, rounded_once
from .reduction import sum as total
from .shape import broadcast_tensors

# -- vectors ------------------------------------------------------------------------------------


@rounded_once
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between vectors along dim."""
    x1, x2 = broadcast_tensors(x1, x2)
    product = total(mul(x1, x2), dim)
    first = clamp(total(mul(x1, x1), dim), min=eps * eps)
    second = clamp(total(mul(x2, x2), dim), min=eps * eps)
    return div(product, unary.sqrt(mul(first, second)))


@autocast_widens
@rounded_once
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


@rounded_once
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of the differences along the last dim."""
    from .reduction import norm

    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


@rounded_once
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norms of the differences of all pairs of rows of [N, M], [N (N - 1) / 2]."""
    from .reduction import norm

    if input.ndim != 2:
        raise ShapeError(at_line(f"pdist wants a matrix [N, M], got {input._type}"))
    first, second = np.triu_indices(input._type.shape[0], 1)
    return norm(sub(_rows(input, first), _rows(input, second)), p, -1)


def _rows(x: Tensor, places: np.ndarray) -> Tensor:
    return index_select(x, 0, creation.literal(places))


@autocast_widens
@rounded_once
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
    if margin <= 0:
        raise ValueError(at_line(f"triplet_margin_loss wants margin > 0, got {margin}"))
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = arithmetic.minimum(far, pairwise_distance(positive, negative, p, eps))
    loss = clamp(add(sub(near, far), margin), min=0)
    return reduced(loss, _chosen(reduction, size_average, reduce))
