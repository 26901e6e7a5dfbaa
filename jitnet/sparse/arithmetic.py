"""Ops on sparse tensors, by the dense op: what each does with places and elements."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dtype import DType

from .. import creation
from .. import functional as F
from ..errors import ShapeError, at_line
from ..tensor import Tensor, strides_of
from .places import coordinates, flat_places
from .products import dense_by_sparse, sparse_by_dense, sparse_by_sparse
from .tensor import CSR, SparseTensor

Rule = Callable[..., Tensor]

LINEAR = (ops.neg, ops.real, ops.imag)
KEEPING_ZERO = (
    *(ops.abs, ops.sqrt, ops.sin, ops.tan, ops.tanh, ops.asin, ops.atan, ops.sinh, ops.asinh),
    *(ops.atanh, ops.floor, ops.ceil, ops.round, ops.trunc, ops.sign, ops.expm1, ops.log1p),
    *(ops.erf, ops.erfinv),
)  # fmt: skip


def _linear(op: Op, x: SparseTensor, **params: Any) -> Tensor:
    return x.like(op(x._elements, **params))


def _at_places(op: Op, x: SparseTensor, **params: Any) -> Tensor:
    """Apply a function that keeps zero; of sums, where a place is there more than once."""
    return _linear(op, x.coalesce(), **params)


def _cast(x: SparseTensor, dtype: DType) -> Tensor:
    return x.like(ops.cast(x._elements, dtype=dtype))


def _permute(x: SparseTensor, axes: tuple[int, ...]) -> Tensor:
    split = x.sparse_dim()
    if any((axis < split) != (place < split) for place, axis in enumerate(axes)):
        raise RuntimeError(
            at_line(f"dims that coordinates name stay before dense ones, got the order {axes}")
        )
    places = F.stack([x._places[axis] for axis in axes[:split]])
    dense = (0, *(axis - split + 1 for axis in axes[split:]))
    shape = tuple(x._type.shape[axis] for axis in axes)
    turned = SparseTensor.made(places, F.permute(x._elements, dense), shape)
    return turned.to_sparse_csr() if x._layout == CSR else turned


def _reshape(x: SparseTensor, shape: tuple[int, ...]) -> Tensor:
    if x.dense_dim():
        raise RuntimeError(at_line(f"dense dims of a sparse tensor keep their shape: {x._type}"))
    places = coordinates(flat_places(x._places, x._type.shape), shape)
    return SparseTensor.made(places, x._elements, shape, x._coalesced)


def _concat(*args: Tensor, axis: int) -> Tensor:
    first = args[0]
    assert isinstance(first, SparseTensor)
    places, elements, offset = [], [], 0
    for x in args:
        if not isinstance(x, SparseTensor) or axis >= x.sparse_dim():
            raise TypeError(at_line("cat of sparse tensors wants them all sparse along its dim"))
        rows = list(x._places)
        rows[axis] = rows[axis] + offset
        places.append(F.stack(rows))
        elements.append(x._elements)
        offset += x._type.shape[axis]
    shape = (*first._type.shape[:axis], offset, *first._type.shape[axis + 1 :])
    return SparseTensor.made(F.cat(places, 1), F.cat(elements), shape, axis == 0)


def _sum(x: SparseTensor, axes: tuple[int, ...]) -> Tensor:
    """Sum over dims: a dense tensor if no coordinates are left."""
    split = x.sparse_dim()
    dense = [axis - split + 1 for axis in axes if axis >= split]
    elements = F.sum(x._elements, dense) if dense else x._elements
    kept = [axis for axis in range(split) if axis not in axes]
    if not kept:
        return F.sum(elements, 0)
    shape = tuple(size for axis, size in enumerate(x._type.shape) if axis not in axes)
    if len(kept) == split:
        return SparseTensor.made(x._places, elements, shape, x._coalesced)
    places = F.stack([x._places[axis] for axis in kept])
    return _in_order(SparseTensor.made(places, elements, shape))


def _in_order(x: SparseTensor) -> SparseTensor:
    """Add up what has equal coordinates, except in a trace: how many there are is data."""
    return x if creation.tracing() else x.coalesce()


def _one_number(x: Tensor) -> bool:
    """Whether a dense tensor is one element seen everywhere, as a number that broadcasts is."""
    node = x._node
    if node is not None:
        while node.op in (ops.expand, ops.reshape):
            node = node.args[0]
        return node.op is ops.full or node.type.numel == 1
    return not any(step for size, step in zip(x._type.shape, strides_of(x)) if size > 1)  # noqa: B905


def _seen_by(x: SparseTensor, dense: Tensor) -> Tensor:
    """Return the elements of a dense tensor at x's places."""
    if _one_number(dense):
        return dense[(0,) * len(dense._type.shape)] if x._type.numel else dense.sum()
    return dense[tuple(x._places)]  # type: ignore[no-any-return]


def _mul(left: Tensor, right: Tensor) -> Tensor:
    if not isinstance(left, SparseTensor):
        left, right = right, left
    assert isinstance(left, SparseTensor)
    if isinstance(right, SparseTensor):  # the places of one are enough
        left, right = left.coalesce(), right.to_dense()
    return left.like(left._elements * _seen_by(left, right))


def _div(left: Tensor, right: Tensor) -> Tensor:
    if isinstance(right, SparseTensor) or not _one_number(right):
        raise TypeError(at_line("sparse tensors are divided by numbers only: to_dense() first"))
    assert isinstance(left, SparseTensor)
    return left.like(left._elements / _seen_by(left, right))


def _add(left: Tensor, right: Tensor) -> Tensor:
    """Add: places of both, those of equal coordinates added up outside of traces."""
    if not isinstance(left, SparseTensor):
        return left + right.to_dense()  # type: ignore[attr-defined,no-any-return]
    if not isinstance(right, SparseTensor):
        raise TypeError(at_line("sparse + dense is not there: dense + sparse is, or to_dense()"))
    if left._type.shape != right._type.shape or left.dense_dim() != right.dense_dim():
        raise ShapeError(at_line(f"sparse sums want one shape, got {left._type} and {right._type}"))
    places = F.cat([left._places, right._places], 1)
    elements = F.cat([left._elements, right._elements])
    total = SparseTensor.made(places, elements, left._type.shape)
    return total.to_sparse_csr() if left._layout == CSR else _in_order(total)


def _sub(left: Tensor, right: Tensor) -> Tensor:
    return _add(left, -right)  # type: ignore[operator]


def _matmul(left: Tensor, right: Tensor) -> Tensor:
    if not isinstance(left, SparseTensor):
        assert isinstance(right, SparseTensor)
        return dense_by_sparse(left, right)
    if isinstance(right, SparseTensor):
        return sparse_by_sparse(left, right)
    return sparse_by_dense(left, right)


RULES: dict[Op, Rule] = {
    **{op: partial(_linear, op) for op in LINEAR},
    **{op: partial(_at_places, op) for op in KEEPING_ZERO},
    ops.cast: _cast,
    ops.permute: _permute,
    ops.reshape: _reshape,
    ops.concat: _concat,
    ops.sum: _sum,
    ops.mul: _mul,
    ops.div: _div,
    ops.add: _add,
    ops.sub: _sub,
    ops.matmul: _matmul,
}
