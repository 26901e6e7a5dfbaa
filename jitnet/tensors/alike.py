"""Tensors like another one: new_zeros, zeros_like and their kin."""

from __future__ import annotations

from typing import Any

from jitnet.runtime.dtype import DType

from ..tensor import Tensor
from . import making
from .size import Size


def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return data as a tensor of this tensor's dtype."""
    return making.tensor(data, dtype or self._type.dtype, device or self.device, requires_grad)


def new_full(
    self: Tensor,
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a filled tensor of this tensor's dtype."""
    return making.full(
        size,
        fill_value,
        dtype=dtype or self._type.dtype,
        device=device or self.device,
        requires_grad=requires_grad,
    )


def new_zeros(
    self: Tensor,
    *size: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return zeros of this tensor's dtype."""
    return new_full(
        self, making.sizes(size), 0, dtype=dtype, device=device, requires_grad=requires_grad
    )


def new_empty_strided(
    self: Tensor,
    size: Any,
    stride: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return memory of these sizes and strides, of this tensor's dtype."""
    from ..functional.strides import empty_strided

    dtype, device = dtype or self._type.dtype, device or self.device
    return empty_strided(size, stride, dtype=dtype, device=device, requires_grad=requires_grad)


def new_ones(
    self: Tensor,
    *size: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones of this tensor's dtype."""
    return new_full(
        self, making.sizes(size), 1, dtype=dtype, device=device, requires_grad=requires_grad
    )


def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """Return a tensor of values, or zeros of given sizes, of this tensor's dtype: an older name."""
    if len(data) == 1 and not isinstance(data[0], int | Size):
        return new_tensor(self, data[0], device=device)
    return new_zeros(self, *(data or (0,)), device=device)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of input's shape (and dtype) with fill_value everywhere."""
    dtype, device = dtype or input._type.dtype, device or input.device
    return making.full(
        input._type.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad
    )


def zeros_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return zeros of input's shape and dtype."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return ones of input's shape and dtype."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


empty_like = zeros_like
