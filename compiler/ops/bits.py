"""What NumPy knows of numbers bit by bit: common divisors, neighbours, exponents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op, always
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int32

from . import check
from .elementwise import FLOAT, INTEGER, eq, where
from .leaves import full_like


def _pair(name: str, function: Callable[..., Any], kinds: tuple[str, ...]) -> Op:
    """Return the op that applies NumPy's function to pairs of elements of these kinds."""

    def type_(a: TensorType, b: TensorType) -> TensorType:
        check.kind(name, kinds, a)
        check.same_shape(name, a, b)
        check.same_dtype(name, a, b)
        return a

    return Op(name, type_, lambda a, b: np.asarray(function(a, b)), lower=Host())


gcd = _pair("gcd", np.gcd, INTEGER)
lcm = _pair("lcm", np.lcm, INTEGER)
nextafter = replace(
    _pair("nextafter", np.nextafter, FLOAT),
    grad=lambda g, y, a, b: (where(eq(a, b), full_like(g, value=0), g), None),
    keeps=(0, 1),
    moves=always,  # the neighbours of a float are those of its own format
)


def _exponent_type(x: TensorType) -> TensorType:
    check.kind("exponent", FLOAT, x)
    return TensorType(int32, x.shape)


def _exponent(x: np.ndarray) -> np.ndarray:
    """Return e of x = m * 2 ** e with 0.5 <= |m| < 1; 0 for 0 and what is not finite."""
    return np.asarray(np.frexp(x)[1], np.int32)


exponent = Op("exponent", _exponent_type, _exponent, lower=Host())

OPS = (gcd, lcm, nextafter, exponent)
