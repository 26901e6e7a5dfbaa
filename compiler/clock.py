"""How long each step of a compilation takes."""

from __future__ import annotations

import time


class Clock:
    """Measures the steps of one compilation."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._started = time.perf_counter()

    def done(self, phase: str) -> None:
        """Note that a step has ended, and the next begins."""
        now = time.perf_counter()
        self.phases[phase] = self.phases.get(phase, 0.0) + now - self._started
        self._started = now
