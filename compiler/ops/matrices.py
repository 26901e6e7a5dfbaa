"""Parts, products and scalings of matrices (the last two dims), for gradient rules; packed results.

A decomposition has several results, an op one: they lie one after the other in a flat value, each
with its batch dims, so that every one of them is a slice that is contiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ir.types import TensorType

from .complex_parts import complex as make_complex
from .complex_parts import conjugated, real
from .elementwise import add, div, eq, ge, gt, le, logical_and, lt, mul, sub, where
from .leaves import full_like, iota_like
from .matmul import matmul, transposed
from .movement import concat, expand, reshape, slice

Shape = tuple[int, ...]


def product(*factors: Any) -> Any:
    """Return the product of matrices, from left to right."""
    return reduce(matmul, factors)


def _choose(x: Any, condition: Callable[[Any, Any], Any], shift: int) -> Any:
    """Return the elements of x at whose row + shift and column a condition holds, 0 elsewhere."""
    rank = len(x.shape)
    rows, columns = iota_like(x, axis=rank - 2), iota_like(x, axis=rank - 1)
    if shift:
        rows = add(rows, full_like(rows, value=shift))
    return where(condition(columns, rows), x, full_like(x, value=0))


def lower(x: Any, shift: int = 0) -> Any:
    """Return the elements on the diagonal and below, as tril(x, shift)."""
    return _choose(x, le, shift)


def upper(x: Any, shift: int = 0) -> Any:
    """Return the elements on the diagonal and above, as triu(x, shift)."""
    return _choose(x, ge, shift)


def strictly_lower(x: Any) -> Any:
    """Return the elements below the diagonal."""
    return _choose(x, lt, 0)


def off_diagonal(x: Any) -> Any:
    """Return the elements that are not on the diagonal."""
    return add(_choose(x, lt, 0), _choose(x, gt, 0))


def diagonal_only(x: Any) -> Any:
    """Return the elements on the diagonal."""
    return _choose(x, eq, 0)


def half_diagonal(x: Any) -> Any:
    """Return x with the elements on the diagonal halved."""
    return sub(x, mul(diagonal_only(x), full_like(x, value=0.5)))


def adjoint(x: Any) -> Any:
    """Exchange the last two dims and conjugate: x.mH."""
    return conjugated(transposed(x))


def symmetric(x: Any) -> Any:
    """Return x + x.mH."""
    return add(x, adjoint(x))


def skew(x: Any) -> Any:
    """Return x - x.mH."""
    return sub(x, adjoint(x))


def real_part(x: Any) -> Any:
    """Return the real part of complex values; real ones as they are."""
    return real(x) if x.dtype.is_complex else x


def as_dtype_of(x: Any, like: Any) -> Any:
    """Return real values as complex ones, where the other value has these."""
    if not like.dtype.is_complex or x.dtype.is_complex:
        return x
    return make_complex(x, full_like(x, value=0))


def with_columns(x: Any, factors: Any) -> Any:
    """Return each column of x times its factor."""
    return mul(x, _across(factors, x))


def with_rows(x: Any, factors: Any) -> Any:
    """Return each row of x times its factor."""
    return mul(x, _down(factors, x))


def over_columns(x: Any, divisors: Any) -> Any:
    """Return each column of x over its divisor; 0 over 0 is 0."""
    return divided(x, _across(divisors, x))


def over_rows(x: Any, divisors: Any) -> Any:
    """Return each row of x over its divisor; 0 over 0 is 0."""
    return divided(x, _down(divisors, x))


def differences(values: Any) -> Any:
    """Return the matrices of all values[j] - values[i]."""
    shape = (*values.shape, values.shape[-1])
    along = expand(reshape(values, shape=(*values.shape[:-1], 1, shape[-1])), shape=shape)
    return sub(along, transposed(along))


def divided(x: Any, divisor: Any) -> Any:
    """Return x / divisor, and 0 where both are 0: what nobody asks for has no gradient."""
    zero = full_like(x, value=0)
    nothing = logical_and(eq(x, zero), eq(divisor, zero))
    return div(x, where(nothing, full_like(x, value=1), divisor))


def _across(values: Any, x: Any) -> Any:
    return expand(reshape(values, shape=(*values.shape[:-1], 1, values.shape[-1])), shape=x.shape)


def _down(values: Any, x: Any) -> Any:
    return expand(reshape(values, shape=(*values.shape, 1)), shape=x.shape)


def over(values: Any, x: Any) -> Any:
    """Return a number for each matrix, repeated for all of its elements."""
    return expand(reshape(values, shape=(*values.shape, 1, 1)), shape=x.shape)


def top(x: Any, rows: int) -> Any:
    """Return the first rows."""
    return _part(x, 0, rows, len(x.shape) - 2)


def bottom(x: Any, rows: int) -> Any:
    """Return the rows from this one on."""
    return _part(x, rows, x.shape[-2], len(x.shape) - 2)


def left(x: Any, columns: int) -> Any:
    """Return the first columns."""
    return _part(x, 0, columns, len(x.shape) - 1)


def right(x: Any, columns: int) -> Any:
    """Return the columns from this one on."""
    return _part(x, columns, x.shape[-1], len(x.shape) - 1)


def beside(*parts: Any) -> Any:
    """Return matrices next to each other."""
    return concat(*parts, axis=len(parts[0].shape) - 1)


def upon(*parts: Any) -> Any:
    """Return matrices one above the other."""
    return concat(*parts, axis=len(parts[0].shape) - 2)


def _part(x: Any, start: int, stop: int, axis: int) -> Any:
    shape = tuple(x.shape)
    starts = tuple(start if each == axis else 0 for each in range(len(shape)))
    stops = tuple(stop if each == axis else size for each, size in enumerate(shape))
    return slice(x, starts=starts, stops=stops, steps=(1,) * len(shape))


# -- several results in one value ---------------------------------------------------------------


def packed_type(x: TensorType, shapes: Sequence[Shape]) -> TensorType:
    """Return the type of values of these shapes, one after the other."""
    return TensorType(x.dtype, (sum(map(numel, shapes)),))


def pack(parts: Sequence[np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    """Return arrays one after the other, real ones among complex ones as complex numbers."""
    return np.concatenate([np.asarray(part, dtype).reshape(-1) for part in parts])


def unpack(flat: Any, shapes: Sequence[Shape]) -> list[Any]:
    """Return the values of these shapes that lie in a flat one."""
    found, start = [], 0
    for shape in shapes:
        stop = start + numel(shape)
        found.append(reshape(_part(flat, start, stop, 0), shape=shape))
        start = stop
    return found
