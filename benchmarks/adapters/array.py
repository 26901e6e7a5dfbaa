"""NumPy, where it has the operation (erf is SciPy's)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import inputs
from benchmarks.case import Case, magnitude
from benchmarks.work import Call, Elementwise, Matmul, Work

VERSION = np.__version__


def use_threads(count: int) -> None:
    """Do nothing: NumPy takes the threads that OMP_NUM_THREADS in the environment says."""


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options."""
    match work:
        case Elementwise(backward=False):
            from scipy.special import erf

            x = inputs.normal(1, work.size)
            return Case(lambda: _chain(x, erf), magnitude)
        case Matmul(m=m, k=k, n=n):
            a, b = inputs.normal(1, m, k), inputs.normal(2, k, n)
            return Case(lambda: a @ b, magnitude)
        case Call():
            x, one = inputs.normal(1, work.size), np.float32(1)
            return Case(lambda: x + one, magnitude)
        case _:
            raise NotImplementedError(f"NumPy has no {type(work).__name__}")


def _chain(x: np.ndarray, erf: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    number = np.float32
    t = x * number(1.5) + number(0.5)
    gelu = number(0.5) * t * (number(1) + erf(t * number(np.sqrt(0.5))))
    return gelu / (number(1) + np.exp(-x)) + np.tanh(x)
