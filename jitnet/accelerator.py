"""jitnet.accelerator: what programs ask before they choose a device. There is none but the CPU."""

from __future__ import annotations

from .device import Device


def is_available() -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def current_accelerator(check_available: bool = False) -> Device | None:
    """Return None."""
    return None
