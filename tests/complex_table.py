"""Functions of complex tensors, by family: to compare with PyTorch and with compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Return complex128 numbers in all four quadrants."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


ONE = """exp log sqrt sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh reciprocal square
rsqrt exp2 expm1 log1p log2 log10 sigmoid sgn abs angle conj conj_physical real imag neg sum mean
prod view_as_real norm var std""".split()


TWO: dict[str, Callable[..., Any]] = {
    "arithmetic": lambda lib, a, b: (a + b, a - b, a * b, a / b, a**b, 2 - a, 1j / b, a * 2.5),
    "powers": lambda lib, a, b: (a**2, a**3, a**0.5, a**-1, a ** (1 + 1j), 2**a, a**0),
    "real_with_complex": lambda lib, a, b: (a * b.real, a.imag / b, a.real**b, b + a.real),
    "zero_dims": lambda lib, a, b: (a.real[0, 0] * 1j, a.real * b[0, 0], a * b.real[0, 0]),
    "equality": lambda lib, a, b: (a == b, a != b, a == a.clone(), lib.isclose(a, b)),
    "where": lambda lib, a, b: (lib.where(a.abs() > 1, a, b), lib.where(a.abs() > 1, a, 1j)),
    "joined": lambda lib, a, b: (lib.cat([a, b], 1), lib.stack([a, b]), lib.cat([a, b.real])),
    "indices": lambda lib, a, b: (a[1], a[:, 1:3], a[[0, 2]], a.gather(1, (b.abs() > 1).long())),
    "views": lambda lib, a, b: (a.T, a.reshape(-1), a.flip(1), a.expand(2, 3, 3), a.mH, a.tril()),
    "sums": lambda lib, a, b: (a.sum(0), a.mean((0, 1)), a.cumsum(1), a.cumprod(0), a.prod(1)),
    "products": lambda lib, a, b: (
        a @ b, lib.mm(a, b), a @ b[0], lib.dot(a[0], b[0]), lib.vdot(a[0], b[0]),
        lib.einsum("ij,kj->ik", a, b), lib.bmm(a[None], b[None]), lib.outer(a[0], b[1]),
    ),
    "parts": lambda lib, a, b: (
        lib.complex(a.real, b.imag), lib.polar(a.abs(), b.angle()),
        lib.view_as_complex(lib.view_as_real(a) * 2), a.real * b.imag,
    ),
    "norms": lambda lib, a, b: (a.norm(), lib.linalg.vector_norm(a, 3), lib.linalg.norm(b)),
    "to": lambda lib, a, b: (a.to(lib.complex64).to(lib.complex128), a.real.to(lib.complex128)),
    "angle_of_real": lambda lib, a, b: (lib.angle(a.real.detach()), lib.sgn(a.real.detach())),
    "questions": lambda lib, a, b: (lib.isnan(a), lib.isfinite(a / 0), lib.isreal(a), a.bool()),
    "convolutions": lambda lib, a, b: (
        lib.conv1d(a[None], b[None], padding=1), lib.conv2d(a[None, None], b[None, None, :2, :2]),
        lib.conv_transpose1d(a[None], b[:, None], a[0, :1], 2),
    ),
    "exponents": lambda lib, a, b: (
        lib.logaddexp(a, b), a.logsumexp(1), lib.float_power(a, 2.5), lib.logcumsumexp(b, 0),
    ),
    "statistics": lambda lib, a, b: (lib.cov(a), lib.corrcoef(b)),
    "vecdot": lambda lib, a, b: (lib.linalg.vecdot(a, b),),
}  # fmt: skip


def written(lib: Any, z: Any) -> Any:
    """Write into views of parts, through the tape."""
    y = z.clone()
    y.real[1] = 3
    y.imag.mul_(2)
    lib.view_as_real(y)[0, :, 1] = 0
    pairs = lib.view_as_real(z).clone()
    lib.view_as_complex(pairs)[2] *= 1j
    y[0, 0] = 2j
    y += 1
    return y, pairs
