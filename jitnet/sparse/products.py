"""Products of sparse matrices: rows are looked up, scaled, and added up."""

from __future__ import annotations

from functools import partial

from .. import creation
from .. import functional as F
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .places import starts_of
from .tensor import SparseTensor


def _check(left: Tensor, right: Tensor) -> None:
    for x in (left, right):
        if len(x._type.shape) != 2 or (isinstance(x, SparseTensor) and x.dense_dim()):
            raise ShapeError(at_line(f"sparse products want matrices, got {x._type}"))
    if left._type.shape[1] != right._type.shape[0]:
        raise ShapeError(
            at_line(f"sparse products want inner dims equal, got {left._type} @ {right._type}")
        )
    if left._type.dtype is not right._type.dtype:
        raise DTypeError(
            at_line(f"sparse products want one dtype, got {left._type} @ {right._type}")
        )


def sparse_by_dense(left: SparseTensor, right: Tensor) -> Tensor:
    """Return the dense product [n, k] of a sparse matrix [n, m] and a dense one [m, k]."""
    _check(left, right)
    rows, columns = left._places
    parts = left._elements.unsqueeze(1) * F.index_select(right, 0, columns)
    shape = (left._type.shape[0], right._type.shape[1])
    zeros = creation.zeros(shape, dtype=parts.dtype, device=parts.device)
    return F.index_add(zeros, 0, rows, parts)


def dense_by_sparse(left: Tensor, right: SparseTensor) -> Tensor:
    """Return the dense product [n, k] of a dense matrix [n, m] and a sparse one [m, k]."""
    _check(left, right)
    turned = right.t()
    assert isinstance(turned, SparseTensor)
    return sparse_by_dense(turned, left.t()).t()  # type: ignore[no-any-return]


def sparse_by_sparse(left: SparseTensor, right: SparseTensor) -> SparseTensor:
    """Return the sparse product [n, k] of [n, m] and [m, k]; outside of traces only.

    Every element of the left one meets the elements of a row of the right one.
    """
    _check(left, right)
    right = right.coalesce()
    rows, columns = left._places
    arange = partial(creation.arange, device=left.device)
    starts = starts_of(right._places[0], right._type.shape[0])
    counts = (starts[1:] - starts[:-1])[columns]
    which = F.repeat_interleave(arange(left._nnz()), counts)  # the left one of each pair
    first = F.cumsum(counts, 0) - counts
    other = starts[columns][which] + arange(which._type.numel) - first[which]
    elements = left._elements[which] * right._elements[other]
    places = F.stack([rows[which], right._places[1][other]])
    shape = (left._type.shape[0], right._type.shape[1])
    product = SparseTensor.made(places, elements, shape).coalesce()
    return product.to_sparse(layout=left._layout)
