"""Tensors in pinned memory of the host, which GPUs read by themselves while the host goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.runtime.layout import address_of

from .. import capture
from ..device import CPU, home
from ..errors import at_line
from ..tensor import Tensor


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Return a copy in pinned memory, contiguous; the tensor itself if it lies there.

    RuntimeError without a GPU, whose driver gives the memory, and for a tensor on one.
    """
    if self.device is not CPU:
        raise RuntimeError(at_line(f"cannot pin {self.type()!r}: only tensors on the CPU are"))
    array = capture.value_of(self, "pin_memory()", "pin it outside of the compiled function")
    if is_pinned(self):
        return self
    made = _pool().empty(array.shape, array.dtype)
    np.copyto(made, array)
    return Tensor._from_array(made)


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Return whether the memory is pinned."""
    if self.device is not CPU or self._array is None or not self._type.numel:
        return False
    from jitnet.runtime.cuda import gpu

    return gpu.is_pinned(address_of(self._copied()))


def record_stream(self: Tensor, stream: Any) -> None:
    """Keep the memory of a tensor on a GPU from others until what a stream does by then is done.

    For a tensor that a stream other than its own reads, and that may be let go before that.
    """
    if not self.is_cuda:
        raise RuntimeError(at_line(f"record_stream() is for tensors on a GPU, not {self.type()}"))
    capture.refuse("record_stream()", "call it outside of the compiled function")
    from ..on_gpu import array_of

    array_of(self).memory.used_by(stream.cuda_stream)


def _pool() -> Any:
    from jitnet.runtime.cuda.gpu import gpu_of, pinned

    return pinned(gpu_of(home("cuda")))
