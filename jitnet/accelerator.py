"""jitnet.accelerator: what programs ask before they choose a device: is there a GPU?"""

from __future__ import annotations

from . import cuda
from .device import Device


def is_available() -> bool:
    """Return whether a GPU can be used."""
    return cuda.is_available()


def device_count() -> int:
    """Return how many GPUs can be used."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Device | None:
    """Return the kind of the GPUs; None where there is none."""
    return Device("cuda") if cuda.is_available() else None
