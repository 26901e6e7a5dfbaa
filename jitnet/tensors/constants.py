"""Tensors that no op computes: one number everywhere, a count along a dim, leaves of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jitnet.compiler.ir.graph import make
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.ops import full, iota
from jitnet.runtime.memory import aligned_copy, aligned_zeros

from .. import capture
from .. import tensor as tensors
from ..device import CPU, Device
from ..frames import user_line

if TYPE_CHECKING:
    from ..tensor import Tensor


def leaf(op: Op, device: Device | None = None, **params: Any) -> Tensor:
    """Return the traced value of an op without arguments."""
    return tensors.Tensor._from_node(make(op, line=user_line(), **params), device)


def filled(kind: TensorType, value: Any, device: Device | None = CPU) -> Tensor:
    """Return a tensor of one repeated number, in memory of its own."""
    if capture.active is not None and capture.current() is not None:
        return leaf(full, device, shape=kind.shape, dtype=kind.dtype, value=value)
    if device is not CPU and device is not None:
        return tensors._on_gpu().filled(kind, value, device)  # type: ignore[no-any-return]
    if value == 0:
        return tensors._base(aligned_zeros(kind.shape, kind.dtype.numpy), None, kind, device)
    array = aligned_copy(full.eval(shape=kind.shape, dtype=kind.dtype, value=value))
    return tensors._base(array, None, kind, device)


def counting(kind: TensorType, axis: int, device: Device | None = None) -> Tensor:
    """Return the index along axis at every place."""
    if capture.active is not None and capture.current() is not None:
        return leaf(iota, device, shape=kind.shape, dtype=kind.dtype, axis=axis)
    if device is not CPU and device is not None:
        return tensors._on_gpu().counting(kind, axis, device)  # type: ignore[no-any-return]
    array = iota.eval(shape=kind.shape, dtype=kind.dtype, axis=axis)
    return tensors._base(array, None, kind, device)


def constant_like(kind: TensorType, value: Any) -> Tensor:
    """Return one number repeated without memory: an operand only, never to be written."""
    if capture.active is not None and capture.current() is not None:
        return leaf(full, shape=kind.shape, dtype=kind.dtype, value=value)
    array = full.eval(shape=kind.shape, dtype=kind.dtype, value=value)
    return tensors._base(array, None, kind, None)
