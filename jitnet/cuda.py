"""jitnet.cuda: what programs ask before they choose a device. There is no GPU support yet."""

from __future__ import annotations

from .errors import at_line


def is_available() -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def is_initialized() -> bool:
    """Return False."""
    return False


def manual_seed(seed: int) -> None:
    """Do nothing: there are no GPU generators. jitnet.manual_seed seeds the CPU's."""


def manual_seed_all(seed: int) -> None:
    """Do nothing: there are no GPU generators. jitnet.manual_seed seeds the CPU's."""


def empty_cache() -> None:
    """Do nothing: there is no GPU memory."""


def synchronize(device: object = None) -> None:
    """Raise RuntimeError: there is nothing to wait for."""
    raise RuntimeError(at_line("this jitnet runs on the CPU only; leave out cuda.synchronize()"))


def current_device() -> int:
    """Raise RuntimeError: there is no device."""
    raise RuntimeError(at_line("this jitnet runs on the CPU only; use device='cpu'"))
