"""Normalizations that return their statistics, too: torch.native_layer_norm and kin."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import DType, float32

from ..tensor import Tensor
from .normalization import batch_norm, group_norm, layer_norm
from .out import with_out
from .promote import to_dtype
from .reduction import mean, var
from .unary import rsqrt

Three = tuple[Tensor, Tensor, Tensor]


def _statistics(x: Tensor, dims: Sequence[int], eps: float, keepdim: bool, dtype: DType) -> Three:
    """Return the mean and one over the root of the variance, as they are kept for a gradient.

    Those of layers and batches have no gradient themselves, as in PyTorch.
    """
    wide = to_dtype(x, float32) if x._type.dtype.narrow else x
    middle = mean(wide, dims, keepdim)
    turned = rsqrt(var(wide, dims, keepdim=keepdim, correction=0) + eps)
    return x, to_dtype(middle, dtype), to_dtype(turned, dtype)


def native_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Three:
    """Return (layer_norm, mean, rstd)."""
    result = layer_norm(input, normalized_shape, weight, bias, eps)
    dims = list(range(input.ndim - len(normalized_shape), input.ndim))
    return result, *_statistics(input.detach(), dims, eps, True, input._type.dtype)[1:]


def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,  # noqa: N803
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    eps: float,
) -> Three:
    """Return (group_norm, mean, rstd) of N images of C channels and HxW pixels."""
    result = group_norm(input.reshape(N, C, HxW), group, weight, bias, eps)
    rows = input.reshape(N, group, C // group * HxW)
    middle, turned = _statistics(rows, [2], eps, False, input._type.dtype)[1:]
    return result.reshape(input._type.shape), middle, turned


@with_out
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Three:
    """Return (batch_norm, mean, rstd); outside of training, the last two are empty."""
    result = batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        nothing = input.new_empty((0,))
        return result, nothing, nothing
    shape = input._type.shape
    rows = input.reshape(*shape[:2], numel(shape[2:]))
    return result, *_statistics(rows.detach(), [0, 2], eps, False, input._type.dtype)[1:]
