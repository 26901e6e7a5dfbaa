"""Elementwise functions: operands are promoted and broadcast, then one op computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import DType, bool_, int64

from .. import creation
from ..errors import DTypeError, at_line
from ..tensor import Tensor, constant_like
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

# -- one argument -------------------------------------------------------------------------------


def _real(op: Op) -> Callable[[Tensor], Tensor]:
    """Return the function that applies a real function; whole numbers become floats first."""

    def apply(input: Tensor) -> Tensor:
        return op(to_float(as_tensor_like(input, op.name)))  # type: ignore[no-any-return]

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"Return {op.name} of each element."
    return apply


exp = _real(ops.exp)
exp2 = _real(ops.exp2)
expm1 = _real(ops.expm1)
log = _real(ops.log)
log1p = _real(ops.log1p)
log2 = _real(ops.log2)
log10 = _real(ops.log10)
sqrt = _real(ops.sqrt)
rsqrt = _real(ops.rsqrt)
reciprocal = _real(ops.reciprocal)
sin = _real(ops.sin)
cos = _real(ops.cos)
tan = _real(ops.tan)
asin = arcsin = _real(ops.asin)
acos = arccos = _real(ops.acos)
atan = arctan = _real(ops.atan)
sinh = _real(ops.sinh)
cosh = _real(ops.cosh)
tanh = _real(ops.tanh)
asinh = arcsinh = _real(ops.asinh)
acosh = arccosh = _real(ops.acosh)
atanh = arctanh = _real(ops.atanh)
erf = _real(ops.erf)
erfc = _real(ops.erfc)
erfinv = _real(ops.erfinv)
sigmoid = expit = _real(ops.sigmoid)


def _rounding(op: Op) -> Callable[[Tensor], Tensor]:
    """Return the function that rounds; whole numbers are round already."""

    def apply(input: Tensor) -> Tensor:
        if as_tensor_like(input, op.name)._type.dtype.kind in ("int", "uint"):
            return clone(input)
        return op(input)  # type: ignore[no-any-return]

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"Return {op.name} of each element."
    return apply


floor = _rounding(ops.floor)
ceil = _rounding(ops.ceil)
trunc = fix = _rounding(ops.trunc)
_round = _rounding(ops.round)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Return each element rounded to `decimals` places, halves to even."""
    if decimals == 0:
        return _round(input)
    scale = 10.0 ** abs_(decimals)
    return _round(input * scale) / scale if decimals > 0 else _round(input / scale) * scale


def abs_(value: int) -> int:
    """Return the size of a Python number (`abs` is the tensor function here)."""
    return -value if value < 0 else value


def frac(input: Tensor) -> Tensor:
    """Return the part behind the point."""
    return sub(input, trunc(input))


def neg(input: Tensor) -> Tensor:
    """Return -input."""
    return ops.neg(input)  # type: ignore[no-any-return]


negative = neg


def positive(input: Tensor) -> Tensor:
    """Return input."""
    return input


def abs(input: Tensor) -> Tensor:
    """Return the size of each element."""
    return ops.abs(input)  # type: ignore[no-any-return]


absolute = abs


def sign(input: Tensor) -> Tensor:
    """Return -1, 0 or 1."""
    if input._type.dtype is bool_:
        return clone(input)
    return ops.sign(input)  # type: ignore[no-any-return]


sgn = sign


def square(input: Tensor) -> Tensor:
    """Return input * input."""
    x = to_dtype(input, int64) if input._type.dtype is bool_ else input
    return mul(x, x)


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """Return a copy; gradients flow through it."""
    return ops.cast(input, dtype=input._type.dtype)  # type: ignore[no-any-return]


def isnan(input: Tensor) -> Tensor:
    """Return where elements are NaN."""
    return _question(ops.isnan, input, False)


def isinf(input: Tensor) -> Tensor:
    """Return where elements are infinite."""
    return _question(ops.isinf, input, False)


def isfinite(input: Tensor) -> Tensor:
    """Return where elements are numbers."""
    return _question(ops.isfinite, input, True)


def _question(op: Op, x: Tensor, otherwise: bool) -> Tensor:
    if x._type.dtype.kind == "float":
        return op(x)  # type: ignore[no-any-return]
    return creation.full(x._type.shape, otherwise, dtype=bool_)


# -- two arguments ------------------------------------------------------------------------------


def _bool_result(name: str, a: Any, b: Any, op: Op) -> Tensor | None:
    """Apply a logical op where both operands are bools; None otherwise."""
    first, second = as_operand(a), as_operand(b)
    if result_type(first, second) is not bool_:
        return None
    return op(*meet_as(bool_, first, second))  # type: ignore[no-any-return]


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input + alpha * other."""
    if alpha != 1:
        other = mul(other, alpha)
    a, b = meet(input, other)
    if a._type.dtype is bool_:
        return ops.logical_or(a, b)  # type: ignore[no-any-return]
    return ops.add(a, b)  # type: ignore[no-any-return]


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input - alpha * other."""
    for value in (input, other):
        if value is True or value is False or getattr(value, "dtype", None) is bool_:
            raise DTypeError(
                at_line("a bool cannot be subtracted; use `~` or logical_not() to turn it round")
            )
    if alpha != 1:
        other = mul(other, alpha)
    return ops.sub(*meet(input, other))  # type: ignore[no-any-return]


