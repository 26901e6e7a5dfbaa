"""jitnet.cuda: what programs ask before they choose a device. There is no GPU support yet.

Each answers as PyTorch does without a GPU: queries say that there is nothing, what would only tidy
up does nothing, and what needs a GPU raises RuntimeError.
"""

from __future__ import annotations

from typing import Any, NoReturn

from jitnet.errors import at_line
from jitnet.missing import missing

from . import amp as amp


class OutOfMemoryError(RuntimeError):
    """What a GPU without memory raises: nothing here does."""


def _refuse(name: str) -> NoReturn:
    raise RuntimeError(
        at_line(
            f"cuda.{name} wants a GPU, and this jitnet runs on the CPU only; leave it out, "
            "or ask cuda.is_available() first"
        )
    )


# -- is there one? ------------------------------------------------------------------------------


def is_available() -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


_initialized = False


def is_initialized() -> bool:
    """Return False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False: of GPUs."""
    return False


def get_arch_list() -> list[str]:
    """Return no architectures."""
    return []


# -- devices ------------------------------------------------------------------------------------


def init() -> None:
    """Raise RuntimeError: there is nothing to start."""
    _refuse("init()")


def current_device() -> int:
    """Raise RuntimeError: there is no device."""
    _refuse("current_device()")


def set_device(device: Any) -> None:
    """Raise RuntimeError: there is no device."""
    _refuse("set_device()")


def get_device_name(device: Any = None) -> str:
    """Raise RuntimeError: there is no device."""
    _refuse("get_device_name()")


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Raise RuntimeError: there is no device."""
    _refuse("get_device_capability()")


def get_device_properties(device: Any = None) -> Any:
    """Raise RuntimeError: there is no device."""
    _refuse("get_device_properties()")


def synchronize(device: Any = None) -> None:
    """Raise RuntimeError: there is nothing to wait for."""
    _refuse("synchronize()")


class device:  # noqa: N801
    """A context manager that chooses a device: None or -1, which change nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else device

    def __enter__(self) -> None:
        if self.idx != -1:
            _refuse(f"device({self.idx!r})")

    def __exit__(self, *exc_info: object) -> None:
        pass


# -- random numbers -----------------------------------------------------------------------------


def manual_seed(seed: int) -> None:
    """Do nothing: there are no GPU generators. jitnet.manual_seed seeds the CPU's."""


def manual_seed_all(seed: int) -> None:
    """Do nothing: there are no GPU generators. jitnet.manual_seed seeds the CPU's."""


def seed() -> None:
    """Do nothing: there are no GPU generators."""


def seed_all() -> None:
    """Do nothing: there are no GPU generators."""


def get_rng_state(device: Any = "cuda") -> Any:
    """Raise RuntimeError: there is no GPU generator."""
    _refuse("get_rng_state()")


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Do nothing: there is no GPU generator."""


def get_rng_state_all() -> list[Any]:
    """Return the states of no generators."""
    return []


def set_rng_state_all(new_states: Any) -> None:
    """Do nothing: there are no GPU generators."""


# -- memory -------------------------------------------------------------------------------------


def empty_cache() -> None:
    """Do nothing: there is no GPU memory."""


def ipc_collect() -> None:
    """Do nothing: there is no GPU memory."""


def memory_allocated(device: Any = None) -> int:
    """Return 0: the bytes of tensors in GPU memory."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return 0: the most bytes that tensors had in GPU memory."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Return 0: the bytes of GPU memory that were kept for tensors."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """Return 0: the most bytes of GPU memory that were kept for tensors."""
    return 0


memory_cached = memory_reserved
max_memory_cached = max_memory_reserved


def memory_stats(device: Any = None) -> dict[str, Any]:
    """Return no statistics."""
    return {}


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """Say that there is no GPU memory."""
    return "jitnet runs on the CPU only: there is no GPU memory"


def reset_peak_memory_stats(device: Any = None) -> None:
    """Do nothing: there is no GPU memory."""


reset_max_memory_allocated = reset_peak_memory_stats
reset_max_memory_cached = reset_peak_memory_stats


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Raise RuntimeError: there is no GPU memory."""
    _refuse("mem_get_info()")


# -- streams ------------------------------------------------------------------------------------


class Stream:
    """A queue of work on a GPU: RuntimeError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("Stream()")


class Event:
    """A mark in a queue of work on a GPU: RuntimeError. For times use time.perf_counter()."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("Event() (for times use time.perf_counter())")


class stream:  # noqa: N801
    """A context manager that chooses a stream: None, which changes nothing."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass


def current_stream(device: Any = None) -> Stream:
    """Raise RuntimeError: there are no streams."""
    _refuse("current_stream()")


def default_stream(device: Any = None) -> Stream:
    """Raise RuntimeError: there are no streams."""
    _refuse("default_stream()")


__getattr__ = missing(__name__, globals())
