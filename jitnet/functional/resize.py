"""Images of other sizes: nearest, linear, cubic and area interpolation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.runtime.dtype import uint8

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .convolution import per_dim
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .precision import rounded_once
from .promote import need_float

# The ranks that each mode knows, counted without batch and channels.
_RANKS = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


@rounded_once
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return [N, C, *spatial] with other spatial sizes, or these times scale_factor.

    mode: nearest, nearest-exact, area, linear (3-D), bilinear or bicubic (4-D), trilinear (5-D).
    antialias: smooth while shrinking, for bilinear and bicubic.
    """
    rank = input.ndim - 2
    _check(rank, input, mode, align_corners, antialias)
    image = input._type.shape[2:]
    sizes, scales = _sizes(image, size, scale_factor, recompute_scale_factor)
    if min(sizes) < 1:
        raise RuntimeError(
            at_line(f"Input and output sizes should be greater than 0, got {image} and {sizes}")
        )
    if mode == "area":
        return _AREA[rank](input, sizes)
    dims = list(enumerate(zip(image, sizes, scales, strict=True), 2))
    x = input
    if mode.startswith("nearest"):
        for axis, (_, new, scale) in dims:
            x = _nearest(x, axis, new, scale, mode == "nearest-exact")
        return x
    in_bytes = x._type.dtype is uint8 and rank == 2  # rounded after each dim, the last one first
    if not in_bytes:
        need_float("interpolate", x)
    for axis, spans in reversed(dims) if in_bytes else dims:
        places, weights = _weights(mode, *spans, bool(align_corners), antialias)
        if not in_bytes:
            x = _mixed(x, axis, places, weights)
            continue
        mixed = _mixed(x.float(), axis, places, _in_fixed_point(weights))
        x = (mixed + 0.5).floor().clamp(0, 255).to(uint8)
    return x


def _in_fixed_point(weights: np.ndarray) -> np.ndarray:
    """Return weights rounded as PyTorch's 16-bit integers hold them, so that bytes agree."""
    bits = 0
    while bits < 22 and int(0.5 + weights.max(initial=0) * 2.0 ** (bits + 1)) < 1 << 15:
        bits += 1
    return np.trunc(weights * 2.0**bits + np.copysign(0.5, weights)) / 2.0**bits


def _weights(
    mode: str, old: int, new: int, scale: float, corners: bool, antialias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows each new row is mixed of, and how much of each."""
    if corners:
        scale = (old - 1) / (new - 1) if new > 1 else 0.0
    if antialias:
        return _smooth(old, new, scale, mode == "bicubic")
    return (_cubic if mode == "bicubic" else _linear)(old, new, scale, corners)


upsample = interpolate


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Return interpolate(..., mode="nearest"): PyTorch's older name."""
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Return interpolate(..., mode="bilinear", align_corners=True): PyTorch's older name."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _check(rank: int, x: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if rank not in (1, 2, 3):
        raise ShapeError(at_line(f"interpolate wants [N, C, 1 to 3 spatial], got {x._type}"))
    if mode not in _RANKS:
        raise NotImplementedError(at_line(f"interpolate knows {list(_RANKS)}, got mode={mode!r}"))
    if rank not in _RANKS[mode]:
        dims = " or ".join(f"{known + 2}D" for known in _RANKS[mode])
        raise NotImplementedError(
            at_line(f"Got {rank + 2}D input {x._type}, but {mode} mode needs {dims} input")
        )
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ValueError(at_line("align_corners is for linear, bilinear, bicubic and trilinear"))
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(at_line(f"antialias is for bilinear and bicubic, got mode={mode!r}"))


def _sizes(
    image: tuple[int, ...], size: Any, factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], list[float]]:
    """Return the new sizes, and old / new for each dim as PyTorch takes it."""
    rank = len(image)
    if (size is None) == (factor is None):
        raise ValueError(at_line("interpolate wants either size or scale_factor, and not both"))
    if size is not None:
        if recompute:
            raise ValueError(at_line("recompute_scale_factor goes with scale_factor, not size"))
        sizes = per_dim(size, rank, "interpolate's size")
        return sizes, [old / new if new else 0.0 for old, new in zip(image, sizes, strict=True)]
    given = (factor,) * rank if isinstance(factor, int | float) else tuple(factor)
    if len(given) != rank:
        raise ValueError(at_line(f"interpolate wants {rank} scale factors, got {given}"))
    factors = [float(each) for each in given]
    sizes = tuple(int(old * by) for old, by in zip(image, factors, strict=True))
    if recompute and min(sizes) > 0:
        return sizes, [old / new for old, new in zip(image, sizes, strict=True)]
    return sizes, [1 / by if by else 0.0 for by in factors]


