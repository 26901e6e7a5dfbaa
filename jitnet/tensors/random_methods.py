"""Methods that fill a tensor with random numbers: uniform_(), normal_(), bernoulli_() ..."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType

from ..errors import at_line
from ..generator import Generator
from ..grad_mode import no_grad
from ..limits import finfo
from ..random import draw, fine, whole
from ..tensor import Tensor
from . import making


def _fill(self: Tensor, made: Tensor) -> Tensor:
    return self._assign(made if made._type == self._type else made.to(self._type.dtype))


def _drawable(self: Tensor) -> DType:
    dtype = self._type.dtype
    if dtype.kind != "float":
        raise RuntimeError(at_line(f"this fills floating point tensors, got {self._type}"))
    return dtype


def uniform_(
    self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None, **old: Any
) -> Tensor:
    """Fill with numbers evenly from [a, b)."""
    a, b = old.get("from", a), old.get("to", b)
    if a > b:
        raise RuntimeError(at_line(f"uniform_ expects to return a [from, to) range, got {a} > {b}"))
    if self._type.dtype.is_complex:
        uniform_(ops.view_as_real(self), a, b, generator=generator)
        return self
    with no_grad():
        made = draw(ops.random_uniform, self._type.shape, _drawable(self), generator, self.device)
        made = made * (b - a) + a
    return _fill(self, made)


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers from a normal distribution."""
    if std < 0:
        raise RuntimeError(at_line(f"normal_ expects std >= 0.0, but found std {std}"))
    if self._type.dtype.is_complex:
        normal_(ops.view_as_real(self), mean, std * math.sqrt(0.5), generator=generator)
        return self
    with no_grad():
        made = draw(
            ops.random_normal, self._type.shape, fine(_drawable(self)), generator, self.device
        )
        made = made * std + mean
    return _fill(self, made)


def random_(
    self: Tensor, low: int = 0, high: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Fill with whole numbers from low .. high - 1 (all that the dtype holds, if left out)."""
    dtype = self._type.dtype
    if high is None:
        if dtype.kind == "float":
            high = int(2 / finfo(dtype).eps) + 1
        else:
            high = 2 if dtype.kind == "bool" else int(np.iinfo(dtype.numpy).max)
    return _fill(self, whole(low, high, self._type.shape, generator, self.device))


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 with probability p, else 0."""
    with no_grad():
        chances = fine(making.get_default_dtype())
        made = draw(ops.random_uniform, self._type.shape, chances, generator, self.device) < p
    return _fill(self, made)


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers from an exponential distribution."""
    if lambd <= 0:
        raise RuntimeError(at_line(f"exponential_ wants lambd > 0, got {lambd}"))
    with no_grad():
        made = draw(
            ops.random_uniform, self._type.shape, fine(_drawable(self)), generator, self.device
        )
        made = -((1 - made).log()) / lambd
    return _fill(self, made)


def _open(self: Tensor, generator: Generator | None, dtype: DType) -> Tensor:
    """Return numbers evenly from (0, 1), of self's shape."""
    made = draw(ops.random_uniform, self._type.shape, fine(dtype), generator, self.device)
    return made.clamp(finfo(made._type.dtype).tiny)  # type: ignore[no-any-return]


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers from a Cauchy distribution."""
    if sigma <= 0:
        raise RuntimeError(at_line(f"cauchy_ wants sigma > 0, got {sigma}"))
    with no_grad():
        turns = _open(self, generator, _drawable(self)) - 0.5
        made = (turns * np.pi).tan() * sigma + median
    return _fill(self, made)


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers whose logarithms are from a normal distribution."""
    if std <= 0:
        raise RuntimeError(at_line(f"log_normal_ wants std > 0, got {std}"))
    with no_grad():
        made = draw(
            ops.random_normal, self._type.shape, fine(_drawable(self)), generator, self.device
        )
        made = (made * std + mean).exp()
    return _fill(self, made)


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with how many trials a success of chance p takes: 1, 2 ..."""
    if not 0 < p < 1:
        raise RuntimeError(at_line(f"geometric_ wants 0 < p < 1, got {p}"))
    with no_grad():
        line = _open(self, generator, making.get_default_dtype())
        made = (line.log() / np.log1p(-p)).ceil().clamp(1)
    return _fill(self, made)
