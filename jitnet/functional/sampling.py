"""Images read at places that are data: affine_grid makes the places, grid_sample reads there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import int64

from .. import creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .arithmetic import fmod
from .choice import clamp, where
from .precision import autocast_widens, rounded_once
from .promote import need_float, to_dtype
from .resize import keys
from .unary import abs as size_of
from .unary import floor, isnan, round

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


@rounded_once
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return the places [N, *S, dims] in -1 .. 1 that theta [N, dims, dims + 1] moves a grid to."""
    need_float("affine_grid", theta)
    dims = len(size) - 2
    wanted = (size[0], dims, dims + 1)
    if dims not in (2, 3) or theta._type.shape != wanted:
        raise ShapeError(
            at_line(
                f"affine_grid wants theta {list(wanted)} for size {tuple(size)} (2 or 3 spatial "
                f"dims), got {theta._type}"
            )
        )
    image = tuple(size[2:])
    lines = [_line(count, bool(align_corners)) for count in image]
    axes = np.meshgrid(*lines, indexing="ij")[::-1]  # x comes first
    base = np.stack([*axes, np.ones(image)], -1).reshape(-1, dims + 1)
    places = creation.literal(base.astype(theta._type.dtype.numpy)) @ theta.transpose(1, 2)
    return places.reshape(size[0], *image, dims)  # type: ignore[no-any-return]


def _line(count: int, corners: bool) -> np.ndarray:
    """Return the places of `count` pixels along one dim of -1 .. 1."""
    if count <= 1:
        return np.zeros(count)
    line = np.linspace(-1, 1, count)
    return line if corners else line * (count - 1) / count


@autocast_widens
@rounded_once
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Return [N, C, *out], input [N, C, *S] read at grid [N, *out, dims] (x first, in -1 .. 1).

    padding_mode: what lies outside: zeros, the border's pixels, or the image mirrored.
    """
    rank = input.ndim - 2
    _check(input, grid, mode, padding_mode, rank)
    grid = where(isnan(grid), -1.0, grid)
    image = input._type.shape[2:]
    places = []
    for axis, count in enumerate(image):
        place = grid.select(-1, rank - 1 - axis)
        places.append(
            (place + 1) * ((count - 1) / 2) if align_corners else ((place + 1) * count - 1) / 2
        )
    outside = _OUTSIDE[padding_mode]
    if mode != "bicubic":  # a cubic's neighbours are moved inside one by one
        places = [
            outside(place, count, bool(align_corners))
            for place, count in zip(places, image, strict=True)
        ]
    taps = [_TAPS[mode](place) for place in places]
    total: Tensor | None = None
    for corner in product(*taps):
        rows = [row for row, _ in corner]
        if mode == "bicubic":
            rows = [
                outside(row, count, bool(align_corners))
                for row, count in zip(rows, image, strict=True)
            ]
        part = _read(input, rows)
        for _, weight in corner:
            part = part if weight is None else part * weight.unsqueeze(1)
        total = part if total is None else total + part
    assert total is not None
    return total


def _check(x: Tensor, grid: Tensor, mode: str, padding: str, rank: int) -> None:
    if mode not in _MODES:
        raise ValueError(at_line(f"grid_sample knows the modes {_MODES}, got {mode!r}"))
    if padding not in _PADDINGS:
        raise ValueError(at_line(f"grid_sample knows the paddings {_PADDINGS}, got {padding!r}"))
    need_float("grid_sample", x, grid)
    shape = grid._type.shape
    if (
        rank not in (2, 3)
        or grid.ndim != x.ndim
        or shape[-1:] != (rank,)
        or shape[0] != x._type.shape[0]
    ):
        raise ShapeError(
            at_line(
                "grid_sample wants input [N, C, H, W] and grid [N, H', W', 2] (or one dim more), "
                f"got {x._type} and {grid._type}"
            )
        )
    if mode == "bicubic" and rank == 3:
        raise RuntimeError(at_line(f"bicubic grid_sample is for [N, C, H, W], got {x._type}"))
    if grid._type.dtype is not x._type.dtype:
        raise DTypeError(at_line(f"grid_sample wants one dtype, got {x._type} and {grid._type}"))
    if 0 in x._type.shape[2:]:
        raise RuntimeError(at_line(f"grid_sample wants pixels to read, got {x._type}"))


# -- what lies outside --------------------------------------------------------------------------


def _border(place: Tensor, count: int, corners: bool) -> Tensor:
    return clamp(place, 0, count - 1)


def _mirrored(place: Tensor, count: int, corners: bool) -> Tensor:
    """Return places moved inside by mirrors at the outer pixels' centers, or at their edges."""
    low, span = (0.0, float(count - 1)) if corners else (-0.5, float(count))
    if not span:
        return place * 0
    away = size_of(place - low)
    extra, flips = fmod(away, span), floor(away / span)
    inside = where(fmod(flips, 2).eq(0), extra + low, span - extra + low)
    return _border(inside, count, corners)


_OUTSIDE: dict[str, Callable[[Tensor, int, bool], Tensor]] = {
    "zeros": lambda place, count, corners: place,
    "border": _border,
    "reflection": _mirrored,
}


# -- neighbours along one dim, and their weights -------------------------------------------------

Tap = tuple[Tensor, Tensor | None]


def _linear(place: Tensor) -> list[Tap]:
    low = floor(place.detach())
    far = place - low
    return [(low, 1 - far), (low + 1, far)]


def _cubic(place: Tensor) -> list[Tap]:
    low = floor(place.detach())
    far = place - low
    return [(low + step, keys(size_of(far - step), -0.75, where)) for step in range(-1, 3)]


_TAPS: dict[str, Callable[[Tensor], list[Tap]]] = {
    "bilinear": _linear,
    "nearest": lambda place: [(round(place.detach()), None)],
    "bicubic": _cubic,
}


def _read(x: Tensor, rows: list[Tensor]) -> Tensor:
    """Return the pixels of x [N, C, *S] at whole-numbered places [N, *out], 0 outside."""
    batch, channels, *image = x._type.shape
    shape = rows[0]._type.shape
    flat: Any = creation.counting(shape, 0)
    inside: Any = None
    for row, count in zip(rows, image, strict=True):
        row = row.detach()
        fits = (row >= 0) & (row <= count - 1)
        inside = fits if inside is None else inside & fits
        flat = flat * count + to_dtype(clamp(row, 0, count - 1), int64)
    lines = x.transpose(0, 1).reshape(channels, batch * numel(image))
    found = ops.take(lines, flat, axis=1).transpose(0, 1)
    return where(inside.unsqueeze(1), found, 0.0)  # type: ignore[no-any-return]
