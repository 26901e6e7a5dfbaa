"""jitnet.cuda: the GPUs, their memory, streams and generators, under PyTorch's names.

Without a GPU each answers as PyTorch does: queries say that there is nothing, what would only tidy
up does nothing, and what needs a GPU raises RuntimeError, which says why there is none. Loaded when
first asked: a start without a GPU does without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from jitnet.missing import missing

from . import amp as amp

_NAMES = {
    "devices": (
        "CudaError can_device_access_peer current_device device device_count device_of "
        "get_arch_list get_device_capability get_device_name get_device_properties init "
        "is_available is_bf16_supported is_initialized is_tf32_supported set_device synchronize"
    ),
    "memory": (
        "OutOfMemoryError empty_cache get_per_process_memory_fraction ipc_collect "
        "max_memory_allocated max_memory_reserved "
        "mem_get_info memory_allocated memory_reserved memory_stats memory_summary "
        "reset_peak_memory_stats memory_cached max_memory_cached reset_max_memory_allocated "
        "reset_max_memory_cached set_per_process_memory_fraction"
    ),
    "random": (
        "get_rng_state get_rng_state_all initial_seed manual_seed manual_seed_all seed "
        "seed_all set_rng_state set_rng_state_all"
    ),
    "streams": (
        "Event ExternalStream Stream StreamContext current_stream default_stream "
        "get_stream_from_external set_stream stream"
    ),
    "graphs": "CUDAGraph graph is_current_stream_capturing make_graphed_callables",
    "nvtx": "",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}
_absent = missing(__name__, {**globals(), **_HOME})


def __getattr__(name: str) -> Any:
    if name == "_initialized":  # copies of PyTorch's checkpoint() ask by this name
        return __getattr__("is_initialized")()
    if name in _NAMES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        return _absent(name)
    found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
