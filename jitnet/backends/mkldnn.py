"""jitnet.backends.mkldnn: jitnet does not use oneDNN."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """Return False."""
    return False
