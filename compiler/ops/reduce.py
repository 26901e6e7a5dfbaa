"""Ops that combine the elements along some axes; the result drops those axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Reduction
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int64

from . import check
from .complex_parts import holomorphic
from .elementwise import NUMBER, ORDERED, cast, div, eq, mul, quiet
from .movement import expand, flip, pad, permute, reshape, slice

Axes = tuple[int, ...]


def spread(value: Any, shape: tuple[int, ...], axes: Axes) -> Any:
    """Repeat a reduced value along the axes that were reduced, giving `shape`."""
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return expand(reshape(value, shape=kept), shape=shape)


def reduction(
    name: str,
    fn: str,
    evaluate: Callable[..., Any],
    *,
    kinds: Sequence[str],
    grad: Callable[..., Any] | None = None,
    empty: bool = True,
    keeps: tuple[int, ...] | None = None,
) -> Op:
    """Return the op `name(x, axes)`.

    empty: whether there is a result for no elements.
    """

    def infer(x: TensorType, *, axes: Axes) -> TensorType:
        check.kind(name, kinds, x)
        check.axes_of(name, x, axes)
        if not empty and 0 in [x.shape[axis] for axis in axes]:
            raise ShapeError(f"{name} of no elements has no value, got {x} over dims {axes}")
        left = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
        return TensorType(x.dtype, left)

    run = quiet(lambda x, *, axes: np.asarray(evaluate(x, axis=axes), dtype=x.dtype))
    return Op(name, infer, run, grad, Reduction(fn), keeps)


def arg_reduction(name: str, evaluate: Callable[..., Any]) -> Op:
    """Return the op `name(x, axis)`: int64, the first index on ties; NaN wins."""

    def infer(x: TensorType, *, axis: int) -> TensorType:
        check.kind(name, ORDERED, x)
        check.axes_of(name, x, (axis,))
        if x.shape[axis] == 0:
            raise ShapeError(f"{name} of no elements has no value, got {x} over dim {axis}")
        return TensorType(int64, x.shape[:axis] + x.shape[axis + 1 :])

    run = lambda x, *, axis: np.asarray(evaluate(x, axis=axis), dtype=np.int64)  # noqa: E731
    return Op(name, infer, run, None, Reduction(name))


def _extreme_grad(g: Any, y: Any, x: Any, *, axes: Axes) -> tuple[Any]:
    """Share the gradient evenly among the elements that equal the result."""
    chosen = cast(eq(x, spread(y, x.shape, axes)), dtype=x.dtype)
    count = sum(chosen, axes=axes)
    return (mul(chosen, spread(div(g, count), x.shape, axes)),)


def _running_products(x: Any) -> Any:
    """For x[m, n]: the product of the elements before each one, in log2(n) steps."""
    count = x.shape[1]
    shifted = slice(x, starts=(0, 0), stops=(x.shape[0], count - 1), steps=(1, 1))
    total = pad(shifted, low=(0, 1), high=(0, 0), value=1)
    step = 1
    while step < count:
        head = slice(total, starts=(0, 0), stops=(x.shape[0], count - step), steps=(1, 1))
        total = mul(total, pad(head, low=(0, step), high=(0, 0), value=1))
        step *= 2
    return total


def _prod_grad(g: Any, y: Any, x: Any, *, axes: Axes) -> tuple[Any]:
    """Multiply by the product of all other elements: right with zeros too, at any order."""
    if 0 in x.shape:
        return (spread(g, x.shape, axes),)
    left = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
    order = left + axes
    moved = permute(x, axes=order)
    rows = numel(x.shape[axis] for axis in left)
    flat = reshape(moved, shape=(rows, numel(x.shape[axis] for axis in axes)))
    before = _running_products(flat)
    after = flip(_running_products(flip(flat, axes=(1,))), axes=(1,))
    others = reshape(mul(before, after), shape=moved.shape)
    back = tuple(order.index(axis) for axis in range(len(order)))
    return (mul(permute(others, axes=back), spread(g, x.shape, axes)),)


def _sum_grad(g: Any, y: Any, x: Any, *, axes: Axes) -> tuple[Any]:
    return (spread(g, x.shape, axes),)


sum = reduction("sum", "add", np.sum, kinds=NUMBER, grad=_sum_grad, keeps=())
prod = reduction("prod", "mul", np.prod, kinds=NUMBER, grad=holomorphic(_prod_grad), keeps=(0,))
max = reduction("max", "max", np.max, kinds=ORDERED, grad=_extreme_grad, empty=False)
min = reduction("min", "min", np.min, kinds=ORDERED, grad=_extreme_grad, empty=False)
any = reduction("any", "or", np.any, kinds=("bool",))
all = reduction("all", "and", np.all, kinds=("bool",))
argmax = arg_reduction("argmax", np.argmax)
argmin = arg_reduction("argmin", np.argmin)

REDUCTIONS = (sum, prod, max, min, any, all)
OPS = (*REDUCTIONS, argmax, argmin)
