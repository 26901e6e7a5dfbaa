"""Elementwise functions that choose: where, clamp, and what is written with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dtype import DType, bool_

from ..errors import DTypeError, at_line
from ..limits import finfo
from ..tensor import Tensor
from .arithmetic import (
    add,
    div,
    eq,
    ge,
    gt,
    le,
    logical_and,
    logical_or,
    lt,
    maximum,
    minimum,
    mul,
    rsub,
    sub,
)
from .out import with_out
from .precision import rounded_once
from .promote import (
    Operand,
    as_operand,
    as_tensor_like,
    fit,
    meet,
    meet_as,
    result_type,
    to_dtype,
    to_float,
)
from .unary import (
    abs,
    clone,
    exp,
    isfinite,
    isinf,
    isnan,
    log,
    logical_not,
    neg,
    sin,
)

__all__ = [
    "allclose", "clamp", "clamp_max", "clamp_min", "clip", "copysign", "equal", "fmax", "fmin",
    "heaviside", "isclose", "isneginf", "isposinf", "logaddexp", "logit", "nan_to_num", "signbit",
    "sinc", "where", "xlogy",
]  # fmt: skip


def _ignoring_nan(choose: Callable[[Any, Any], Tensor], name: str) -> Callable[[Any, Any], Tensor]:
    def apply(input: Tensor, other: Tensor) -> Tensor:
        a, b = meet(as_tensor_like(input, name), as_tensor_like(other, name))
        return where(isnan(a), b, where(isnan(b), a, choose(a, b)))  # type: ignore[no-any-return]

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {name} of each pair of elements; a number wins over NaN."
    return with_out(apply)


fmax = _ignoring_nan(maximum, "fmax")

fmin = _ignoring_nan(minimum, "fmin")

# -- choices ------------------------------------------------------------------------------------


@with_out
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """Return input where condition holds and other elsewhere; or, alone, where it holds."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if as_tensor_like(condition, "where")._type.dtype is not bool_:
        raise DTypeError(
            at_line(f"where wants a bool condition, got {condition._type}; compare it, as x > 0")
        )
    a, b = as_operand(input), as_operand(other)
    dtype = result_type(a, b)
    c, a, b = _meet_with(condition, dtype, a, b)
    return ops.where(c, a, b)


def _meet_with(condition: Tensor, dtype: DType, a: Operand, b: Operand) -> tuple[Tensor, ...]:
    from .promote import broadcast_shapes

    shapes = [value._type.shape for value in (condition, a, b) if isinstance(value, Tensor)]
    shape = broadcast_shapes(*shapes)
    return fit(condition, bool_, shape), fit(a, dtype, shape), fit(b, dtype, shape)


@with_out
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Return elements kept between min and max; NaN stays; the gradient is 1 at the bounds."""
    if min is None and max is None:
        raise RuntimeError(at_line("clamp wants a min, a max or both"))
    bounds = [bound for bound in (min, max) if bound is not None]
    dtype = result_type(as_tensor_like(input, "clamp"), *map(as_operand, bounds))
    result = to_dtype(input, dtype)
    if min is not None:
        low, result = meet_as(dtype, as_operand(min), result)
        result = _bounded(ops.lt, result, low, _may_be_nan(min))
    if max is not None:
        high, result = meet_as(dtype, as_operand(max), result)
        result = _bounded(ops.gt, result, high, _may_be_nan(max))
    return result


def _may_be_nan(bound: Any) -> bool:
    return isinstance(bound, Tensor) or bound != bound


def _bounded(beyond: Op, x: Tensor, bound: Tensor, may_be_nan: bool) -> Tensor:
    """Return the bound where elements are beyond it, or it is NaN."""
    replaced = beyond(x, bound)
    if may_be_nan and bound._type.dtype.kind == "float":
        replaced = ops.logical_or(replaced, ops.isnan(bound))
    return ops.where(replaced, bound, x)


@with_out
def clip(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Return elements kept between min and max: clamp, which without both is a copy here."""
    return clone(input) if min is None and max is None else clamp(input, min, max)


@with_out
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Return elements of at least min."""
    return clamp(input, min=min)


@with_out
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Return elements of at most max."""
    return clamp(input, max=max)


