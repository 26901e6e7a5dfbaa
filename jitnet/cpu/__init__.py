"""jitnet.cpu: what programs ask of the one device that there is."""

from __future__ import annotations

from . import amp as amp


def is_available() -> bool:
    """Return True."""
    return True


def device_count() -> int:
    """Return 1."""
    return 1


def current_device() -> str:
    """Return "cpu"."""
    return "cpu"


def synchronize(device: object = None) -> None:
    """Do nothing: what was called has been computed."""
