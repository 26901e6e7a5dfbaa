"""Discrete Fourier transforms, without a factor: users' norms are multiplied on.

`fourier` is its own adjoint but for the sign of the exponent; `half_fourier`, of real numbers,
gives the first half of the frequencies, and `half_inverse` makes real numbers of such a half. Each
is linear, so their gradients are one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import DTypeError, ShapeError
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import check
from .movement import slice, slice_assign

Axes = tuple[int, ...]


def _fourier_type(z: TensorType, *, axes: Axes, inverse: bool) -> TensorType:
    check.kind("fourier", ("complex",), z)
    check.axes_of("fourier", z, axes)
    return z


def _fourier(z: np.ndarray, *, axes: Axes, inverse: bool) -> np.ndarray:
    if not axes:
        return z.copy()
    if not z.size:
        return np.zeros_like(z)
    run = np.fft.ifftn if inverse else np.fft.fftn
    return _unscaled(run, inverse, z, math.prod(z.shape[axis] for axis in axes), axes=axes)


def _unscaled(
    run: Callable[..., np.ndarray], inverse: bool, x: np.ndarray, count: int, **options: Any
) -> np.ndarray:
    """Return a transform of NumPy's of `count` points without a factor, in x's precision."""
    plain, scaled = ("forward", "backward") if inverse else ("backward", "forward")
    if x.real.dtype != np.float32:
        return run(x, norm=plain, **options)
    # Given a factor of 1, NumPy computes in extended precision, eight times slower.
    found = run(x, norm=scaled, **options)
    found *= np.float32(count)
    return found


def _half_type(x: TensorType, *, axis: int) -> TensorType:
    check.kind("half_fourier", ("float",), x)
    check.axes_of("half_fourier", x, (axis,))
    if x.dtype.narrow:
        raise DTypeError(f"half_fourier wants float32 or float64, got {x}")
    return TensorType(x.dtype.to_complex(), _resized(x.shape, axis, x.shape[axis] // 2 + 1))


def _half(x: np.ndarray, *, axis: int) -> np.ndarray:
    kind = np.result_type(x.dtype, np.complex64)
    if not x.size:
        return np.zeros(_resized(x.shape, axis, x.shape[axis] // 2 + 1), kind)
    return _unscaled(np.fft.rfft, False, x, x.shape[axis], axis=axis)


def _inverse_type(z: TensorType, *, axis: int, size: int) -> TensorType:
    check.kind("half_inverse", ("complex",), z)
    check.axes_of("half_inverse", z, (axis,))
    if z.shape[axis] != size // 2 + 1:
        raise ShapeError(
            f"half_inverse to {size} numbers wants {size // 2 + 1} frequencies, got {z}"
        )
    return TensorType(z.dtype.to_real(), _resized(z.shape, axis, size))


def _inverse(z: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    kind = z.real.dtype
    if not z.size:
        return np.zeros(_resized(z.shape, axis, size), kind)
    return _unscaled(np.fft.irfft, True, z, size, n=size, axis=axis)


def _resized(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _inner_times(z: Any, axis: int, size: int, factor: float) -> Any:
    """Multiply the frequencies that stand for two: all but the first, and the middle one."""
    stop = (size + 1) // 2
    if stop <= 1:
        return z
    place = {
        "starts": tuple(int(dim == axis) for dim in range(len(z.shape))),
        "stops": _resized(tuple(z.shape), axis, stop),
        "steps": (1,) * len(z.shape),
    }
    return slice_assign(z, slice(z, **place) * factor, **place)


def _half_grad(g: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    size = x.shape[axis]
    return (lambda: half_inverse(_inner_times(g, axis, size, 0.5), axis=axis, size=size),)


def _inverse_grad(g: Any, y: Any, z: Any, *, axis: int, size: int) -> tuple[Any]:
    return (lambda: _inner_times(half_fourier(g, axis=axis), axis, size, 2.0),)


fourier: Op = Op(
    "fourier",
    _fourier_type,
    _fourier,
    grad=lambda g, y, z, *, axes, inverse: (lambda: fourier(g, axes=axes, inverse=not inverse),),
    keeps=(),
)
half_fourier: Op = Op("half_fourier", _half_type, _half, _half_grad, keeps=())
half_inverse: Op = Op("half_inverse", _inverse_type, _inverse, _inverse_grad, keeps=())

OPS = (fourier, half_fourier, half_inverse)
