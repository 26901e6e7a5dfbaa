"""Writes into tensors, and the histories of those who view what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import capture, tape
from .. import tensor as tensors
from ..capture import set_attribute
from ..device import CPU
from ..errors import at_line
from .placement import common_device
from .views import written

if TYPE_CHECKING:
    from ..tensor import Tensor


def check_writable(tensor: Tensor) -> None:
    """Raise where PyTorch does: a write into a leaf that requires gradients."""
    origin = origin_of(tensor)
    if origin._grad_fn is None and origin._requires_grad:
        kind = "a leaf" if origin is tensor else "a view of a leaf"
        raise RuntimeError(
            at_line(
                f"{kind} Variable that requires grad is being used in an in-place operation; "
                "write inside `with jitnet.no_grad():`"
            )
        )


def check_places(tensor: Tensor) -> None:
    """Raise where several elements lie in one place: only one of them could be written."""
    for size, step in zip(tensor._type.shape, tensors.strides_of(tensor), strict=True):
        if step == 0 and size > 1:
            raise RuntimeError(
                at_line(
                    "unsupported operation: several elements of an expanded tensor share one "
                    "place in memory; clone() it before writing in place"
                )
            )


def write(tensor: Tensor, value: Tensor) -> None:
    """Put value where tensor's elements are, and count the write."""
    if not tensor._type.numel:
        return
    trace = None if capture.active is None else capture.current()
    check_places(tensor)
    if trace is None:
        device = common_device((tensor, value))
        if device is CPU or device is None:
            np.copyto(tensor._copied(), value._copied())
        else:
            tensors._on_gpu().write(tensor, value)
    else:
        base = tensors.base_of(tensor)
        trace.write(base, written(trace.read(base), tensor._view, tensors.node_of(value)))
    _count(tensor)


def _count(tensor: Tensor) -> None:
    """Note a write. One through `.data` is for autograd's eyes only where a trace made the value.

    There the tape keeps values, not memory, and would go on with those from before the write.
    """
    counter = tensor._counter
    set_attribute(counter, "count", counter.count + 1)
    if tensor._apart is not None:
        set_attribute(tensor._apart, "count", tensor._apart.count + 1)
        if tensors.base_of(tensor)._array is not None:
            set_attribute(counter, "unseen", counter.unseen + 1)


def origin_of(tensor: Tensor) -> Tensor:
    """Return the tensor whose history a write into this one changes."""
    origin = tensor._origin
    if origin is None:
        return tensor
    while origin._origin is not None:  # it became a view itself: its shape was changed in place
        tensor._origin = origin = origin._origin
    return origin


def follow_origin(view: Tensor) -> None:
    """Make the view's history anew: its origin was written in place since.

    Movement's gradients read types only, so the steps between need no values.
    """
    now = origin = origin_of(view)
    for op, params in view._view[len(origin._view) :]:
        kind = op.type(now._type, **params)
        moved = tensors._view_of(now, (op, params), kind, None, None, None)
        if now._requires_grad:
            moved._requires_grad = True
            moved._grad_fn = tape.OpNode(op, (now,), params, moved)
        now = moved
    set_attribute(view, "_requires_grad", now._requires_grad)
    set_attribute(view, "_grad_fn", now._grad_fn)
    set_attribute(view, "_output_nr", now._output_nr)
    set_attribute(view, "_origin_fn", origin._grad_fn)
