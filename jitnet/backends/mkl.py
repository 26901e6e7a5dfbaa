"""jitnet.backends.mkl: jitnet does not use MKL."""

from __future__ import annotations


def is_available() -> bool:
    """Return False."""
    return False
