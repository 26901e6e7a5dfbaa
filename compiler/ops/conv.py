"""Convolution over 1 to 3 spatial dims and its two gradients, all one family.

conv is linear in the image and in the weight, so the gradients of each of the three ops are the
other two. Images are [N, C, *S], weights [O, C / groups, *K]; padding is a (low, high) pair for
each spatial dim. Evaluation gathers patches into a matrix (im2col) and multiplies.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from jitnet.compiler.ir.dims import Shape, numel
from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Contraction
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dataclass import dataclass

from . import check
from .elementwise import REAL

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """How a kernel walks over an image: one number for each spatial dim."""

    kernel: Shape
    stride: Shape
    padding: Pairs
    dilation: Shape

    def span(self, axis: int) -> int:
        """Input elements from the first to the last tap."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def out_shape(self, image: Shape) -> Shape:
        """Places that the kernel stops at; not positive where the kernel does not fit."""
        return tuple(
            (size + low + high - self.span(axis)) // self.stride[axis] + 1
            for axis, (size, (low, high)) in enumerate(zip(image, self.padding, strict=True))
        )

    def tap(self, offsets: Shape, out: Shape) -> tuple[Any, ...]:
        """Index of the pixels of the padded image, [..., *S], that one tap of the kernel meets."""
        starts = [d * o for d, o in zip(self.dilation, offsets, strict=True)]
        slices = (
            slice(start, start + step * (count - 1) + 1, step)
            for start, step, count in zip(starts, self.stride, out, strict=True)
        )
        return (..., *slices)


def _check_window(name: str, window: Window, rank: int) -> None:
    lengths = {len(window.stride), len(window.padding), len(window.dilation), len(window.kernel)}
    if lengths != {rank} or rank not in (1, 2, 3):
        raise ShapeError(
            f"{name} wants a stride, padding and dilation for each of 1 to 3 spatial dims, got "
            f"stride {window.stride}, padding {window.padding}, dilation {window.dilation}"
        )
    if min((*window.stride, *window.dilation, *window.kernel)) < 1:
        raise ShapeError(
            f"{name} wants stride, dilation and kernel sizes >= 1, got stride {window.stride}, "
            f"dilation {window.dilation}, kernel {window.kernel}"
        )
    if min(itertools.chain(*window.padding)) < 0:
        raise ShapeError(f"{name} wants padding >= 0, got {window.padding}; slice the input first")


def _result_shape(name: str, image: Shape, weight: Shape, window: Window, groups: int) -> Shape:
    """Return the shape of conv's result, or raise ShapeError."""
    if len(image) != len(weight) or len(image) < 3:
        raise ShapeError(
            f"{name} wants an image [N, C, *spatial] and a weight [O, C / groups, *kernel] of the "
            f"same rank, got {list(image)} and {list(weight)}"
        )
    _check_window(name, window, len(image) - 2)
    channels, inside, filters = image[1], weight[1], weight[0]
    if groups < 1 or channels != inside * groups or filters % groups:
        raise ShapeError(
            f"{name} wants {inside * groups} input channels (weight {list(weight)}, groups "
            f"{groups}) and filters that groups divides, got image {list(image)}"
        )
    out = window.out_shape(image[2:])
    if min(out) < 1:
        raise ShapeError(
            f"{name}: kernel {list(window.kernel)} with dilation {window.dilation} is larger than "
            f"the image {list(image[2:])} with padding {window.padding}; pad more or use a "
            "smaller kernel"
        )
    return (image[0], filters, *out)


def _conv_type(
    x: TensorType, w: TensorType, *, stride: Shape, padding: Pairs, dilation: Shape, groups: int
) -> TensorType:
    check.kind("conv", REAL, x, w)
    check.same_dtype("conv", x, w)
    window = Window(w.shape[2:], stride, padding, dilation)
    return TensorType(x.dtype, _result_shape("conv", x.shape, w.shape, window, groups))


