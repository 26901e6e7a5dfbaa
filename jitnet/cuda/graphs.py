"""PyTorch's names about CUDA graphs: here jitnet.compile makes one of a function's launches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitnet.absent import absent
from jitnet.compile import compile, compile_in_place
from jitnet.nn import Module

_INSTEAD = "jitnet.compile(step) is one CUDA graph by itself from its third call on"
CUDAGraph = absent("cuda.CUDAGraph", _INSTEAD)
graph = absent("cuda.graph", _INSTEAD)


def is_current_stream_capturing() -> bool:
    """Return False: graphs are captured in streams of their own."""
    return False


def make_graphed_callables(
    callables: Callable[..., Any] | tuple[Callable[..., Any], ...],
    sample_args: Any,
    **options: Any,
) -> Any:
    """Return functions, or modules, that run compiled: calls that repeat are one CUDA graph.

    sample_args, and options such as num_warmup_iters, change nothing: each call's own arguments
    decide, and those of other shapes are compiled anew.
    """
    if isinstance(callables, tuple):
        return tuple(make_graphed_callables(each, sample_args) for each in callables)
    if not isinstance(callables, Module):
        return compile(callables)
    compile_in_place(callables)
    return callables
