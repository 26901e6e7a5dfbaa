"""Discrete Fourier transforms with sizes, dims and norms: what `jitnet.fft` is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jitnet.compiler import ops

from ..errors import DTypeError, at_line
from ..tensor import Tensor
from .complex_numbers import conj
from .padding import pad
from .promote import as_tensor_like, normal_dim, to_dtype, to_float

Sizes = Sequence[int] | int | None
Plan = list[tuple[int, int]]  # dims and the sizes that they get, in order


def _number(x: Any, name: str) -> Tensor:
    """Return x as float32, float64 or complex numbers."""
    found = to_float(as_tensor_like(x, name))
    if found._type.dtype.narrow:
        raise DTypeError(
            at_line(f"{name} wants float32, float64 or complex, got {found._type}; use .float()")
        )
    return found


def as_complex(x: Any, name: str) -> Tensor:
    """Return x as complex numbers."""
    found = _number(x, name)
    return to_dtype(found, found._type.dtype.to_complex())


def as_real(x: Any, name: str) -> Tensor:
    """Return x as floats; DTypeError for complex numbers."""
    found = _number(x, name)
    if found._type.dtype.is_complex:
        raise DTypeError(at_line(f"{name} expects a real input tensor, but got {found._type}"))
    return found


def planned(x: Tensor, s: Sizes, dim: Sizes) -> Plan:
    """Return the dims to transform, counted from 0, and their sizes in x or as s says."""
    sizes = [s] if isinstance(s, int) else s
    dims = [dim] if isinstance(dim, int) else dim
    if dims is None:
        count = x.ndim if sizes is None else len(sizes)
        if count > x.ndim:
            raise RuntimeError(
                at_line(
                    f"Got shape with {count} values but input tensor only has {x.ndim} dimensions."
                )
            )
        dims = range(x.ndim - count, x.ndim)
    found = [normal_dim(each, x.ndim) for each in dims]
    if len(set(found)) != len(found):
        raise RuntimeError(at_line(f"FFT dims must be unique, got {tuple(dims)}"))
    if sizes is None:
        sizes = [-1] * len(found)
    if len(sizes) != len(found):
        raise RuntimeError(at_line("When given, dim and shape arguments must have the same length"))
    own = x._type.shape
    return [(axis, own[axis] if n == -1 else n) for axis, n in zip(found, sizes, strict=True)]


def one(x: Tensor, n: int | None, dim: int) -> Plan:
    """Return the plan of a transform along one dim."""
    if not x.ndim:
        raise IndexError(at_line(f"Dimension specified as {dim} but tensor has no dimensions"))
    axis = normal_dim(dim, x.ndim)
    return [(axis, x._type.shape[axis] if n is None else n)]


def _check_sizes(plan: Plan) -> None:
    for _, size in plan:
        if size < 1:
            raise RuntimeError(at_line(f"Invalid number of data points ({size}) specified"))


def _resized(x: Tensor, plan: Plan) -> Tensor:
    """Return x cut off, or padded with zeros at the end, along the dims of the plan."""
    _check_sizes(plan)
    shape = x._type.shape
    more = [0] * len(shape)
    for axis, size in plan:
        more[axis] = size - shape[axis]
    if not any(more):
        return x
    return pad(x, [part for extra in reversed(more) for part in (0, extra)])  # type: ignore[no-any-return]


def _scaled(x: Tensor, plan: Plan, norm: str | None, inverse: bool) -> Tensor:
    """Return x times the factor that the norm asks for."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(
            at_line(f'Invalid normalization mode: "{norm}"; use "backward", "ortho" or "forward"')
        )
    count = math.prod(size for _, size in plan)
    if norm == "ortho":
        return x * (1 / math.sqrt(count))
    return x * (1 / count) if (norm == "forward") is not inverse else x


def complex_to_complex(x: Tensor, plan: Plan, norm: str | None, inverse: bool) -> Tensor:
    """Return the transform of complex numbers along the dims of the plan."""
    z = _resized(x, plan)
    found = ops.fourier(z, axes=tuple(axis for axis, _ in plan), inverse=inverse)
    return _scaled(found, plan, norm, inverse)


def real_to_complex(x: Tensor, plan: Plan, norm: str | None) -> Tensor:
    """Return the transform of real numbers: of the last dim of the plan the first half."""
    if not plan:
        raise RuntimeError(at_line("a transform of real numbers wants at least one dim"))
    found = ops.half_fourier(_resized(x, plan), axis=plan[-1][0])
    if len(plan) > 1:
        axes = tuple(axis for axis, _ in plan[:-1])
        found = ops.fourier(found, axes=axes, inverse=False)
    return _scaled(found, plan, norm, False)


def complex_to_real(x: Tensor, plan: Plan, norm: str | None, inverse: bool = True) -> Tensor:
    """Return the real numbers whose transform is x, given as the half of the plan's last dim.

    inverse: False transforms forward, to the real spectrum of a signal of which x is one half.
    """
    if not plan:
        raise RuntimeError(at_line("a transform to real numbers wants at least one dim"))
    _check_sizes(plan)
    axis, size = plan[-1]
    z = _resized(x, [*plan[:-1], (axis, size // 2 + 1)])
    if len(plan) > 1:
        axes = tuple(each for each, _ in plan[:-1])
        z = ops.fourier(z, axes=axes, inverse=inverse)
    found = ops.half_inverse(z if inverse else conj(z), axis=axis, size=size)
    return _scaled(found, plan, norm, inverse)


def real_to_half(x: Tensor, plan: Plan, norm: str | None) -> Tensor:
    """Return the inverse transform of a real spectrum: of the plan's last dim the first half."""
    if not plan:
        raise RuntimeError(at_line("a transform of real numbers wants at least one dim"))
    found = conj(ops.half_fourier(_resized(x, plan), axis=plan[-1][0]))
    if len(plan) > 1:
        axes = tuple(axis for axis, _ in plan[:-1])
        found = ops.fourier(found, axes=axes, inverse=True)
    return _scaled(found, plan, norm, True)


def to_full_size(x: Tensor, plan: Plan, given: bool) -> Plan:
    """Return the plan with the real size of its last dim, 2 (m - 1) unless it is given."""
    if given or not plan:
        return plan
    axis, size = plan[-1]
    return [*plan[:-1], (axis, 2 * (size - 1))]