def _input_grad_type(
    g: TensorType,
    w: TensorType,
    *,
    shape: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> TensorType:
    name = "conv_input_grad"
    check.kind(name, REAL, g, w)
    check.same_dtype(name, g, w)
    window = Window(w.shape[2:], stride, padding, dilation)
    wanted = _result_shape(name, shape, w.shape, window, groups)
    if g.shape != wanted:
        raise ShapeError(f"{name} wants a gradient of shape {list(wanted)}, got {g}")
    return TensorType(g.dtype, shape)


def _weight_grad_type(
    g: TensorType,
    x: TensorType,
    *,
    shape: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> TensorType:
    name = "conv_weight_grad"
    check.kind(name, REAL, g, x)
    check.same_dtype(name, g, x)
    window = Window(shape[2:], stride, padding, dilation)
    wanted = _result_shape(name, x.shape, shape, window, groups)
    if g.shape != wanted:
        raise ShapeError(f"{name} wants a gradient of shape {list(wanted)}, got {g}")
    return TensorType(g.dtype, shape)


def padded(x: np.ndarray, padding: Pairs, value: Any = 0) -> np.ndarray:
    """Return x with `value` around its trailing spatial dims."""
    if not any(itertools.chain(*padding)):
        return x
    around = [(0, 0)] * (x.ndim - len(padding))
    return np.pad(x, (*around, *padding), constant_values=value)


def patches(image: np.ndarray, window: Window, out: Shape) -> np.ndarray:
    """Return a view [*batch, *K, *out] of what each tap of the kernel meets at each place."""
    rank = len(out)
    batch = image.shape[:-rank]
    steps = image.strides[-rank:]
    taps = tuple(d * step for d, step in zip(window.dilation, steps, strict=True))
    moves = tuple(s * step for s, step in zip(window.stride, steps, strict=True))
    return as_strided(
        image,
        (*batch, *window.kernel, *out),
        (*image.strides[:-rank], *taps, *moves),
        writeable=False,
    )


def _columns(x: np.ndarray, window: Window, out: Shape, groups: int) -> np.ndarray:
    """Return [N, groups, C / groups * taps, places]."""
    view = patches(padded(x, window.padding), window, out)
    rows = x.shape[1] // groups * numel(window.kernel)
    return view.reshape(x.shape[0], groups, rows, numel(out))


def _conv(
    x: np.ndarray, w: np.ndarray, *, stride: Shape, padding: Pairs, dilation: Shape, groups: int
) -> np.ndarray:
    window = Window(w.shape[2:], stride, padding, dilation)
    out = window.out_shape(x.shape[2:])
    columns = _columns(x, window, out, groups)
    rows = w.reshape(1, groups, w.shape[0] // groups, numel(w.shape[1:]))
    product: np.ndarray = np.matmul(rows, columns)
    return product.reshape(x.shape[0], w.shape[0], *out)


def _conv_input_grad(
    g: np.ndarray,
    w: np.ndarray,
    *,
    shape: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> np.ndarray:
    window = Window(w.shape[2:], stride, padding, dilation)
    out = g.shape[2:]
    count, channels = shape[:2]
    outputs = w.shape[0] // groups
    rows = w.reshape(groups, outputs, numel(w.shape[1:])).transpose(0, 2, 1)
    columns = np.matmul(rows, g.reshape(count, groups, outputs, numel(out)))
    columns = columns.reshape(count, channels, *window.kernel, *out)
    sizes = [low + size + high for size, (low, high) in zip(shape[2:], padding, strict=True)]
    image = np.zeros((count, channels, *sizes), g.dtype)
    for offsets in np.ndindex(*window.kernel):
        image[window.tap(offsets, out)] += columns[(slice(None), slice(None), *offsets)]
    inside = (slice(low, low + n) for n, (low, _) in zip(shape[2:], padding, strict=True))
    return np.ascontiguousarray(image[(slice(None), slice(None), *inside)])


def _conv_weight_grad(
    g: np.ndarray,
    x: np.ndarray,
    *,
    shape: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> np.ndarray:
    window = Window(shape[2:], stride, padding, dilation)
    out = g.shape[2:]
    view = patches(padded(x, padding), window, out)
    places = x.shape[0] * numel(out)
    taps = x.shape[1] // groups * numel(window.kernel)
    rank = len(out)
    channel_first = (1, *range(2, 2 + rank), 0, *range(2 + rank, 2 + 2 * rank))
    columns = view.transpose(channel_first).reshape(groups, taps, places)
    grads = np.moveaxis(g, 1, 0).reshape(groups, shape[0] // groups, places)
    product: np.ndarray = np.matmul(grads, columns.transpose(0, 2, 1))
    return product.reshape(shape)


def _conv_grad(g: Any, y: Any, x: Any, w: Any, **params: Any) -> tuple[Any, Any]:
    return (
        lambda: conv_input_grad(g, w, shape=tuple(x.shape), **params),
        lambda: conv_weight_grad(g, x, shape=tuple(w.shape), **params),
    )


def _input_grad_grad(
    h: Any, y: Any, g: Any, w: Any, *, shape: Shape, **params: Any
) -> tuple[Any, Any]:
    return (
        lambda: conv(h, w, **params),
        lambda: conv_weight_grad(g, h, shape=tuple(w.shape), **params),
    )


def _weight_grad_grad(
    h: Any, y: Any, g: Any, x: Any, *, shape: Shape, **params: Any
) -> tuple[Any, Any]:
    return (
        lambda: conv(x, h, **params),
        lambda: conv_input_grad(g, h, shape=tuple(x.shape), **params),
    )


conv = Op("conv", _conv_type, _conv, _conv_grad, Contraction("conv"), keeps=(0, 1))
conv_input_grad = Op(
    "conv_input_grad",
    _input_grad_type,
    _conv_input_grad,
    _input_grad_grad,
    Contraction("conv_input_grad"),
    keeps=(0, 1),
)
conv_weight_grad = Op(
    "conv_weight_grad",
    _weight_grad_type,
    _conv_weight_grad,
    _weight_grad_grad,
    Contraction("conv_weight_grad"),
    keeps=(0, 1),
)

OPS = (conv, conv_input_grad, conv_weight_grad)
