"""NumPy, where it has the operation: products of matrices and small calls."""

from __future__ import annotations

import numpy as np

from benchmarks import inputs
from benchmarks.case import Case, magnitude
from benchmarks.work import Call, Matmul, Work

VERSION = np.__version__


def use_threads(count: int) -> None:
    """Do nothing: NumPy takes the threads that OMP_NUM_THREADS in the environment says."""


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options."""
    match work:
        case Matmul(m=m, k=k, n=n):
            a, b = inputs.normal(1, m, k), inputs.normal(2, k, n)
            return Case(lambda: a @ b, magnitude)
        case Call():
            x, one = inputs.normal(1, work.size), np.float32(1)
            return Case(lambda: x + one, magnitude)
        case _:
            raise NotImplementedError(f"NumPy has no {type(work).__name__}")
