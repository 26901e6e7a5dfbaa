"""Scalar functions as vector IR: inlined polynomials, never a libm call."""

from .cast import emit_cast, from_memory, to_memory
from .philox import normal, philox4x32, random_words, uniform32, uniform64
from .reduction import combine, horizontal
from .table import SCALARS, Scalar, emit_scalar

__all__ = [
    "SCALARS",
    "Scalar",
    "combine",
    "emit_cast",
    "emit_scalar",
    "from_memory",
    "horizontal",
    "normal",
    "philox4x32",
    "random_words",
    "to_memory",
    "uniform32",
    "uniform64",
]
