"""Elementwise functions of two arguments: promoted and broadcast, then one op computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import bool_, float64

from ..errors import DTypeError, at_line
from ..tensor import Tensor
from ..tensors.constants import constant_like
from .out import with_out
from .precision import rounded_once
from .promote import (
    Operand,
    as_operand,
    as_tensor_like,
    meet,
    meet_as,
    result_type,
    to_float,
)
from .unary import clone, sqrt, trunc

__all__ = [
    "add", "addcdiv", "addcmul", "arctan2", "atan2", "bitwise_and", "bitwise_left_shift",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "div", "divide", "eq", "floor_divide",
    "fmod", "frac", "ge", "greater", "greater_equal", "gt", "hypot", "le", "lerp", "less",
    "less_equal", "logical_and", "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul",
    "multiply", "ne", "not_equal", "pow", "remainder", "rsub", "sub", "subtract", "true_divide",
]  # fmt: skip


@with_out
def frac(input: Tensor) -> Tensor:
    """Return the part behind the point."""
    return sub(input, trunc(input))


# -- two arguments ------------------------------------------------------------------------------


def _bool_result(name: str, a: Any, b: Any, op: Op) -> Tensor | None:
    """Apply a logical op where both operands are bools; None otherwise."""
    first, second = as_operand(a), as_operand(b)
    if result_type(first, second) is not bool_:
        return None
    return op(*meet_as(bool_, first, second))


def _times(other: Any, alpha: Any, input: Any) -> Any:
    """Return alpha * other; what is to be added to whole numbers takes no other alpha."""
    if alpha is True or alpha is False:
        if result_type(as_operand(input), as_operand(other)) is not bool_:
            raise DTypeError(at_line("alpha is a bool only where bools are added"))
    elif isinstance(alpha, float) and result_type(as_operand(input), as_operand(other)).kind in (
        "bool",
        "int",
        "uint",
    ):
        raise DTypeError(at_line(f"whole numbers want a whole alpha, got {alpha}"))
    if alpha == 1:
        return other
    return mul(other, alpha) if isinstance(other, Tensor) else other * alpha


@with_out
@rounded_once
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input + alpha * other."""
    other = _times(other, alpha, input)
    a, b = meet(input, other)
    if a._type.dtype is bool_:
        return ops.logical_or(a, b)
    return ops.add(a, b)


@with_out
@rounded_once
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input - alpha * other."""
    for value in (input, other):
        if value is True or value is False or getattr(value, "dtype", None) is bool_:
            raise DTypeError(
                at_line("a bool cannot be subtracted; use `~` or logical_not() to turn it round")
            )
    other = _times(other, alpha, input)
    return ops.sub(*meet(input, other))


subtract = sub


@rounded_once
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return other - alpha * input."""
    return sub(other, as_tensor_like(input, "rsub"), alpha=alpha)


@with_out
@rounded_once
def mul(input: Any, other: Any) -> Tensor:
    """Return input * other."""
    a, b = meet(input, other)
    if a._type.dtype is bool_:
        return ops.logical_and(a, b)
    return ops.mul(a, b)


multiply = mul


@rounded_once
def _quotient(input: Any, other: Any) -> Tensor:
    a, b = meet(input, other)
    return ops.div(to_float(a), to_float(b))