@with_out
def nan_to_num(
    input: Tensor,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """Return input with NaN and infinities replaced by numbers."""
    if not input._type.dtype.is_inexact:
        return clone(input)
    if input._type.dtype.is_complex:
        parts = (ops.real(input), ops.imag(input))
        return ops.complex(*[nan_to_num(part, nan, posinf, neginf) for part in parts])
    limits = finfo(input._type.dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    result = where(isnan(input), nan, input)
    result = where(eq(input, math.inf), high, result)
    return where(eq(input, -math.inf), low, result)  # type: ignore[no-any-return]


def isclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Return where |input - other| <= atol + rtol * |other|."""
    if rtol < 0 or atol < 0:
        raise RuntimeError(at_line(f"isclose wants rtol and atol >= 0, got {rtol} and {atol}"))
    first, second = as_tensor_like(input, "isclose"), as_tensor_like(other, "isclose")
    if first._type.dtype is not second._type.dtype:
        raise DTypeError(at_line(f"isclose wants one dtype, got {first._type} and {second._type}"))
    a, b = meet(first, second)
    near = eq(a, b)
    if a._type.dtype.is_inexact:
        room = add(mul(abs(b), rtol), atol)
        near = logical_or(near, logical_and(isfinite(b), le(abs(sub(a, b)), room)))
        if equal_nan:
            near = logical_or(near, logical_and(isnan(a), isnan(b)))
    return near


def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Return whether all elements are close, as isclose says."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether shapes and all elements are equal."""
    as_tensor_like(input, "equal"), as_tensor_like(other, "equal")
    return input._type.shape == other._type.shape and bool(eq(input, other).all())


@with_out
@rounded_once
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """Return log(exp(input) + exp(other)) without overflow."""
    a, b = meet(input, other)
    if a._type.dtype.is_complex:
        first = ge(ops.real(a), ops.real(b))
        large, small = where(first, a, b), where(first, b, a)
        return add(log(add(exp(sub(small, large)), 1)), large)
    top = maximum(a, b).detach()
    safe = where(isfinite(top), top, 0.0)
    return add(log(add(exp(sub(a, safe)), exp(sub(b, safe)))), safe)


@with_out
@rounded_once
def xlogy(input: Any, other: Any) -> Tensor:
    """Return input * log(other), 0 where input is 0 and other is no NaN."""
    a, b = meet(input, other)
    a, b = to_float(a), to_float(b)
    nothing = logical_and(eq(a, 0), logical_not(isnan(b)))
    return where(nothing, 0.0, mul(a, log(where(nothing, 1.0, b))))  # type: ignore[no-any-return]


@with_out
@rounded_once
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Return log(input / (1 - input))."""
    x = to_float(input)
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    return log(div(x, rsub(x, 1)))


@with_out
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """Return 0 below 0, 1 above it, and values at 0."""
    a, b = meet(as_tensor_like(input, "heaviside"), as_tensor_like(values, "heaviside"))
    return where(eq(a, 0), b, to_dtype(gt(a, 0), a._type.dtype))  # type: ignore[no-any-return]


@with_out
def signbit(input: Tensor) -> Tensor:
    """Return where elements are negative, -0.0 included."""
    if input._type.dtype.kind != "float":
        return lt(input, 0)
    return logical_or(lt(input, 0), logical_and(eq(input, 0), lt(ops.reciprocal(input), 0)))


@with_out
def copysign(input: Tensor, other: Any) -> Tensor:
    """Return the size of input with the sign of other."""
    a, b = meet(input, other)
    a, b = to_float(a), to_float(b)
    return where(signbit(b), neg(abs(a)), abs(a))  # type: ignore[no-any-return]


@with_out
def isposinf(input: Tensor) -> Tensor:
    """Return where elements are plus infinity."""
    return eq(input, math.inf) if input._type.dtype.kind == "float" else isinf(input)


@with_out
def isneginf(input: Tensor) -> Tensor:
    """Return where elements are minus infinity."""
    return eq(input, -math.inf) if input._type.dtype.kind == "float" else isinf(input)


@with_out
@rounded_once
def sinc(input: Tensor) -> Tensor:
    """Return sin(pi input) / (pi input), 1 at 0."""
    angle = mul(to_float(input), math.pi)
    zero = eq(angle, 0)
    return where(zero, 1.0, div(sin(angle), where(zero, 1.0, angle)))  # type: ignore[no-any-return]
