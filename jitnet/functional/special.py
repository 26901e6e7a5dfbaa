"""Special functions of mathematics: error functions, relatives of gamma, Bessel, polynomials."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.runtime.dtype import float64

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .arithmetic import mul
from .choice import where
from .gamma import digamma, lgamma
from .out import with_out
from .precision import rounded_once
from .promote import as_operand, as_tensor_like, meet, to_dtype, to_float
from .unary import abs as size_of
from .unary import erfc, erfinv, exp, log, log1p

__all__ = [
    "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "entr", "erfcx",
    "gammainc", "gammaincc", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1",
    "i1e", "igamma", "igammac", "laguerre_polynomial_l", "legendre_polynomial_p", "log_ndtr",
    "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1",
    "multigammaln", "mvlgamma", "ndtr", "ndtri", "polygamma", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "spherical_bessel_j0", "xlog1py", "zeta",
]  # fmt: skip


def _pair(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    first, second = meet(a, b)
    return to_float(first), to_float(second)


# -- the normal distribution and error functions ------------------------------------------------


@with_out
@rounded_once
def entr(input: Tensor) -> Tensor:
    """Return -x log x: 0 at 0, minus infinity below."""
    x = to_float(as_tensor_like(input, "entr"))
    inside = where(x > 0, x, 1.0)
    found = where(x > 0, -inside * log(inside), where(x < 0, -math.inf, 0.0))
    return where(x.isnan(), x, found)  # type: ignore[no-any-return]


@with_out
@rounded_once
def xlog1py(input: Any, other: Any) -> Tensor:
    """Return input * log(1 + other), 0 where input is 0 and other is no NaN."""
    a, b = _pair(input, other)
    nothing = a.eq(0) & ~b.isnan()
    return where(nothing, 0.0, mul(a, log1p(where(nothing, 0.0, b))))  # type: ignore[no-any-return]


@with_out
@rounded_once
def erfcx(input: Tensor) -> Tensor:
    """Return exp(x^2) erfc(x), without underflow."""
    given = to_float(as_tensor_like(input, "erfcx"))
    x = to_dtype(given, float64)
    near, far = x.clamp(max=24.0), x.clamp(min=24.0)
    half = 0.5 / (far * far)
    tail = 1 - half * (1 - 3 * half * (1 - 5 * half * (1 - 7 * half * (1 - 9 * half))))
    found = where(x < 24.0, exp(near * near) * erfc(near), tail / (far * math.sqrt(math.pi)))
    return to_dtype(found, given._type.dtype)


@with_out
@rounded_once
def ndtr(input: Tensor) -> Tensor:
    """Return the part of the standard normal distribution below x."""
    return erfc(to_float(as_tensor_like(input, "ndtr")) * -math.sqrt(0.5)) * 0.5


@with_out
@rounded_once
def log_ndtr(input: Tensor) -> Tensor:
    """Return log(ndtr(x)), without underflow."""
    x = to_float(as_tensor_like(input, "log_ndtr"))
    low, high = x.clamp(max=-1.0), x.clamp(min=-1.0)
    below = log(erfcx(low * -math.sqrt(0.5)) * 0.5) - low * low * 0.5
    above = log1p(erfc(high * math.sqrt(0.5)) * -0.5)
    return where(x < -1.0, below, above)  # type: ignore[no-any-return]


@with_out
@rounded_once
def ndtri(input: Tensor) -> Tensor:
    """Return where ndtr is x."""
    given = to_float(as_tensor_like(input, "ndtri"))
    x = to_dtype(given, float64)
    return to_dtype(erfinv(2 * x - 1) * math.sqrt(2), given._type.dtype)


# -- relatives of gamma -------------------------------------------------------------------------


@with_out
@rounded_once
def zeta(input: Any, other: Any) -> Tensor:
    """Return Hurwitz's zeta function, the sum of (other + k) ** -input over k >= 0."""
    return ops.zeta(*_pair(input, other))


@with_out
@rounded_once
def polygamma(n: int, input: Tensor) -> Tensor:
    """Return the n-th derivative of digamma."""
    if not isinstance(n, int):
        raise TypeError(at_line(f"polygamma wants an order n as a Python number, got {n!r}"))
    if n < 0:
        raise RuntimeError(at_line(f"polygamma wants n >= 0, got {n}"))
    if n == 0:
        return digamma(input)
    x = to_float(as_tensor_like(input, "polygamma"))
    order = creation.full(x._type.shape, float(n + 1), dtype=x._type.dtype, device=x.device)
    return ops.zeta(order, x) * ((-1.0) ** (n + 1) * math.factorial(n))  # type: ignore[no-any-return]


