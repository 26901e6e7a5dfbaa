"""Tensors from one device to another."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .. import capture, creation
from ..device import CPU, Device, placed
from ..errors import CompileError, at_line
from ..modes import mode
from ..tensor import Tensor, _base, node_of
from .nodes import Gradients, TapeNode


class MoveNode(TapeNode):
    """A tensor that was copied to another device: its gradient goes back."""

    __slots__ = ("device",)

    def __init__(self, x: Tensor) -> None:
        super().__init__((x,))
        self.device = x.device

    def name(self) -> str:
        """Return PyTorch's name."""
        return "ToCopyBackward0"

    def gradients(self, grads: list[Tensor | None]) -> Gradients:
        """Return the gradient where the tensor came from."""
        (gradient,) = grads
        assert gradient is not None
        return (moved(gradient, self.device),)


def moved(x: Tensor, where: Any, non_blocking: bool = False) -> Tensor:
    """Return x on a device: x itself if it is there.

    non_blocking: a copy from pinned memory may go on while the host does; so does one to the CPU,
    into pinned memory: synchronize before reading it.
    """
    device = placed(where)
    if x._device is device:
        return x
    if x._device is None and device is CPU and not creation.tracing():
        x._device = CPU
        return x
    if x._elsewhere():
        return x._moved(device, non_blocking)
    if creation.tracing():
        return _in_a_trace(x, device)
    return recorded(_copied(x, device, non_blocking), x)


def recorded(made: Tensor, x: Tensor) -> Tensor:
    """Return a copy of x on another device, with its history."""
    if mode.now.enabled and x.requires_grad:
        made._requires_grad = True
        made._grad_fn = MoveNode(x)
    return made


def _copied(x: Tensor, device: Device, non_blocking: bool) -> Tensor:
    from .. import on_gpu

    if device is CPU:
        copy = on_gpu.pinned_copy if non_blocking else on_gpu.host_copy
        return _base(copy(x), None, x._type)
    if x._device is CPU or x._device is None:
        array = on_gpu.uploaded(x._copied(), device, non_blocking)
    else:
        array = on_gpu.sent(x, device)
    if not array.layout.is_contiguous or x._type.numel == 1:
        return on_gpu.tensor_of(on_gpu.packed(on_gpu.tensor_of(array), copy=True))
    return _base(cast(np.ndarray, array), None, x._type, device)


def _in_a_trace(x: Tensor, device: Device) -> Tensor:
    """Return what a call brings to the GPU when it begins, or back to the CPU when it ends.

    The program runs on one GPU: there too what the function computes on the CPU before or after.
    """
    if x._device is None or x._type.numel == 0:
        made = Tensor._from_node(node_of(x), device)
        made._weak = x._weak and device is CPU
        return made
    between = f"this moves {x._type} from {x.device} to {device}"
    if x.device is not CPU and device is not CPU:
        raise CompileError(
            at_line(f"a compiled function runs on one GPU, and {between}; move it before the call")
        )
    if x.requires_grad and mode.now.enabled:
        raise CompileError(
            at_line(
                f"{between} with its history, and a compiled function's gradients are on one "
                "device: move it before the call or after it, or detach() it"
            )
        )
    trace = capture.current()
    assert trace is not None
    trace.moves |= {x.device, device}
    return Tensor._from_node(node_of(x), device)