subtract = sub


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return other - alpha * input."""
    return sub(other, input, alpha=alpha)


def mul(input: Any, other: Any) -> Tensor:
    """Return input * other."""
    a, b = meet(input, other)
    if a._type.dtype is bool_:
        return ops.logical_and(a, b)  # type: ignore[no-any-return]
    return ops.mul(a, b)  # type: ignore[no-any-return]


multiply = mul


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Return input / other; whole numbers give floats unless rounding_mode is given."""
    if rounding_mode == "floor":
        return floor_divide(input, other)
    a, b = meet(input, other)
    if rounding_mode is None:
        return ops.div(to_float(a), to_float(b))  # type: ignore[no-any-return]
    if rounding_mode != "trunc":
        raise RuntimeError(
            at_line(f"div wants rounding_mode None, 'trunc' or 'floor', got {rounding_mode!r}")
        )
    if a._type.dtype.kind == "float":
        return ops.trunc(ops.div(a, b))  # type: ignore[no-any-return]
    return ops.floor_divide(ops.sub(a, ops.fmod(a, b)), b)  # type: ignore[no-any-return]


divide = true_divide = div


def _numbers(op: Op, name: str) -> Callable[[Any, Any], Tensor]:
    """Return the function that promotes, broadcasts and applies op."""

    def apply(input: Any, other: Any) -> Tensor:
        return op(*meet(input, other))  # type: ignore[no-any-return]

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {name} of each pair of elements."
    return apply


floor_divide = _numbers(ops.floor_divide, "floor_divide")
remainder = _numbers(ops.remainder, "remainder")
fmod = _numbers(ops.fmod, "fmod")
left_shift = bitwise_left_shift = _numbers(ops.left_shift, "bitwise_left_shift")
right_shift = bitwise_right_shift = _numbers(ops.right_shift, "bitwise_right_shift")
bitwise_and = _numbers(ops.bitwise_and, "bitwise_and")
bitwise_or = _numbers(ops.bitwise_or, "bitwise_or")
bitwise_xor = _numbers(ops.bitwise_xor, "bitwise_xor")
eq = _numbers(ops.eq, "eq")
ne = not_equal = _numbers(ops.ne, "ne")
lt = less = _numbers(ops.lt, "lt")
le = less_equal = _numbers(ops.le, "le")
gt = greater = _numbers(ops.gt, "gt")
ge = greater_equal = _numbers(ops.ge, "ge")


def bitwise_not(input: Tensor) -> Tensor:
    """Return each element with its bits turned over; for bools, not."""
    return ops.bitwise_not(input)  # type: ignore[no-any-return]


def atan2(input: Any, other: Any) -> Tensor:
    """Return the angle of the point (other, input)."""
    a, b = meet(input, other)
    return ops.atan2(to_float(a), to_float(b))  # type: ignore[no-any-return]


arctan2 = atan2


def pow(input: Any, exponent: Any) -> Tensor:
    """Return input ** exponent."""
    if isinstance(exponent, bool | int | float) and isinstance(input, Tensor):
        found = _small_power(input, exponent)
        if found is not None:
            return found
    a, b = meet(input, exponent)
    if a._type.dtype is bool_ and not isinstance(exponent, Tensor):
        return ops.logical_or(a, ops.logical_not(b))  # type: ignore[no-any-return]
    return ops.pow(a, b)  # type: ignore[no-any-return]


def _small_power(x: Tensor, exponent: float) -> Tensor | None:
    """Return x ** exponent where multiplying or a root gives it exactly; None elsewhere."""
    if x._type.dtype.kind != "float":
        return None
    if exponent == 2:
        return ops.mul(x, x)  # type: ignore[no-any-return]
    if exponent == 3:
        return ops.mul(ops.mul(x, x), x)  # type: ignore[no-any-return]
    if exponent == 1:
        return clone(x)
    if exponent == -1:
        return ops.reciprocal(x)  # type: ignore[no-any-return]
    if exponent == 0.5:
        return ops.sqrt(x)  # type: ignore[no-any-return]
    return None


def _extreme(op: Op, on_bools: Op, name: str) -> Callable[[Any, Any], Tensor]:
    def apply(input: Any, other: Any) -> Tensor:
        a, b = meet(input, other)
        return (on_bools if a._type.dtype is bool_ else op)(a, b)  # type: ignore[no-any-return]

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return the {name} of each pair of elements; NaN wins."
    return apply


maximum = _extreme(ops.maximum, ops.logical_or, "maximum")
minimum = _extreme(ops.minimum, ops.logical_and, "minimum")


