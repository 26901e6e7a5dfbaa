"""Numba: elementwise work as a loop in Python, compiled with fast maths."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from benchmarks import inputs
from benchmarks.case import Case, magnitude
from benchmarks.work import Call, Elementwise, Work

VERSION = numba.__version__


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    numba.set_num_threads(count)


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; the option "parallel" shares its loop among threads."""
    compiled = numba.njit(parallel="parallel" in options, fastmath=True)
    match work:
        case Elementwise(backward=False):
            return _forward(compiled(_chain), work.size)
        case Call():
            return _forward(compiled(_add_one), work.size)
        case _:
            raise NotImplementedError(f"Numba has no {type(work).__name__}")


def _forward(function: Any, size: int) -> Case:
    x = inputs.normal(1, size)
    return Case(lambda: function(x), magnitude)


def _add_one(x: np.ndarray) -> np.ndarray:
    return x + np.float32(1)


def _chain(x: np.ndarray) -> np.ndarray:
    number = np.float32  # float32 constants keep erf, exp and tanh in float32
    y = np.empty_like(x)
    for i in numba.prange(x.size):
        value = x[i]
        t = value * number(1.5) + number(0.5)
        gelu = number(0.5) * t * (number(1) + number(math.erf(t * number(0.70710678))))
        sigmoid = number(1) / (number(1) + number(math.exp(-value)))
        y[i] = gelu * sigmoid + number(math.tanh(value))
    return y
