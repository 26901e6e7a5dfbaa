"""The gamma function's logarithm and its derivative, by Stirling's series in float64.

z is moved to at least 8 first: lgamma(z) = lgamma(z + 8) - log(z (z + 1) ... (z + 7)). Arguments
below 1/2 are reflected (Abramowitz and Stegun, 6.1.17, 6.1.40, 6.3.7, 6.3.18).
"""

from __future__ import annotations

import math

from jitnet.runtime.dtype import float64

from ..tensor import Tensor
from .choice import where
from .out import with_out
from .promote import to_dtype, to_float
from .unary import abs as size_of
from .unary import floor, isinf, log, sin, tan

_SHIFT = 8
_LARGE = 1e8  # from here on the series needs no shift, whose product would overflow
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_BERNOULLI = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760)


def _reflected(input: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x in float64, whether it is below 1/2, x there (1/4 elsewhere), and 1 - x or x."""
    x = to_dtype(to_float(input), float64)
    small = x < 0.5
    return x, small, where(small, x, 0.25), where(small, 1 - x, x)


def _series(terms: tuple[float, ...], square: Tensor) -> Tensor:
    """Return the polynomial of the terms in square, the first one being constant."""
    total: Tensor | float = terms[-1]
    for term in reversed(terms[:-1]):
        total = total * square + term
    return total  # type: ignore[return-value]


@with_out
def lgamma(input: Tensor) -> Tensor:
    """Return log |gamma(input)|: infinity at 0, -1, -2 ..."""
    x, small, below, z = _reflected(input)
    moved = z < _LARGE
    near = where(moved, z, 1.0)
    product = near
    for step in range(1, _SHIFT):
        product = product * (near + step)
    product = where(moved, product, 1.0)
    large = where(moved, near + _SHIFT, where(isinf(x), _LARGE, z))
    inverse = 1 / large
    tail = inverse * _series(_STIRLING, inverse * inverse)
    value = (large - 0.5) * log(large) - large + 0.5 * math.log(2 * math.pi) + tail - log(product)
    mirror = math.log(math.pi) - log(size_of(sin((below - floor(below)) * math.pi)))
    found = where(small, mirror - value, value)
    return to_dtype(where(isinf(x), math.inf, found), to_float(input)._type.dtype)


@with_out
def digamma(input: Tensor) -> Tensor:
    """Return the derivative of lgamma: NaN at -1, -2 ..., minus infinity at 0 (plus at -0)."""
    x, small, below, z = _reflected(input)
    total = 1 / z
    for step in range(1, _SHIFT):
        total = total + 1 / (z + step)
    large = z + _SHIFT
    square = 1 / (large * large)
    value = log(large) - 0.5 / large + square * _series(_BERNOULLI, square) - total
    poles = (below == floor(below)) & (below < 0)
    part = below - floor(below)
    mirror = math.pi / tan(where(poles, 0.25, part) * math.pi)
    found = where(small, where(poles, math.nan, value - mirror), value)
    return to_dtype(where(x == 0, -1 / x, found), to_float(input)._type.dtype)
