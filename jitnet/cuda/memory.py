"""How much of a GPU's memory tensors and programs have, and how much is kept for the next."""

from __future__ import annotations

import gc
from typing import Any

from jitnet.runtime.cuda import gpu as gpus
from jitnet.runtime.cuda.allocator import Statistics, shown
from jitnet.runtime.cuda.driver import OutOfMemoryError as OutOfMemoryError

from .devices import gpu_named

_NOTHING = Statistics()


def _statistics(device: Any) -> Statistics:
    """Return a GPU's statistics; nothing where none has been used."""
    return gpu_named(device).allocator.statistics if gpus.opened() else _NOTHING


def empty_cache() -> None:
    """Give the driver back all memory that nobody uses."""
    gc.collect()
    for gpu in gpus.opened():
        gpu.tidy()
        gpu.allocator.empty_cache()
    gpus.unpin_unused()


def ipc_collect() -> None:
    """Do nothing: memory is not shared between processes."""


def memory_allocated(device: Any = None) -> int:
    """Return the bytes that tensors and programs have."""
    return _statistics(device).allocated


def max_memory_allocated(device: Any = None) -> int:
    """Return the most bytes that tensors and programs have had."""
    return _statistics(device).peak_allocated


def memory_reserved(device: Any = None) -> int:
    """Return the bytes that were taken from the driver: those, and what is kept for the next."""
    return _statistics(device).reserved


def max_memory_reserved(device: Any = None) -> int:
    """Return the most bytes that were taken from the driver."""
    return _statistics(device).peak_reserved


def memory_stats(device: Any = None) -> dict[str, Any]:
    """Return the statistics under PyTorch's names; none where no GPU has been used."""
    if not gpus.opened():
        return {}
    found = _statistics(device)
    return {
        "allocated_bytes.all.current": found.allocated,
        "allocated_bytes.all.peak": found.peak_allocated,
        "reserved_bytes.all.current": found.reserved,
        "reserved_bytes.all.peak": found.peak_reserved,
        "allocation.all.allocated": found.allocations,
        "segment.all.current": found.segments,
        "num_alloc_retries": found.retries,
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """Return the statistics as a person reads them."""
    if not gpus.opened():
        return "no GPU has been used"
    found = _statistics(device)
    return (
        f"{gpu_named(device)}: {shown(found.allocated)} in use (at most "
        f"{shown(found.peak_allocated)}), {shown(found.reserved)} taken from the driver (at most "
        f"{shown(found.peak_reserved)}) in {found.segments} segments"
    )


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forget what was at most."""
    if gpus.opened():
        _statistics(device).reset_peaks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Return the bytes that are free on a GPU, and how many there are."""
    return gpu_named(device).driver.memory_info()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Let tensors and programs take this part of a GPU's memory at most."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"the fraction of the memory is from 0 to 1, got {fraction}")
    gpu_named(device).allocator.fraction = float(fraction)


def get_per_process_memory_fraction(device: Any = None) -> float:
    """Return the part of a GPU's memory that tensors and programs may take."""
    return gpu_named(device).allocator.fraction


memory_cached = memory_reserved
max_memory_cached = max_memory_reserved
reset_max_memory_allocated = reset_peak_memory_stats
reset_max_memory_cached = reset_peak_memory_stats
