"""What an adapter makes of a workload: something to step, to wait for and to read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


def _nothing(result: Any = None) -> None:
    """Results of synchronous peers are there at once."""


def _no_digest(result: Any) -> str:
    return ""


@dataclass(frozen=True)
class Case:
    """One workload as one peer runs it."""

    step: Callable[[], Any]
    value: Callable[[Any], float]  # a number that all peers must agree on
    wait: Callable[[Any], None] = _nothing  # returns when a step's result is there
    load: Callable[[], None] = _nothing  # compiles, where that is not a part of the first step
    between: Callable[[], None] | None = None  # done before each step, and not timed
    digest: Callable[[Any], str] = _no_digest  # of all bits that the steps so far have made


def magnitude(array: np.ndarray) -> float:
    """Return the sum of absolute values, in float64."""
    return float(np.abs(np.asarray(array, np.float64)).sum())


def digest_of(arrays: Iterable[np.ndarray]) -> str:
    """Return a hash of the arrays' bits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))  # no copies: the peak of memory is measured too
    return digest.hexdigest()
