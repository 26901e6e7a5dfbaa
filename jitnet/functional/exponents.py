"""Powers of two, common divisors, and where in a shape an element stands."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import float64, int64, promote

from ..errors import at_line
from ..tensor import Tensor
from .arithmetic import div, mul, pow
from .choice import logaddexp
from .out import with_out
from .precision import rounded_once
from .promote import as_operand, as_tensor_like, meet, need_float, result_type, to_dtype

__all__ = [
    "float_power",
    "frexp",
    "gcd",
    "lcm",
    "ldexp",
    "logaddexp2",
    "nextafter",
    "unravel_index",
]

frexp_result = namedtuple("frexp_result", ["mantissa", "exponent"])


@with_out
def float_power(input: Any, exponent: Any) -> Tensor:
    """Return input ** exponent in float64, or complex128."""
    operands = (as_operand(input), as_operand(exponent))
    wide = promote(result_type(*operands), float64)
    return pow(*(to_dtype(x, wide) if isinstance(x, Tensor) else x for x in operands))


@with_out
@rounded_once
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """Return input * 2 ** other."""
    return mul(as_tensor_like(input, "ldexp"), pow(2.0, as_tensor_like(other, "ldexp")))


@with_out
@rounded_once
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """Return log2(2 ** input + 2 ** other) without overflow."""
    need_float("logaddexp2", as_tensor_like(input, "logaddexp2"))
    need_float("logaddexp2", as_tensor_like(other, "logaddexp2"))
    return div(logaddexp(mul(input, math.log(2)), mul(other, math.log(2))), math.log(2))


@with_out
def frexp(input: Tensor) -> Any:
    """Return (mantissa, exponent): input = mantissa * 2 ** exponent, 0.5 <= |mantissa| < 1."""
    need_float("frexp", input)
    exponent = ops.exponent(input)
    half = exponent // 2  # 2 ** exponent itself may be infinite
    powers = [pow(2.0, to_dtype(-part, input._type.dtype)) for part in (half, exponent - half)]
    return frexp_result(mul(mul(input, powers[0]), powers[1]), exponent)


@with_out
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """Return the greatest common divisor of each pair."""
    return ops.gcd(*meet(as_tensor_like(input, "gcd"), as_tensor_like(other, "gcd")))


@with_out
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """Return the least common multiple of each pair."""
    return ops.lcm(*meet(as_tensor_like(input, "lcm"), as_tensor_like(other, "lcm")))


@with_out
def nextafter(input: Any, other: Any) -> Tensor:
    """Return the floats next to input's in the direction of other's."""
    a, b = meet(input, other)
    need_float("nextafter", a)
    return ops.nextafter(a, b)


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return for places in a flattened tensor of this shape the index of each dim."""
    if indices._type.dtype.kind not in ("int", "uint"):
        raise TypeError(at_line(f"unravel_index wants whole numbers, got {indices._type}"))
    sizes = [shape] if isinstance(shape, int) else [int(size) for size in shape]
    if any(size < 0 for size in sizes):
        raise ValueError(at_line(f"unravel_index wants sizes >= 0, got {sizes}"))
    rest, found = to_dtype(indices, int64), []
    for size in reversed(sizes):
        found.append(rest % size if size else rest)
        rest = rest // size if size else rest
    return tuple(reversed(found))
