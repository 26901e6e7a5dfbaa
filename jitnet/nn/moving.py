"""Understand the arguments of Module.to."""

from __future__ import annotations

from typing import Any

from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor


def parse_target(
    *args: Any,
    device: Any = None,
    dtype: DType | None = None,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> tuple[Any, DType | None]:
    """Return (device, dtype) of to(dtype), to(device), to(device, dtype) or to(tensor)."""
    del non_blocking, memory_format  # parameters are not pinned; the compiler chooses layouts
    for arg in args:
        match arg:
            case DType():
                dtype = arg
            case Tensor():
                device, dtype = arg.device, arg.dtype
            case bool() | None:  # to(device, dtype, non_blocking)
                continue
            case _:
                device = arg
    if dtype is not None and not dtype.is_inexact:
        raise TypeError(f"Module.to wants a floating-point dtype, got {dtype}")
    return device, dtype
