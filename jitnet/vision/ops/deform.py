"""Convolutions whose every tap looks at a place of its own (Dai et al. 2017; Zhu et al. 2018)."""

from __future__ import annotations

import math

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import functional as F

Pair = int | tuple[int, int]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    mask: Tensor | None = None,
) -> Tensor:
    """Return the convolution of input [N, C, H, W] with weight [O, C / groups, kh, kw].

    offset: how far each tap is moved, [N, sets * kh * kw * 2, H', W'], rows before columns; each
    set serves as many channels. mask: by what to multiply each tap, [N, sets * kh * kw, H', W'].
    """
    batch, channels, *sizes = input.shape
    kernel, out = tuple(weight.shape[-2:]), tuple(offset.shape[-2:])
    sets = offset.shape[1] // (2 * math.prod(kernel))
    if sets == 0 or channels % sets or offset.shape[1] != sets * 2 * math.prod(kernel):
        raise ValueError(
            f"offset wants sets * {2 * math.prod(kernel)} channels, in sets that divide the "
            f"input's {channels}, got {tuple(offset.shape)}"
        )
    moved = offset.reshape(batch * sets, *kernel, 2, *out)
    lines = []
    for axis, shape in ((1, (1, kernel[1], 1, out[1])), (0, (kernel[0], 1, out[0], 1))):
        start = jitnet.arange(out[axis], dtype=input.dtype) * _pair(stride)[axis]
        tap = jitnet.arange(kernel[axis], dtype=input.dtype) * _pair(dilation)[axis]
        straight = (tap[:, None] + start - _pair(padding)[axis]).reshape(shape)
        pixel = moved[:, :, :, axis] + straight
        lines.append(pixel * 2 / max(sizes[axis] - 1, 1) - 1)  # as grid_sample counts
    grid = jitnet.stack(lines, dim=-1).reshape(batch * sets, -1, out[1], 2)
    images = input.reshape(batch * sets, channels // sets, *sizes)
    seen = F.grid_sample(images, grid, align_corners=True)
    seen = seen.reshape(batch, sets, channels // sets, *kernel, *out)
    if mask is not None:
        seen = seen * mask.reshape(batch, sets, 1, *kernel, *out)
    return _contract(seen.reshape(batch, channels, *kernel, *out), weight, bias)


def _contract(seen: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the sums over taps and channels: seen [N, C, kh, kw, H', W'] -> [N, O, H', W']."""
    inside = weight.shape[1]
    grouped = seen.unflatten(1, (-1, inside))
    kernels = weight.unflatten(0, (grouped.shape[1], -1))
    sums = jitnet.einsum("ngcabhw,gocab->ngohw", grouped, kernels).flatten(1, 2)
    return sums if bias is None else sums + bias[:, None, None]  # type: ignore[no-any-return]


class DeformConv2d(nn.Conv2d):
    """deform_conv2d, as a layer: its forward takes the offset, and maybe a mask."""

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Return the convolution of the input at the places that the offset says."""
        return deform_conv2d(
            input,
            offset,
            self.weight,
            self.bias,
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.dilation,  # type: ignore[arg-type]
            mask,
        )
