"""Normalizations: batch, layer, group, instance and root-mean-square."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.dims import numel

from ..errors import ShapeError, at_line
from ..grad_mode import no_grad
from ..tensor import Tensor
from .arithmetic import add, div, mul, pow, sub
from .padding import pad
from .pooling import avg_pool2d
from .precision import rounded_as_input
from .promote import need_float, need_inexact
from .reduction import mean
from .unary import clone, rsqrt


def _channels_first(value: Tensor | None, rank: int, channels: int, name: str) -> Tensor | None:
    """Return a vector of one number for each channel as [1, C, 1, ...]."""
    if value is None:
        return None
    if value._type.shape != (channels,):
        raise ShapeError(
            at_line(f"{name} wants a vector of {channels} channels, got {value._type}")
        )
    return value.reshape(1, channels, *(1,) * (rank - 2))  # type: ignore[no-any-return]


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = mul(x, weight)
    return x if bias is None else add(x, bias)


def _standard(x: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return x with mean 0 and variance 1 along dims, and that mean and variance."""
    middle = mean(x, dims, keepdim=True)
    away = sub(x, middle)
    variance = mean(mul(away, away), dims, keepdim=True)
    return mul(away, rsqrt(add(variance, eps))), middle, variance


@rounded_as_input
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel (dim 1) over all other dims; in training, move the running numbers."""
    need_float("batch_norm", input)
    if input.ndim < 2 and input._type.shape != (0,):
        raise ShapeError(
            at_line(f"batch_norm wants at least 2 dims [N, C, ...], got {input._type}")
        )
    if input.ndim < 2:
        return clone(input)
    rank, channels = input.ndim, input._type.shape[1]
    scale = _channels_first(weight, rank, channels, "batch_norm's weight")
    shift = _channels_first(bias, rank, channels, "batch_norm's bias")
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                at_line("batch_norm wants running_mean and running_var when it is not training")
            )
        middle = _channels_first(running_mean, rank, channels, "running_mean")
        variance = _channels_first(running_var, rank, channels, "running_var")
        assert middle is not None and variance is not None
        return _scaled(mul(sub(input, middle), rsqrt(add(variance, eps))), scale, shift)
    if eps <= 0:
        raise ValueError(at_line(f"batch_norm eps must be positive during training, but got {eps}"))
    dims = (0, *range(2, rank))
    if not input._type.numel:
        return _scaled(input, scale, shift)
    count = input._type.numel // channels
    if count == 1:
        raise ValueError(
            at_line(
                f"Expected more than 1 value per channel when training, got input size "
                f"{list(input._type.shape)}"
            )
        )
    normal, middle, variance = _standard(input, dims, eps)
    _move(running_mean, middle, momentum, 1.0)
    _move(running_var, variance, momentum, count / (count - 1))
    return _scaled(normal, scale, shift)


def _move(running: Tensor | None, now: Tensor, momentum: float, factor: float) -> None:
    """Move a running number towards what this batch has."""
    if running is None:
        return
    with no_grad():
        found = now.detach().reshape(running._type.shape).to(running._type.dtype)
        running._assign(add(mul(running, 1 - momentum), mul(found, momentum * factor)))


@rounded_as_input
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize over the last dims, whose sizes are normalized_shape."""
    need_float("layer_norm", input)
    dims = _last(input, normalized_shape, "layer_norm", weight, bias)
    return _scaled(_standard(input, dims, eps)[0], weight, bias)


def _last(
    x: Tensor, sizes: int | Sequence[int], name: str, *vectors: Tensor | None
) -> tuple[int, ...]:
    """Return the last dims, after checking their sizes."""
    shape = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if not shape or x._type.shape[x.ndim - len(shape) :] != shape or len(shape) > x.ndim:
        raise ShapeError(
            at_line(f"{name} wants an input that ends in {list(shape)}, got {x._type}")
        )
    for value in vectors:
        if value is not None and value._type.shape != shape:
            raise ShapeError(
                at_line(f"{name} wants weight and bias of shape {list(shape)}, got {value._type}")
            )
    return tuple(range(x.ndim - len(shape), x.ndim))


@rounded_as_input
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Divide by the root of the mean of squares over the last dims."""
    need_inexact("rms_norm", input)
    dims = _last(input, normalized_shape, "rms_norm", weight)
    if eps is None:
        import numpy as np

        eps = float(np.finfo(input._type.dtype.numpy).eps)
    square = mean(mul(input, input), dims, keepdim=True)
    return _scaled(mul(input, rsqrt(add(square, eps))), weight, None)


@rounded_as_input
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each group of channels over the group and all spatial dims."""
    need_float("group_norm", input)
    if input.ndim < 2:
        raise ShapeError(
            at_line(f"group_norm wants at least 2 dims [N, C, ...], got {input._type}")
        )
    batch, channels = input._type.shape[:2]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(
            at_line(f"group_norm wants channels ({channels}) that {num_groups} groups divide")
        )
    grouped = input.reshape(batch, num_groups, -1) if input._type.numel else input
    normal = _standard(grouped, (grouped.ndim - 1,), eps)[0].reshape(input._type.shape)
    scale = _channels_first(weight, input.ndim, channels, "group_norm's weight")
    shift = _channels_first(bias, input.ndim, channels, "group_norm's bias")
    return _scaled(normal, scale, shift)


@rounded_as_input
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of each sample over its spatial dims."""
    need_float("instance_norm", input)
    if input.ndim < 3:
        raise ShapeError(at_line(f"instance_norm wants [N, C, spatial ...], got {input._type}"))
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    rank, channels = input.ndim, input._type.shape[1]
    dims = tuple(range(2, rank))
    count = input._type.numel // max(input._type.shape[0] * channels, 1)
    if count <= 1:
        raise ValueError(
            at_line(f"Expected more than 1 spatial element when training, got {input._type}")
        )
    normal, middle, variance = _standard(input, dims, eps)
    _move(running_mean, mean(middle.detach(), 0), momentum, 1.0)
    _move(running_var, mean(variance.detach(), 0), momentum, count / (count - 1))
    scale = _channels_first(weight, rank, channels, "instance_norm's weight")
    shift = _channels_first(bias, rank, channels, "instance_norm's bias")
    return _scaled(normal, scale, shift)


@rounded_as_input
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide each channel by a power of the mean square of its `size` neighbours."""
    if input.ndim < 3:
        raise ShapeError(
            at_line(f"local_response_norm wants [N, C, spatial ...], got {input._type}")
        )
    if 0 in input._type.shape:
        return input
    batch, channels = input._type.shape[:2]
    square = mul(input, input).reshape(batch, 1, channels, numel(input._type.shape[2:]))
    padded = pad(square, (0, 0, size // 2, (size - 1) // 2))
    around = avg_pool2d(padded, (size, 1), stride=1).reshape(input._type.shape)
    return div(input, pow(add(mul(around, alpha), k), beta))
