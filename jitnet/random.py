"""Random tensors, all from a generator's stream."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dtype import DType, float32, float64, int64

from .device import CPU, Device, home
from .errors import at_line
from .generator import Generator, generator_on
from .generator import fork_rng as fork_rng
from .generator import get_rng_state as get_rng_state
from .generator import initial_seed as initial_seed
from .generator import manual_seed as manual_seed
from .generator import seed as seed
from .generator import set_rng_state as set_rng_state
from .limits import finfo
from .modes import mode
from .tensor import Tensor
from .tensors import making

_drawing = threading.Lock()  # two threads never read the same call's number


def draw(
    op: Op,
    shape: Sequence[int],
    dtype: DType,
    generator: Generator | None = None,
    device: Device = CPU,
) -> Tensor:
    """Return random numbers of an op on a device, and count the call."""
    source = generator_on(device) if generator is None else generator
    if source.device is not device:
        raise RuntimeError(
            at_line(f"Expected a '{device}' device type for generator but found '{source.device}'")
        )
    mapping = mode.mapping
    if mapping is not None:
        shape = mapping.drawn_shape(tuple(shape))
    with _drawing:
        made = op(source.state, shape=tuple(shape), dtype=float32 if dtype.narrow else dtype)
        source.advance()
    if mapping is not None:
        made = mapping.drawn(made)
    if not dtype.narrow:
        return made
    if op is ops.random_uniform:  # cut off, not rounded: 1 is never drawn
        steps = 2.0 / finfo(dtype).eps
        made = (made * steps).floor() / steps
    return made.to(dtype)  # type: ignore[no-any-return]


def _float(dtype: DType | None, name: str) -> DType:
    chosen = dtype or making.get_default_dtype()
    if chosen.kind != "float":
        raise RuntimeError(at_line(f"{name} gives floating point, not {chosen.name}"))
    return chosen


def fine(dtype: DType) -> DType:
    """Return the dtype to draw chances in: those of 16 bits have too few."""
    return float32 if dtype.narrow else dtype


def _drawn(
    op: Op,
    shape: tuple[int, ...],
    dtype: DType | None,
    name: str,
    generator: Generator | None,
    device: Device,
) -> Tensor:
    """Return random floats, or complex numbers: both parts drawn, normal ones of variance 1/2."""
    chosen = dtype or making.get_default_dtype()
    if not chosen.is_complex:
        return draw(op, shape, _float(chosen, name), generator, device)
    parts = draw(op, (*shape, 2), chosen.to_real(), generator, device)
    if op is ops.random_normal:
        parts = parts * math.sqrt(0.5)
    return ops.view_as_complex(parts)


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers evenly from [0, 1)."""
    made = _drawn(ops.random_uniform, making.sizes(size), dtype, "rand", generator, home(device))
    return made.requires_grad_() if requires_grad else made


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers from the standard normal distribution."""
    made = _drawn(ops.random_normal, making.sizes(size), dtype, "randn", generator, home(device))
    return made.requires_grad_() if requires_grad else made


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return rand of input's shape and dtype."""
    dtype, device = dtype or input._type.dtype, device or input.device
    shape = input._type.shape
    return rand(shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return randn of input's shape and dtype."""
    dtype, device = dtype or input._type.dtype, device or input.device
    shape = input._type.shape
    return randn(
        shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad
    )


def whole(
    low: int, high: int, shape: Sequence[int], generator: Generator | None, device: Device = CPU
) -> Tensor:
    """Return int64 numbers evenly from low .. high - 1."""
    room = high - low
    if room <= 0:
        raise RuntimeError(
            at_line(f"random_ expects 'from' to be less than 'to', got {low}, {high}")
        )
    if room > 1 << 63:
        raise RuntimeError(at_line(f"randint wants high - low of at most 2^63, got {room}"))
    bits = draw(ops.random_bits, shape, int64, generator, device)
    if room > 1 << 32:
        upper = draw(ops.random_bits, shape, int64, generator, device)
        bits = bits + (upper % (1 << 31)) * (1 << 32)
    if room < 1 << 63 and room != 1 << 32:
        bits = bits % room
    return bits + low if low else bits


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return whole numbers evenly from low (0 if left out) .. high - 1."""
    if size is None:
        low, high, size = 0, low, high
    shape, where = making.sizes((size,)), home(device)
    made = whole(int(low), int(high), shape, generator, where).to(dtype or int64)
    return made.requires_grad_() if requires_grad else made  # type: ignore[no-any-return]


def randint_like(
    input: Tensor,
    low: Any,
    high: Any = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return randint of input's shape and dtype."""
    if high is None:
        low, high = 0, low
    return randint(
        low,
        high,
        input._type.shape,
        dtype=dtype or input._type.dtype,
        device=device or input.device,
        requires_grad=requires_grad,
    )


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return 0 .. n - 1 in random order."""
    if n < 0:
        raise RuntimeError(at_line(f"randperm wants n >= 0, got {n}"))
    where = home(device)
    high = draw(ops.random_bits, (n,), int64, generator, where)
    low = draw(ops.random_bits, (n,), int64, generator, where)
    by_low = low.argsort()
    order = by_low[high[by_low].argsort()].to(dtype or int64)
    return order.requires_grad_() if requires_grad else order  # type: ignore[no-any-return]


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers from normal distributions of the given means and standard deviations."""
    if size is None:
        given = [value for value in (mean, std) if isinstance(value, Tensor)]
        if not given:
            raise TypeError(at_line("normal wants a size where mean and std are numbers"))
        from .functional.promote import broadcast_shapes

        size = broadcast_shapes(*(value._type.shape for value in given))
        dtype, device = dtype or given[0]._type.dtype, device or given[0].device
    if not isinstance(std, Tensor) and std < 0:
        raise RuntimeError(at_line(f"normal expects std >= 0.0, but found std {std}"))
    made = randn(making.sizes((size,)), generator=generator, dtype=dtype, device=device)
    made = made * std + mean
    return made.requires_grad_() if requires_grad else made  # type: ignore[no-any-return]


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Return 1 with the probability that each element (or p) gives, else 0."""
    dtype = input._type.dtype
    chance = input.detach() if p is None else p
    precise = fine(_float(dtype if dtype.kind == "float" else None, "bernoulli"))
    drawn = draw(ops.random_uniform, input._type.shape, precise, generator, input.device)
    return (drawn < chance).to(dtype)  # type: ignore[no-any-return]


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Return indices drawn by the weights in each row.

    Eagerly, weights must be finite, not negative, and not all 0 in a row; compiled code relies on
    that.
    """
    if input._type.dtype.kind != "float":
        raise RuntimeError(at_line(f"multinomial wants floating point weights, got {input._type}"))
    if input.ndim not in (1, 2) or not input._type.shape[-1]:
        raise RuntimeError(at_line(f"multinomial wants weights [N] or [B, N], got {input._type}"))
    count = input._type.shape[-1]
    if num_samples < 1 or (not replacement and num_samples > count):
        raise RuntimeError(at_line(f"multinomial cannot draw {num_samples} of {count} this way"))
    if count > 1 << 24:
        raise RuntimeError(at_line(f"number of categories cannot exceed 2^24, got {count}"))
    weights = input.detach().reshape(-1, count).to(float64)
    _check_weights(weights)
    rows = weights._type.shape[0]
    if replacement:
        uniform = draw(ops.random_uniform, (rows, num_samples), float64, generator, input.device)
        edges = (weights / weights.sum(1, keepdim=True)).cumsum(1)[:, :-1]
        found = ops.searchsorted(edges.contiguous(), uniform, right=True)
    else:
        uniform = draw(ops.random_uniform, (rows, count), float64, generator, input.device)
        keys = uniform.clamp(min=1e-300).log() / weights  # -inf where the weight is 0
        found = (-keys).argsort(1)[:, :num_samples]
    return found.reshape(*input._type.shape[:-1], num_samples)


def _check_weights(weights: Tensor) -> None:
    if making.unread(weights):
        return
    array = weights._copied()
    if not np.isfinite(array).all() or array.min(initial=0) < 0 or (array.sum(1) <= 0).any():
        raise RuntimeError(at_line("multinomial wants finite weights >= 0, not all 0 in a row"))
