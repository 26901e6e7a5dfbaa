"""Elementwise functions of one argument."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dtype import bool_, int64

from .. import creation
from ..tensor import Tensor
from .out import with_out
from .precision import rounded_once
from .promote import (
    as_tensor_like,
    to_dtype,
    to_float,
)

__all__ = [
    "abs", "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctanh", "asin", "asinh", "atan", "atanh", "bitwise_not", "ceil", "clone", "cos", "cosh",
    "deg2rad", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix", "floor", "isfinite", "isinf",
    "isnan", "log", "log10", "log1p", "log2", "logical_not", "neg", "negative", "positive",
    "rad2deg", "reciprocal", "round", "rsqrt", "sgn", "sigmoid", "sign", "sin", "sinh", "sqrt",
    "square", "tan", "tanh", "trunc",
]  # fmt: skip

# -- one argument -------------------------------------------------------------------------------


def _real(op: Op) -> Callable[[Tensor], Tensor]:
    """Return the function that applies a real function; whole numbers become floats first."""

    def apply(input: Tensor) -> Tensor:
        return op(to_float(as_tensor_like(input, op.name)))

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"Return {op.name} of each element."
    return with_out(apply)


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
        return op(input)

    apply.__name__ = apply.__qualname__ = op.name
    apply.__doc__ = f"Return {op.name} of each element."
    return with_out(apply)


floor = _rounding(ops.floor)

ceil = _rounding(ops.ceil)

trunc = fix = _rounding(ops.trunc)

_round = _rounding(ops.round)


@with_out
@rounded_once
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Return each element rounded to `decimals` places, halves to even."""
    if input._type.dtype.is_complex:  # as the array API standard says
        parts = (round(part, decimals=decimals) for part in (ops.real(input), ops.imag(input)))
        return ops.complex(*parts)
    if decimals == 0:
        return _round(input)
    scale = 10.0 ** abs_(decimals)
    return _round(input * scale) / scale if decimals > 0 else _round(input / scale) * scale


def abs_(value: int) -> int:
    """Return the size of a Python number (`abs` is the tensor function here)."""
    return -value if value < 0 else value


@with_out
def neg(input: Tensor) -> Tensor:
    """Return -input."""
    return ops.neg(input)


negative = neg


def positive(input: Tensor) -> Tensor:
    """Return input."""
    return input


@with_out
def abs(input: Tensor) -> Tensor:
    """Return the size of each element; that of complex numbers is real."""
    return ops.magnitude(input) if input._type.dtype.is_complex else ops.abs(input)


absolute = abs


@with_out
def sign(input: Tensor) -> Tensor:
    """Return -1, 0 or 1; of complex numbers input / |input|, the direction, and 0 at 0."""
    if input._type.dtype is bool_:
        return clone(input)
    if input._type.dtype.is_complex:
        return ops.direction(input, ops.magnitude(input))
    return ops.sign(input)


sgn = sign


@with_out
def square(input: Tensor) -> Tensor:
    """Return input * input."""
    x = to_dtype(input, int64) if input._type.dtype is bool_ else input
    return x * x


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """Return a copy; gradients flow through it."""
    return ops.cast(input, dtype=input._type.dtype)


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
    if x._type.dtype.is_inexact:
        return op(x)
    return creation.full(x._type.shape, otherwise, dtype=bool_, device=x.device)


@with_out
def bitwise_not(input: Tensor) -> Tensor:
    """Return each element with its bits turned over; for bools, not."""
    return ops.bitwise_not(input)


@with_out
def logical_not(input: Tensor) -> Tensor:
    """Return where elements are 0."""
    if input._type.dtype is bool_:
        return ops.logical_not(input)
    return input == 0


@with_out
@rounded_once
def deg2rad(input: Tensor) -> Tensor:
    """Return degrees as radians."""
    return input * (math.pi / 180)


@with_out
@rounded_once
def rad2deg(input: Tensor) -> Tensor:
    """Return radians as degrees."""
    return input * (180 / math.pi)
