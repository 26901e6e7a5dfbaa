"""Rows of a table: one for each index, or one for each bag of indices."""

from __future__ import annotations

from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import int64

from .. import creation
from ..errors import ShapeError, at_line
from ..grad_mode import no_grad
from ..tensor import Tensor
from .choice import where
from .indexing import _index, index_add
from .promote import normal_dim, to_dtype
from .reduction import max as largest
from .reduction import norm


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of weight that input names; padding_idx's row gets no gradient.

    max_norm: rows that are looked up and longer are shortened first, in place.
    scale_grad_by_freq: a row's gradient is divided by how often input names it.
    sparse is accepted; the gradient is dense all the same.
    """
    index = _index(input, "embedding")
    _check_table(weight, "embedding")
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    if padding_idx is not None:
        padding_idx = normal_dim(padding_idx, weight._type.shape[0])
        shape = (weight._type.shape[0], 1)
        at = creation.counting(shape, 0).eq(padding_idx)
        weight = where(at, weight.detach(), weight)
    rows = ops.take(weight, index, axis=0)
    return _per_use(rows, weight, index) if scale_grad_by_freq else rows


def _check_table(weight: Tensor, name: str) -> None:
    if weight.ndim != 2:
        raise ShapeError(at_line(f"{name} wants a weight [rows, features], got {weight._type}"))


def _counts(weight: Tensor, index: Tensor) -> Tensor:
    """Return how often each row of weight is named, in weight's dtype."""
    line = index.reshape(-1)
    none = creation.zeros(weight._type.shape[0], dtype=weight._type.dtype, device=weight.device)
    return index_add(
        none,
        0,
        line,
        creation.ones(line._type.numel, dtype=weight._type.dtype, device=weight.device),
    )


def _shorten(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows of weight that index names to a norm of at most max_norm, in place."""
    with no_grad():
        table = weight.detach()
        length = norm(table, norm_type, -1, keepdim=True)
        long = (length > max_norm) & (_counts(table, index) > 0).unsqueeze(1)
        table.copy_(where(long, table * (max_norm / (length + 1e-7)), table))


def _per_use(rows: Tensor, weight: Tensor, index: Tensor) -> Tensor:
    """Return rows, with a gradient divided by how often index names each."""
    with no_grad():
        share = (1 / ops.take(_counts(weight, index), index, axis=0)).unsqueeze(-1)
    return rows * share + (rows * (1 - share)).detach()  # type: ignore[no-any-return]


# -- bags ---------------------------------------------------------------------------------------


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return [bags, features]: the "sum", "mean" or "max" of the rows that each bag names.

    input: [bags, length], or all bags in one vector, with offsets saying where each begins.
    padding_idx: that row is left out; an empty bag gives zeros.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError(at_line(f"embedding_bag's mode is 'sum', 'mean' or 'max', got {mode!r}"))
    index = _index(input, "embedding_bag")
    _check_table(weight, "embedding_bag")
    _check_bags(index, offsets, per_sample_weights, mode, include_last_offset)
    owner, bags = _bags(index, offsets, include_last_offset)
    index = index.reshape(-1)
    rows = embedding(
        index, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq and mode != "max"
    )
    used = None if padding_idx is None else index.ne(normal_dim(padding_idx, weight._type.shape[0]))
    if mode == "max":
        return _largest(rows, owner, bags, used)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    if used is not None:
        rows = where(used.unsqueeze(1), rows, 0.0)
    zeros = creation.zeros(bags, rows._type.shape[1], dtype=rows._type.dtype, device=rows.device)
    total = index_add(zeros, 0, owner, rows)
    if mode == "sum":
        return total
    ones = (
        creation.ones(index._type.numel, dtype=int64, device=index.device)
        if used is None
        else to_dtype(used, int64)
    )
    counts = index_add(creation.zeros(bags, dtype=int64, device=index.device), 0, owner, ones)
    return total / counts.clamp(min=1).unsqueeze(1)  # type: ignore[no-any-return]


def _bags(index: Tensor, offsets: Tensor | None, last: bool) -> tuple[Tensor, int]:
    """Return in which bag each index is, in a line, and how many bags there are."""
    if offsets is None:
        bags, length = index._type.shape
        return creation.counting((bags, length), 0).reshape(-1), bags  # type: ignore[no-any-return]
    starts = offsets[:-1] if last else offsets
    places = creation.counting((index._type.numel, 1), 0)
    return (places >= starts).sum(1) - 1, starts._type.shape[0]


def _check_bags(
    index: Tensor, offsets: Tensor | None, weights: Tensor | None, mode: str, last: bool
) -> None:
    if weights is not None and mode != "sum":
        raise NotImplementedError(
            at_line(f"per_sample_weights go with mode='sum' only, got mode={mode!r}")
        )
    if weights is not None and weights._type.shape != index._type.shape:
        raise ShapeError(
            at_line(f"per_sample_weights want input's shape {index._type}, got {weights._type}")
        )
    if index.ndim == 2:
        if offsets is not None:
            raise ValueError(at_line(f"input {index._type} is bags already; leave out offsets"))
    elif index.ndim != 1:
        raise ValueError(at_line(f"embedding_bag wants 1D or 2D input, got {index._type}"))
    elif offsets is None or offsets.ndim != 1:
        got = "none" if offsets is None else offsets._type
        raise ValueError(at_line(f"input {index._type} wants offsets [bags], got {got}"))
    elif last and not offsets._type.shape[0]:
        raise ValueError(at_line("include_last_offset wants at least one offset"))


def _largest(rows: Tensor, owner: Tensor, bags: int, used: Any) -> Tensor:
    """Return the largest element of each bag's rows, 0 for a bag of none."""
    mine = owner.eq(creation.counting((bags, 1), 0))
    if used is not None:
        mine = mine & used
    if not rows._type.shape[0]:
        return creation.zeros(bags, rows._type.shape[1], dtype=rows._type.dtype, device=rows.device)
    spread = where(mine.unsqueeze(2), rows, -float("inf"))
    return where(mine.any(1).unsqueeze(1), largest(spread, 1)[0], 0.0)  # type: ignore[no-any-return]
