"""Maxima and means over windows of the trailing spatial dims."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.compiler.ops.pool import pooled_size
from jitnet.runtime.dtype import int64

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .arithmetic import div
from .convolution import per_dim
from .joining import stack
from .out import with_out
from .precision import autocast_widens, rounded_once
from .promote import need_float
from .reduction import max as largest
from .reduction import mean


def _spatial(x: Tensor, rank: int, name: str) -> tuple[int, ...]:
    """Return the sizes of the spatial dims; ShapeError unless there are 1 or 2 dims before them."""
    if x.ndim not in (rank + 1, rank + 2):
        raise ShapeError(
            at_line(f"{name} wants [N, C, {rank} spatial] or [C, {rank} spatial], got {x._type}")
        )
    return x._type.shape[x.ndim - rank :]


def _window(
    rank: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, name: str
) -> dict[str, Any]:
    sizes = per_dim(kernel, rank, f"{name}'s kernel_size")
    steps = sizes if stride in (None, [], ()) else per_dim(stride, rank, f"{name}'s stride")
    return {
        "kernel": sizes,
        "stride": steps,
        "padding": per_dim(padding, rank, f"{name}'s padding"),
        "dilation": per_dim(dilation, rank, f"{name}'s dilation"),
        "ceil": bool(ceil),
    }


def _max_pool(
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    name = f"max_pool{rank}d"
    _spatial(input, rank, name)
    if 0 in input._type.shape[input.ndim - rank - 1 :]:
        raise ShapeError(at_line(f"{name} wants channels and images, got {input._type}"))
    window = _window(rank, kernel_size, stride, padding, dilation, ceil_mode, name)
    values = ops.max_pool(input, **window)
    if not return_indices:
        return values
    return values, ops.max_pool_index(input, **window)


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window; with return_indices, where it was, too."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window; with return_indices, where it was, too."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@autocast_widens
def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window; with return_indices, where it was, too."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _counts(image: tuple[int, ...], window: dict[str, Any], count_include_pad: bool) -> np.ndarray:
    """Return how many elements each window's mean divides by."""
    lines = []
    for axis, size in enumerate(image):
        k, step, pad = (window[key][axis] for key in ("kernel", "stride", "padding"))
        count = pooled_size(size, k, step, pad, 1, window["ceil"])
        start = np.arange(count) * step - pad
        stop = np.minimum(start + k, size + pad)
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, size)
        lines.append(stop - start)
    result = lines[0]
    for line in lines[1:]:
        result = result[..., None] * line
    return result  # type: ignore[no-any-return]


def _avg_pool(
    rank: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    name = f"avg_pool{rank}d"
    whole = input._type.dtype is int64  # as in PyTorch, the only whole numbers that have means
    if not whole:
        need_float(name, input)
    rounding = "trunc" if whole else None
    image = _spatial(input, rank, name)
    window = _window(rank, kernel_size, stride, padding, 1, ceil_mode, name)
    total = ops.sum_pool(input, **window)
    if divisor_override is not None:
        if divisor_override == 0:
            raise RuntimeError(at_line("divisor must be not zero"))
        return div(total, divisor_override, rounding_mode=rounding)
    counts = _counts(image, window, count_include_pad)
    if (counts == counts.flat[0]).all():
        return div(total, int(counts.flat[0]), rounding_mode=rounding)
    divisors = creation.literal(counts.astype(input._type.dtype.numpy))
    return div(total, divisors, rounding_mode=rounding)


@rounded_once
def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@with_out
@rounded_once
def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window."""
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@with_out
@autocast_widens
@rounded_once
def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window."""
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# -- to a given size ----------------------------------------------------------------------------


def _wanted(output_size: Any, image: tuple[int, ...], name: str) -> tuple[int, ...]:
    rank = len(image)
    if isinstance(output_size, int):
        output_size = (output_size,) * rank
    if len(output_size) != rank:
        raise ShapeError(at_line(f"{name} wants {rank} output sizes, got {output_size}"))
    sizes = tuple(
        have if want is None else want for want, have in zip(output_size, image, strict=True)
    )
    if min(sizes) < 1:
        raise ShapeError(at_line(f"{name} wants output sizes >= 1, got {sizes}"))
    return sizes


def _uniform(image: tuple[int, ...], out: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the window that tiles the image evenly, if there is one."""
    if any(size % count for size, count in zip(image, out, strict=True)):
        return None
    return tuple(size // count for size, count in zip(image, out, strict=True))


def _adaptive(x: Tensor, rank: int, out: tuple[int, ...], combine: Any) -> Tensor:
    """Combine windows of unequal sizes, one dim after another."""
    for offset in reversed(range(rank)):  # so that the first maximum is that of the flat window
        axis = x.ndim - rank + offset
        size, count = x._type.shape[axis], out[offset]
        bounds = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        x = stack([combine(x.narrow(axis, a, b - a), axis) for a, b in bounds], axis)
    return x


def _adaptive_avg(rank: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"adaptive_avg_pool{rank}d"
    need_float(name, input)
    image = _spatial(input, rank, name)
    out = _wanted(output_size, image, name)
    if out == (1,) * rank:
        return mean(input, tuple(range(input.ndim - rank, input.ndim)), keepdim=True)
    kernel = _uniform(image, out)
    if kernel is not None:
        return _avg_pool(rank, input, kernel, None, 0, False, True, None)
    return _adaptive(input, rank, out, lambda part, axis: mean(part, axis))


@rounded_once
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Return means over windows that give output_size results."""
    return _adaptive_avg(1, input, output_size)


@rounded_once
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Return means over windows that give output_size results."""
    return _adaptive_avg(2, input, output_size)


@autocast_widens
@rounded_once
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Return means over windows that give output_size results."""
    return _adaptive_avg(3, input, output_size)


def _adaptive_max(rank: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    name = f"adaptive_max_pool{rank}d"
    image = _spatial(input, rank, name)
    out = _wanted(output_size, image, name)
    kernel = _uniform(image, out)
    if kernel is not None:
        return _max_pool(rank, input, kernel, None, 0, 1, False, return_indices)
    if return_indices:
        return _adaptive_places(input, rank, out)
    return _adaptive(input, rank, out, lambda part, axis: largest(part, axis)[0])


def _adaptive_places(x: Tensor, rank: int, out: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the maxima of windows of unequal sizes, and their places in the flattened image."""
    image, lead = x._type.shape[x.ndim - rank :], x._type.shape[: x.ndim - rank]
    places = np.arange(numel(image)).reshape(image)
    values, indices = [], []
    for at in np.ndindex(*out):
        window = tuple(
            slice(i * size // count, -(-(i + 1) * size // count))
            for i, size, count in zip(at, image, out, strict=True)
        )
        value, place = largest(x[(..., *window)].flatten(len(lead)), -1)
        values.append(value)
        indices.append(creation.literal(places[window].reshape(-1))[place])
    shape = (*lead, *out)
    return stack(values, -1).reshape(shape), stack(indices, -1).reshape(shape)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return maxima over windows that give output_size results."""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return maxima over windows that give output_size results."""
    return _adaptive_max(2, input, output_size, return_indices)


@autocast_widens
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return maxima over windows that give output_size results."""
    return _adaptive_max(3, input, output_size, return_indices)