@with_out
@rounded_once
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """Return the logarithm of the multivariate gamma function of dimension p."""
    if p < 1:
        raise RuntimeError(at_line(f"mvlgamma wants p >= 1, got {p}"))
    x = to_float(as_tensor_like(input, "mvlgamma"))
    steps = creation.arange(p, dtype=x._type.dtype, device=x.device) * -0.5
    return lgamma(x.unsqueeze(-1) + steps).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)  # type: ignore[no-any-return]


multigammaln = mvlgamma


@with_out
@rounded_once
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """Return the regularized lower incomplete gamma function P(input, other)."""
    return ops.gamma_lower(*_pair(as_tensor_like(input, "igamma"), as_tensor_like(other, "igamma")))


gammainc = igamma


@with_out
@rounded_once
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """Return the regularized upper incomplete gamma function Q(input, other)."""
    return ops.gamma_upper(
        *_pair(as_tensor_like(input, "igammac"), as_tensor_like(other, "igammac"))
    )


gammaincc = igammac

# -- Bessel functions ---------------------------------------------------------------------------


def _scaled(
    op: Op, name: str, scale: Callable[[Tensor], Tensor] | None = None
) -> Callable[[Tensor], Tensor]:
    """Return the function that applies op, and multiplies with what scaling took away."""

    def apply(input: Tensor) -> Tensor:
        x = to_float(as_tensor_like(input, name))
        return op(x) if scale is None else mul(op(x), scale(x))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {name} of each element."
    return with_out(rounded_once(apply))


def _growth(x: Tensor) -> Tensor:
    return exp(size_of(x))


def _decay(x: Tensor) -> Tensor:
    return exp(-x)


bessel_j0 = _scaled(ops.bessel_j0, "bessel_j0")
bessel_j1 = _scaled(ops.bessel_j1, "bessel_j1")
bessel_y0 = _scaled(ops.bessel_y0, "bessel_y0")
bessel_y1 = _scaled(ops.bessel_y1, "bessel_y1")
i0 = modified_bessel_i0 = _scaled(ops.i0e, "i0", _growth)
i0e = _scaled(ops.i0e, "i0e")
i1 = modified_bessel_i1 = _scaled(ops.i1e, "i1", _growth)
i1e = _scaled(ops.i1e, "i1e")
modified_bessel_k0 = _scaled(ops.k0e, "modified_bessel_k0", _decay)
modified_bessel_k1 = _scaled(ops.k1e, "modified_bessel_k1", _decay)
scaled_modified_bessel_k0 = _scaled(ops.k0e, "scaled_modified_bessel_k0")
scaled_modified_bessel_k1 = _scaled(ops.k1e, "scaled_modified_bessel_k1")


@with_out
@rounded_once
def spherical_bessel_j0(input: Tensor) -> Tensor:
    """Return sin(x) / x, 1 at 0."""
    x = to_float(as_tensor_like(input, "spherical_bessel_j0"))
    zero = x.eq(0)
    found = x.sin() / where(zero, 1.0, x)
    return where(x.isinf(), 0.0, where(zero, 1.0, found))  # type: ignore[no-any-return]


# -- orthogonal polynomials ---------------------------------------------------------------------


def _polynomial(name: str, family: str, shifted: bool = False) -> Callable[[Any, Any], Tensor]:
    def apply(input: Any, n: Any) -> Tensor:
        x, degree = _pair(as_operand(input), as_operand(n))
        return ops.polynomial(2 * x - 1 if shifted else x, degree, family=family)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {name} of degree n at each element; no gradient, as in PyTorch."
    return with_out(rounded_once(apply))


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", "chebyshev_t")
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", "chebyshev_u")
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", "chebyshev_v")
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", "chebyshev_w")
hermite_polynomial_h = _polynomial("hermite_polynomial_h", "hermite_h")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", "hermite_he")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", "laguerre_l")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", "legendre_p")
shifted_chebyshev_polynomial_t = _polynomial("shifted_chebyshev_polynomial_t", "chebyshev_t", True)
shifted_chebyshev_polynomial_u = _polynomial("shifted_chebyshev_polynomial_u", "chebyshev_u", True)
shifted_chebyshev_polynomial_v = _polynomial("shifted_chebyshev_polynomial_v", "chebyshev_v", True)
shifted_chebyshev_polynomial_w = _polynomial("shifted_chebyshev_polynomial_w", "chebyshev_w", True)
