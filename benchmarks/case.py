"""What an adapter makes of a workload: something to step, to wait for and to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def _nothing(result: Any) -> None:
    """Results of synchronous peers are there at once."""


@dataclass(frozen=True)
class Case:
    """One workload as one peer runs it."""

    step: Callable[[], Any]
    value: Callable[[Any], float]  # a number that all peers must agree on
    wait: Callable[[Any], None] = _nothing  # returns when a step's result is there


def magnitude(array: np.ndarray) -> float:
    """Return the sum of absolute values, in float64."""
    return float(np.abs(np.asarray(array, np.float64)).sum())