def _ignoring_nan(choose: Callable[[Any, Any], Tensor], name: str) -> Callable[[Any, Any], Tensor]:
    def apply(input: Any, other: Any) -> Tensor:
        a, b = meet(input, other)
        return where(isnan(a), b, where(isnan(b), a, choose(a, b)))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {name} of each pair of elements; a number wins over NaN."
    return apply


fmax = _ignoring_nan(maximum, "fmax")
fmin = _ignoring_nan(minimum, "fmin")


def truth(value: Any) -> Operand:
    """Return an operand as bools: where it is not 0."""
    value = as_operand(value)
    if not isinstance(value, Tensor):
        return bool(value)
    return value if value._type.dtype is bool_ else ne(value, 0)


def _logical(op: Op) -> Callable[[Any, Any], Tensor]:
    def apply(input: Any, other: Any) -> Tensor:
        return op(*meet_as(bool_, truth(input), truth(other)))  # type: ignore[no-any-return]

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"Return {op.name} of each pair of elements, as bools."
    return apply


logical_and = _logical(ops.logical_and)
logical_or = _logical(ops.logical_or)
logical_xor = _logical(ops.logical_xor)


def logical_not(input: Tensor) -> Tensor:
    """Return where elements are 0."""
    if input._type.dtype is bool_:
        return ops.logical_not(input)  # type: ignore[no-any-return]
    return eq(input, 0)


# -- choices ------------------------------------------------------------------------------------


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


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Return elements kept between min and max; NaN stays; the gradient is 1 at the bounds."""
    if min is None and max is None:
        raise RuntimeError(at_line("clamp wants a min, a max or both"))
    bounds = [bound for bound in (min, max) if bound is not None]
    dtype = result_type(input, *map(as_operand, bounds))
    result = to_dtype(input, dtype)
    if min is not None:
        low, result = meet_as(dtype, as_operand(min), result)
        result = ops.where(ops.lt(result, low), low, result)
    if max is not None:
        high, result = meet_as(dtype, as_operand(max), result)
        result = ops.where(ops.gt(result, high), high, result)
    return result


clip = clamp


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Return elements of at least min."""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Return elements of at most max."""
    return clamp(input, max=max)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Return input + weight * (end - input)."""
    return add(input, mul(weight, sub(end, input)))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Return input + value * tensor1 * tensor2."""
    product = mul(tensor1, tensor2)
    return add(input, product if value == 1 else mul(product, value))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Return input + value * tensor1 / tensor2."""
    return add(input, div(tensor1 if value == 1 else mul(tensor1, value), tensor2))


def nan_to_num(
    input: Tensor,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """Return input with NaN and infinities replaced by numbers."""
    if input._type.dtype.kind != "float":
        return clone(input)
    import numpy as np

    limits = np.finfo(input._type.dtype.numpy)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
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
    a, b = meet(input, other)
    near = eq(a, b)
    if a._type.dtype.kind == "float":
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
    return input._type.shape == other._type.shape and bool(eq(input, other).all())


def deg2rad(input: Tensor) -> Tensor:
    """Return degrees as radians."""
    return mul(input, math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Return radians as degrees."""
    return mul(input, 180 / math.pi)


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """Return sqrt(input^2 + other^2)."""
    return sqrt(add(square(input), square(other)))


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """Return log(exp(input) + exp(other)) without overflow."""
    a, b = meet(input, other)
    top = maximum(a, b).detach()
    safe = where(isfinite(top), top, 0.0)
    return add(log(add(exp(sub(a, safe)), exp(sub(b, safe)))), safe)


def xlogy(input: Any, other: Any) -> Tensor:
    """Return input * log(other), 0 where input is 0 and other is no NaN."""
    a, b = meet(input, other)
    a, b = to_float(a), to_float(b)
    nothing = logical_and(eq(a, 0), logical_not(isnan(b)))
    return where(nothing, 0.0, mul(a, log(where(nothing, 1.0, b))))  # type: ignore[no-any-return]


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Return log(input / (1 - input))."""
    x = to_float(input)
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    return log(div(x, rsub(x, 1)))


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """Return 0 below 0, 1 above it, and values at 0."""
    a, b = meet(input, values)
    return where(eq(a, 0), b, to_dtype(gt(a, 0), a._type.dtype))  # type: ignore[no-any-return]


def signbit(input: Tensor) -> Tensor:
    """Return where elements are negative, -0.0 included."""
    if input._type.dtype.kind != "float":
        return lt(input, 0)
    return logical_or(lt(input, 0), logical_and(eq(input, 0), lt(ops.reciprocal(input), 0)))


def copysign(input: Tensor, other: Any) -> Tensor:
    """Return the size of input with the sign of other."""
    a, b = meet(input, other)
    a, b = to_float(a), to_float(b)
    return where(signbit(b), neg(abs(a)), abs(a))  # type: ignore[no-any-return]


def constant_of(x: Tensor, value: Any) -> Tensor:
    """Return a number as an operand of x's type."""
    return constant_like(TensorType(x._type.dtype, x._type.shape), value)
