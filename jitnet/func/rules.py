"""How each op computes for all items of a vmap: the same op, with one dim more.

A rule takes values of items, [size, *shape], or tensors that are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.lowering import Pointwise
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int64

from .. import functional as F
from ..tensor import Tensor
from ..tensors.constants import counting, filled
from ..tensors.placement import common_device

Values = Sequence[tuple[Tensor, bool]]  # tensors, and whether they have a dim of items
Params = dict[str, Any]
Rule = Callable[[Op, TensorType, Values, int, Params], Tensor]


def batch(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    """Return [size, *kind.shape], the op's results for all items."""
    rule = RULES.get(op)
    if rule is None:
        rule = _same if isinstance(op.lower, Pointwise) else _one_by_one
    return rule(op, kind, values, size, params)


def _one_by_one(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    """Apply an op that knows no dims of a batch to each item."""
    if not size:
        device = common_device([x for x, _ in values])
        return filled(TensorType(kind.dtype, (0, *kind.shape)), 0, device)
    results = [
        op(*(x.select(0, item) if batched else x for x, batched in values), **params)
        for item in range(size)
    ]
    return F.stack(results)  # type: ignore[no-any-return]


def _full(x: Tensor, batched: bool, size: int) -> Tensor:
    """Return a tensor with a dim of items."""
    if batched:
        return x
    shape = x._type.shape
    return ops.expand(ops.reshape(x, shape=(1, *shape)), shape=(size, *shape))


def _all_full(values: Values, size: int) -> list[Tensor]:
    return [_full(x, batched, size) for x, batched in values]


def _same(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    """Apply an op that computes element by element, or along the last dims."""
    return op(*_all_full(values, size), **params)  # type: ignore[no-any-return]


def _one_dim_further(**changes: Callable[[Any, int, TensorType], Any]) -> Rule:
    """Return a rule that applies the op with some of its params changed."""

    def rule(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
        changed = {name: change(params[name], size, kind) for name, change in changes.items()}
        return op(*_all_full(values, size), **{**params, **changed})  # type: ignore[no-any-return]

    return rule


def _next(axis: int, size: int, kind: TensorType) -> int:
    return axis + 1


def _each_next(axes: Sequence[int], size: int, kind: TensorType) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)


def _before(first: Any) -> Callable[[Any, int, TensorType], tuple[int, ...]]:
    """Return a change that puts a number before others; None: the number of items."""
    return lambda rest, size, kind: (size if first is None else first, *rest)


# -- products -----------------------------------------------------------------------------------


def _matmul(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    """Multiply; rows of all items by one matrix are one product."""
    (a, a_batched), (b, b_batched) = values
    if a_batched and not b_batched and len(b._type.shape) == 2:
        rows = ops.reshape(a, shape=(prod(a._type.shape[:-1]), a._type.shape[-1]))
        return ops.reshape(ops.matmul(rows, b), shape=(size, *kind.shape))
    return ops.matmul(*_all_full(values, size))


def _images_of_items(x: Tensor, size: int) -> Tensor:
    """[size, images, ...] to [size * images, ...]."""
    shape = x._type.shape
    return ops.reshape(x, shape=(size * shape[1], *shape[2:]))


def _channels_of_items(x: Tensor, size: int) -> Tensor:
    """[size, images, channels, ...] to [images, size * channels, ...]."""
    moved = F.movedim(x, 0, 1)
    shape = moved._type.shape
    return ops.reshape(moved, shape=(shape[0], size * shape[2], *shape[3:]))


def _as_items(x: Tensor, kind: TensorType, size: int) -> Tensor:
    """[images, size * channels, ...] to [size, images, channels, ...]."""
    images, channels, *rest = kind.shape
    return F.movedim(ops.reshape(x, shape=(images, size, channels, *rest)), 1, 0)  # type: ignore[no-any-return]


def _conv(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    """Convolve, or go back to its input: one weight for all, or channel groups of items."""
    (x, batched), (w, w_batched) = values
    inner = dict(params)
    if not w_batched:
        if "shape" in params:
            inner["shape"] = (size * params["shape"][0], *params["shape"][1:])
        done = op(_images_of_items(_full(x, batched, size), size), w, **inner)
        return ops.reshape(done, shape=(size, *kind.shape))
    inner["groups"] = size * params["groups"]
    if "shape" in params:
        images, channels, *rest = params["shape"]
        inner["shape"] = (images, size * channels, *rest)
    done = op(_channels_of_items(_full(x, batched, size), size), _images_of_items(w, size), **inner)
    return _as_items(done, kind, size)


def _conv_weight_grad(
    op: Op, kind: TensorType, values: Values, size: int, params: Params
) -> Tensor:
    g, x = (_channels_of_items(each, size) for each in _all_full(values, size))
    outputs, *rest = params["shape"]
    inner = {"shape": (size * outputs, *rest), "groups": size * params["groups"]}
    done = op(g, x, **{**params, **inner})
    return ops.reshape(done, shape=(size, *kind.shape))


def _pool(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    """Pool images of all items as if they were one item's."""
    inner = dict(params)
    if "shape" in params:
        inner["shape"] = (size * params["shape"][0], *params["shape"][1:])
    done = op(*(_images_of_items(x, size) for x in _all_full(values, size)), **inner)
    return ops.reshape(done, shape=(size, *kind.shape))


# -- looked-up places ---------------------------------------------------------------------------


def _lines(x: Tensor, axis: int) -> Tensor:
    """[size, ..., n, ...] with n at axis of an item to [size * n, ...]."""
    moved = F.movedim(x, axis + 1, 1)
    shape = moved._type.shape
    return ops.reshape(moved, shape=(shape[0] * shape[1], *shape[2:]))


def _line_numbers(places: Tensor, count: int, size: int) -> Tensor:
    """Return items' places as places among the lines of all; wrong ones stay wrong."""
    kind = TensorType(int64, (size, *(1,) * (len(places._type.shape) - 1)))
    first = counting(kind, 0, places._device) * count
    moved = places.to(int64) + first
    return F.where(places < 0, -max(size * count, 1), moved)  # type: ignore[no-any-return]


def _take(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    (x, x_batched), (places, places_batched) = values
    axis: int = params["axis"]
    if not places_batched:
        return op(x, places, axis=axis + 1)  # type: ignore[no-any-return]
    rank = len(places._type.shape)
    if not x_batched:
        found = op(x, places, axis=axis)
        return F.movedim(found, axis, 0)  # type: ignore[no-any-return]
    count = x._type.shape[axis + 1]
    found = op(_lines(x, axis), _line_numbers(places, count, size), axis=0)
    return _back(found, rank, axis)


def _back(found: Tensor, rank: int, axis: int) -> Tensor:
    """[size, *places, before, after] to [size, before, *places, after]; rank: size and places."""
    dims = list(range(len(found._type.shape)))
    order = [0, *dims[rank : rank + axis], *dims[1:rank], *dims[rank + axis :]]
    return ops.permute(found, axes=tuple(order))


def _put(op: Op, kind: TensorType, values: Values, size: int, params: Params) -> Tensor:
    (places, places_batched) = values[1]
    axis: int = params["axis"]
    x, v = _full(*values[0], size), _full(*values[2], size)
    if not places_batched:
        return op(x, places, v, **{**params, "axis": axis + 1})  # type: ignore[no-any-return]
    count = x._type.shape[axis + 1]
    rank = len(places._type.shape)
    dims = list(range(len(v._type.shape)))
    order = [0, *dims[axis + 1 : axis + rank], *dims[1 : axis + 1], *dims[axis + rank :]]
    moved = ops.permute(v, axes=tuple(order))
    numbers = _line_numbers(places, count, size)
    total = prod(numbers._type.shape)
    flat = ops.reshape(numbers, shape=(total,))
    rows = ops.reshape(moved, shape=(total, *moved._type.shape[rank:]))
    done = op(_lines(x, axis), flat, rows, **{**params, "axis": 0})
    lines = ops.reshape(done, shape=(size, count, *done._type.shape[1:]))
    return F.movedim(lines, 1, axis + 1)  # type: ignore[no-any-return]


_ALONG = _one_dim_further(axis=_next)
_OVER = _one_dim_further(axes=_each_next)

RULES: dict[Op, Rule] = {
    **dict.fromkeys(
        (
            *(ops.complex, ops.conj, ops.real, ops.imag, ops.magnitude, ops.copy),
            *(ops.view_as_real, ops.view_as_complex, ops.nextafter, ops.gcd, ops.lcm),
            *(ops.bessel_j0, ops.bessel_j1, ops.bessel_y0, ops.bessel_y1, ops.zeta),
            *(ops.gamma_lower, ops.gamma_upper, ops.gamma_density, ops.exponent),
            *(ops.i0e, ops.i1e, ops.k0e, ops.k1e, ops.polynomial),
            *(ops.inv, ops.solve, ops.solve_triangular, ops.det, ops.cholesky, ops.cofactors),
            *(ops.matrix_exp,),
        ),
        _same,
    ),
    **dict.fromkeys((ops.sum, ops.prod, ops.max, ops.min, ops.all, ops.any, ops.flip), _OVER),
    ops.fourier: _OVER,
    **dict.fromkeys(
        (
            *(ops.argmax, ops.argmin, ops.argsort, ops.topk, ops.kth, ops.mode, ops.pick),
            *(ops.concat, ops.join, ops.half_fourier, ops.half_inverse),
        ),
        _ALONG,
    ),
    ops.permute: _one_dim_further(axes=lambda axes, size, kind: (0, *(axis + 1 for axis in axes))),
    ops.reshape: _one_dim_further(shape=_before(None)),
    ops.expand: _one_dim_further(shape=_before(None)),
    **dict.fromkeys(
        (ops.slice, ops.slice_assign),
        _one_dim_further(starts=_before(0), stops=_before(None), steps=_before(1)),
    ),
    ops.pad: _one_dim_further(low=_before(0), high=_before(0)),
    ops.matmul: _matmul,
    ops.conv: _conv,
    ops.conv_input_grad: _conv,
    ops.conv_weight_grad: _conv_weight_grad,
    **dict.fromkeys(
        (
            *(ops.max_pool, ops.max_pool_gather, ops.max_pool_grad, ops.max_pool_index),
            *(ops.sum_pool, ops.sum_pool_grad),
        ),
        _pool,
    ),
    ops.take: _take,
    ops.put: _put,
    ops.combine: _put,
}