@with_out
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Return input / other; whole numbers give floats unless rounding_mode is given."""
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode is None:
        return _quotient(input, other)
    a, b = meet(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(
            at_line(f"div wants rounding_mode None, 'trunc' or 'floor', got {rounding_mode!r}")
        )
    if a._type.dtype.kind == "float":
        return ops.trunc(ops.div(a, b))
    return ops.floor_divide(ops.sub(a, ops.fmod(a, b)), b)


divide = true_divide = div


def _numbers(op: Op, name: str) -> Callable[[Any, Any], Tensor]:
    """Return the function that promotes, broadcasts and applies op."""

    def apply(input: Any, other: Any) -> Tensor:
        return op(*meet(input, other))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {name} of each pair of elements."
    return with_out(apply)


floor_divide = _numbers(ops.floor_divide, "floor_divide")

remainder = _numbers(ops.remainder, "remainder")


@with_out
def fmod(input: Tensor, other: Any) -> Tensor:
    """Return the remainder of each pair of elements, with the sign of input."""
    return ops.fmod(*meet(as_tensor_like(input, "fmod"), other))


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


@with_out
def atan2(input: Any, other: Any) -> Tensor:
    """Return the angle of the point (other, input)."""
    a, b = meet(input, other)
    return ops.atan2(to_float(a), to_float(b))


arctan2 = atan2


@with_out
@rounded_once
def pow(input: Any, exponent: Any) -> Tensor:
    """Return input ** exponent."""
    if isinstance(exponent, bool | int | float | complex) and isinstance(input, Tensor):
        if not isinstance(exponent, float | complex) and exponent < 0 and _is_whole(input):
            raise RuntimeError(at_line("Integers to negative integer powers are not allowed."))
        found = _small_power(input, exponent)
        if found is not None:
            return found
    a, b = meet(input, exponent)
    if a._type.dtype is bool_ and not isinstance(exponent, Tensor):
        return ops.logical_or(a, ops.logical_not(b))
    return ops.pow(a, b)


def _is_whole(x: Tensor) -> bool:
    return x._type.dtype.kind in ("int", "uint")


def _small_power(x: Tensor, exponent: complex) -> Tensor | None:
    """Return x ** exponent where multiplying or a root gives it exactly; None elsewhere."""
    if not x._type.dtype.is_inexact or (
        isinstance(exponent, complex) and not x._type.dtype.is_complex
    ):
        return None
    if exponent == 2:
        return ops.mul(x, x)
    if exponent == 3:
        return ops.mul(ops.mul(x, x), x)
    if exponent == 1:
        return clone(x)
    if exponent == -1:
        return ops.reciprocal(x)
    if exponent == 0.5:
        return ops.sqrt(x)
    return None


def _extreme(op: Op, on_bools: Op, name: str) -> Callable[[Any, Any], Tensor]:
    def apply(input: Any, other: Any) -> Tensor:
        a, b = meet(input, other)
        return (on_bools if a._type.dtype is bool_ else op)(a, b)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return the {name} of each pair of elements; NaN wins."
    return with_out(apply)


maximum = _extreme(ops.maximum, ops.logical_or, "maximum")

minimum = _extreme(ops.minimum, ops.logical_and, "minimum")


def truth(value: Any) -> Operand:
    """Return an operand as bools: where it is not 0."""
    value = as_operand(value)
    if not isinstance(value, Tensor):
        return bool(value)
    return value if value._type.dtype is bool_ else ne(value, 0)


def _logical(op: Op) -> Callable[[Any, Any], Tensor]:
    def apply(input: Any, other: Any) -> Tensor:
        return op(*meet_as(bool_, truth(input), truth(other)))

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"Return {op.name} of each pair of elements, as bools."
    return with_out(apply)


logical_and = _logical(ops.logical_and)

logical_or = _logical(ops.logical_or)

logical_xor = _logical(ops.logical_xor)


@with_out
@rounded_once
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Return input + weight * (end - input)."""
    return add(input, mul(weight, sub(end, input)))


@with_out
@rounded_once
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Return input + value * tensor1 * tensor2."""
    product = mul(tensor1, tensor2)
    return add(input, product if value == 1 else mul(product, value))


@with_out
@rounded_once
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """Return input + value * tensor1 / tensor2."""
    return add(input, div(tensor1 if value == 1 else mul(tensor1, value), tensor2))


@with_out
@rounded_once
def hypot(input: Any, other: Any) -> Tensor:
    """Return sqrt(input^2 + other^2), which squares do not overflow; infinite beside NaN, too."""
    a, b = map(to_float, meet(input, other))
    scale = _power_of_two(ops.maximum(ops.abs(a), ops.abs(b)).detach())
    scaled = mul(a, scale), mul(b, scale)
    found = div(sqrt(add(mul(scaled[0], scaled[0]), mul(scaled[1], scaled[1]))), scale)
    infinite = ops.logical_or(ops.isinf(a), ops.isinf(b))
    return ops.where(infinite, constant_of(found, math.inf), found)


def _power_of_two(largest: Tensor) -> Tensor:
    """Return what brings numbers of this size where squares of floats neither overflow nor vanish.

    1 for all ordinary ones, whose last bits so stay as they are.
    """
    bits = 128 if largest._type.dtype is not float64 else 1024
    great, small = 2.0 ** (bits // 2 - 4), 2.0 ** (-3 * bits // 8)
    one = constant_of(largest, 1)
    down = ops.where(ops.ge(largest, constant_of(largest, great)), one / (256 * great), one)
    return ops.where(ops.le(largest, constant_of(largest, small)), one / small / small, down)


def constant_of(x: Tensor, value: Any) -> Tensor:
    """Return a number as an operand of x's type."""
    return constant_like(TensorType(x._type.dtype, x._type.shape), value)
