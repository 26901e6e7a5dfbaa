"""jitnet.backends.openmp: jitnet does not use OpenMP."""

from __future__ import annotations


def is_available() -> bool:
    """Return False."""
    return False
