"""Maxima and sums over windows of the trailing spatial dims, and their gradients.

All take `kernel, stride, padding, dilation` (one int for each spatial dim, padding on both sides)
and `ceil` (whether a last window may hang over the end; it must start inside the image or its low
padding). Padding never wins a maximum and adds 0 to a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import Shape, numel
from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Decompose
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int64

from . import check, windows
from .conv import Window, padded, patches
from .elementwise import REAL
from .window import pooled_shape
from .window import pooled_size as pooled_size


def _result(name: str, x: TensorType, params: dict[str, Any]) -> Shape:
    """Return the shape of the pooled result, or raise ShapeError."""
    check.kind(name, REAL, x)
    kernel, stride, padding = params["kernel"], params["stride"], params["padding"]
    dilation, rank = params["dilation"], len(params["kernel"])
    check.rank_at_least(name, rank, x)
    if not len(stride) == len(padding) == len(dilation) == rank or rank not in (1, 2, 3):
        raise ShapeError(
            f"{name} wants kernel, stride, padding and dilation for each of 1 to 3 spatial dims, "
            f"got {kernel}, {stride}, {padding}, {dilation}"
        )
    if min((*kernel, *stride, *dilation)) < 1:
        raise ShapeError(
            f"{name} wants kernel, stride and dilation >= 1, got {kernel}, {stride}, {dilation}"
        )
    if any(not 0 <= 2 * pad <= size for pad, size in zip(padding, kernel, strict=True)):
        raise ShapeError(
            f"{name} wants padding of at most half the kernel, got {padding} for {kernel}"
        )
    batch, image = x.shape[: len(x.shape) - rank], x.shape[len(x.shape) - rank :]
    out = pooled_shape(image, kernel, stride, padding, dilation, params["ceil"])
    if min(out) < 1:
        raise ShapeError(
            f"{name}: kernel {list(kernel)} is larger than the image {list(image)} with padding "
            f"{padding}; use a smaller kernel"
        )
    return (*batch, *out)


def _pool_type(name: str) -> Callable[..., TensorType]:
    return lambda x, **params: TensorType(x.dtype, _result(name, x, params))


def _index_type(x: TensorType, **params: Any) -> TensorType:
    return TensorType(int64, _result("max_pool_index", x, params))


def _max_grad_type(g: TensorType, x: TensorType, **params: Any) -> TensorType:
    wanted = TensorType(x.dtype, _result("max_pool_grad", x, params))
    if g != wanted:
        raise ShapeError(f"max_pool_grad wants a gradient {wanted}, got {g}")
    return x


def _gather_type(t: TensorType, x: TensorType, **params: Any) -> TensorType:
    if t != x:
        raise ShapeError(f"max_pool_gather wants two equal types, got {t} and {x}")
    return TensorType(x.dtype, _result("max_pool_gather", x, params))


def _sum_grad_type(g: TensorType, *, shape: Shape, **params: Any) -> TensorType:
    image = TensorType(g.dtype, shape)
    wanted = _result("sum_pool_grad", image, params)
    if g.shape != wanted:
        raise ShapeError(f"sum_pool_grad wants a gradient of shape {list(wanted)}, got {g}")
    return image


def _window(
    image: Shape,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    ceil: bool,
) -> tuple[Window, Shape]:
    """Return the window with enough padding after the image for every place, and the places."""
    out = pooled_shape(image, kernel, stride, padding, dilation, ceil)
    pairs = []
    for axis, (size, low) in enumerate(zip(image, padding, strict=True)):
        reach = (out[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1
        pairs.append((low, max(reach - size - low, 0)))
    return Window(kernel, stride, tuple(pairs), dilation), out


def _lowest(dtype: np.dtype) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _views(x: np.ndarray, fill: Any, params: dict[str, Any]) -> np.ndarray:
    """Return [*batch, taps, *out]: what each tap of the window meets."""
    rank = len(params["kernel"])
    window, out = _window(x.shape[x.ndim - rank :], **params)
    view = patches(padded(x, window.padding, fill), window, out)
    return view.reshape(*x.shape[: x.ndim - rank], numel(window.kernel), *out)


def _max_pool(x: np.ndarray, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    window, out = _window(x.shape[x.ndim - rank :], **params)
    image = padded(x, window.padding, _lowest(x.dtype))
    taps = (image[window.tap(offsets, out)] for offsets in np.ndindex(*window.kernel))
    result: np.ndarray = next(taps).copy()
    for tap in taps:
        np.maximum(result, tap, out=result)
    return result


def _max_pool_index(x: np.ndarray, **params: Any) -> np.ndarray:
    """Return where the first maximum lies, as an offset in the flattened image."""
    rank = len(params["kernel"])
    image = x.shape[x.ndim - rank :]
    window, out = _window(image, **params)
    taps = _views(x, _lowest(x.dtype), params).argmax(axis=x.ndim - rank)
    offsets = np.zeros(taps.shape, np.int64)
    for axis, tap in enumerate(np.unravel_index(taps, window.kernel)):
        places = np.arange(out[axis]) * window.stride[axis] - window.padding[axis][0]
        line = (1,) * (taps.ndim - rank + axis), (1,) * (rank - axis - 1)
        at = places.reshape(*line[0], -1, *line[1]) + tap * window.dilation[axis]
        offsets = offsets * image[axis] + np.clip(at, 0, image[axis] - 1)
    return offsets


def _flat(x: np.ndarray, rank: int) -> np.ndarray:
    """Return [*batch, spatial elements]."""
    return x.reshape(*x.shape[: x.ndim - rank], numel(x.shape[x.ndim - rank :]))


def _max_pool_grad(g: np.ndarray, x: np.ndarray, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    where = _flat(_max_pool_index(x, **params), rank)
    batch, image = numel(where.shape[:-1]), numel(x.shape[x.ndim - rank :])
    result = np.zeros(batch * image, g.dtype)
    rows = np.arange(batch)[:, None] * image + where.reshape(batch, numel(where.shape[-1:]))
    np.add.at(result, rows.ravel(), g.ravel())
    return result.reshape(x.shape)


def _max_pool_gather(t: np.ndarray, x: np.ndarray, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    where = _max_pool_index(x, **params)
    return np.take_along_axis(_flat(t, rank), _flat(where, rank), -1).reshape(where.shape)


def _sum_pool(x: np.ndarray, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    window, out = _window(x.shape[x.ndim - rank :], **params)
    image = padded(x, window.padding)
    result = np.zeros((*x.shape[: x.ndim - rank], *out), x.dtype)
    for offsets in np.ndindex(*window.kernel):
        result += image[window.tap(offsets, out)]
    return result


def _sum_pool_grad(g: np.ndarray, *, shape: Shape, **params: Any) -> np.ndarray:
    rank = len(params["kernel"])
    image = shape[len(shape) - rank :]
    window, out = _window(image, **params)
    sizes = [low + size + high for size, (low, high) in zip(image, window.padding, strict=True)]
    result = np.zeros((*shape[: len(shape) - rank], *sizes), g.dtype)
    for offsets in np.ndindex(*window.kernel):
        result[window.tap(offsets, out)] += g
    kept = (slice(low, low + n) for n, (low, _) in zip(image, window.padding, strict=True))
    inside: tuple[Any, ...] = (..., *kept)
    return np.ascontiguousarray(result[inside])


max_pool = Op(
    "max_pool",
    _pool_type("max_pool"),
    _max_pool,
    grad=lambda g, y, x, **params: (max_pool_grad(g, x, **params),),
    lower=Decompose(windows.max_pool),
    keeps=(0,),
)
max_pool_index = Op(
    "max_pool_index", _index_type, _max_pool_index, lower=Decompose(windows.max_pool_index)
)
max_pool_grad: Op = Op(
    "max_pool_grad",
    _max_grad_type,
    _max_pool_grad,
    grad=lambda h, y, g, x, **params: (max_pool_gather(h, x, **params), None),
    lower=Decompose(windows.max_pool_grad),
    keeps=(1,),
)
max_pool_gather: Op = Op(
    "max_pool_gather",
    _gather_type,
    _max_pool_gather,
    grad=lambda g, y, t, x, **params: (max_pool_grad(g, x, **params), None),
    lower=Decompose(windows.max_pool_gather),
    keeps=(1,),
)
sum_pool = Op(
    "sum_pool",
    _pool_type("sum_pool"),
    _sum_pool,
    grad=lambda g, y, x, **params: (sum_pool_grad(g, shape=tuple(x.shape), **params),),
    lower=Decompose(windows.sum_pool),
    keeps=(),
)
sum_pool_grad: Op = Op(
    "sum_pool_grad",
    _sum_grad_type,
    _sum_pool_grad,
    grad=lambda h, y, g, *, shape, **params: (sum_pool(h, **params),),
    lower=Decompose(windows.sum_pool_grad),
    keeps=(),
)

OPS = (max_pool, max_pool_index, max_pool_grad, max_pool_gather, sum_pool, sum_pool_grad)