# -- one axis -----------------------------------------------------------------------------------


def _rows(x: Tensor, axis: int, places: np.ndarray) -> Tensor:
    return x.index_select(axis, creation.literal(places.astype(np.int64)))  # type: ignore[no-any-return]


def _nearest(x: Tensor, axis: int, new: int, scale: float, exact: bool) -> Tensor:
    old = x._type.shape[axis]
    if new % old == 0 and scale == old / new:
        return _repeated(x, axis, new // old)
    steps = np.arange(new, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return _rows(x, axis, np.minimum(np.floor(steps * np.float32(scale)), old - 1))


def _repeated(x: Tensor, axis: int, times: int) -> Tensor:
    """Return each row `times` times: a view, whose gradient is a sum and no scatter."""
    shape = x._type.shape
    wide = x.unsqueeze(axis + 1).expand(*shape[: axis + 1], times, *shape[axis + 1 :])
    return wide.reshape(*shape[:axis], shape[axis] * times, *shape[axis + 1 :])  # type: ignore[no-any-return]


def _mixed(x: Tensor, axis: int, places: np.ndarray, weights: np.ndarray) -> Tensor:
    """Return the sum over taps of weights [taps, new] times the rows at places [taps, new]."""
    shape = (places.shape[1],) + (1,) * (x.ndim - axis - 1)
    dtype = x._type.dtype.numpy
    total: Tensor | None = None
    for rows, weight in zip(places, weights, strict=True):
        part = _rows(x, axis, rows) * creation.literal(weight.astype(dtype).reshape(shape))
        total = part if total is None else total + part
    assert total is not None
    return total


def _linear(old: int, new: int, scale: float, corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the two neighbours of each place, and their weights."""
    steps = np.arange(new, dtype=np.float64)
    places = steps * scale if corners else np.maximum((steps + 0.5) * scale - 0.5, 0)
    low = np.minimum(np.floor(places), old - 1)
    far = places - low
    return np.stack([low, np.minimum(low + 1, old - 1)]), np.stack([1 - far, far])


def _cubic(old: int, new: int, scale: float, corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return four neighbours of each place, and Keys' weights (A = -0.75, as PyTorch)."""
    steps = np.arange(new, dtype=np.float64)
    places = steps * scale if corners else (steps + 0.5) * scale - 0.5
    low = np.floor(places)
    offsets = np.arange(-1, 3)[:, None]
    weights = keys(np.abs(places - low - offsets), -0.75)
    return np.clip(low + offsets, 0, old - 1), weights


def keys(far: Any, a: float, where: Callable[..., Any] = np.where) -> Any:
    """Return Keys' cubic kernel at distances >= 0 (IEEE ASSP 29, 1981), of arrays or tensors."""
    near = ((a + 2) * far - (a + 3)) * far * far + 1
    tail = ((far - 5) * far + 8) * far * a - 4 * a
    return where(far < 1, near, where(far < 2, tail, 0.0))


def _smooth(old: int, new: int, scale: float, cubic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the taps of a kernel as wide as a step of the result, as Pillow's resize does."""
    reach = 2.0 if cubic else 1.0
    stretch = max(scale, 1.0)
    center = scale * (np.arange(new) + 0.5)
    first = np.maximum((center - reach * stretch + 0.5).astype(int), 0)
    stop = np.minimum((center + reach * stretch + 0.5).astype(int), old)
    places = first + np.arange(max(int((stop - first).max()), 1))[:, None]
    far = np.abs(places - center + 0.5) / stretch
    weights = keys(far, -0.5) if cubic else np.maximum(1 - far, 0)
    weights = np.where(places < stop, weights, 0)
    return np.minimum(places, old - 1), weights / weights.sum(0)
