"""How functions of complex numbers are computed of real and imaginary parts: a row for each op.

The formulas hold for numbers of any size where that costs little: quotients are Smith's (1962),
sizes and roots are scaled. What has no row is left to NumPy, as a host node.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ops import add, div, mul, neg, sub
from jitnet.runtime.dataclass import dataclass


@dataclass(frozen=True)
class Pair:
    """The parts of a complex value, nodes of one type; and both as memory holds them, if known."""

    re: Node
    im: Node
    whole: Node | None = None

    @property
    def parts(self) -> tuple[Node, Node]:
        """The real and the imaginary part."""
        return self.re, self.im


Value = Node | Pair
Function = Callable[..., Value]


def like(x: Node, value: float) -> Node:
    """Return a number at every place of x."""
    return ops.full_like(x, value=value)


def _where(condition: Node, z: Pair, w: Pair) -> Pair:
    return Pair(ops.where(condition, z.re, w.re), ops.where(condition, z.im, w.im))


def _times(z: Pair, factor: float) -> Pair:
    return Pair(mul(z.re, like(z.re, factor)), mul(z.im, like(z.im, factor)))


# -- arithmetic ---------------------------------------------------------------------------------


def _neg(z: Pair) -> Pair:
    return Pair(neg(z.re), neg(z.im))


def _add(z: Pair, w: Pair) -> Pair:
    return Pair(add(z.re, w.re), add(z.im, w.im))


def _sub(z: Pair, w: Pair) -> Pair:
    return Pair(sub(z.re, w.re), sub(z.im, w.im))


def _mul(z: Pair, w: Pair) -> Pair:
    re = sub(mul(z.re, w.re), mul(z.im, w.im))
    return Pair(re, add(mul(z.re, w.im), mul(z.im, w.re)))


def _matmul(z: Pair, w: Pair) -> Pair:
    product = ops.matmul
    re = sub(product(z.re, w.re), product(z.im, w.im))
    return Pair(re, add(product(z.re, w.im), product(z.im, w.re)))


def _by_larger(w: Pair) -> tuple[Node, Node, Node]:
    """Return whether re is the larger part of w, the quotient of both, and |w|^2 / the larger."""
    wide = ops.ge(ops.abs(w.re), ops.abs(w.im))
    large, small = ops.where(wide, w.re, w.im), ops.where(wide, w.im, w.re)
    ratio = div(small, large)
    return wide, ratio, add(large, mul(small, ratio))


def _div(z: Pair, w: Pair) -> Pair:
    """Divide by the larger part first, so that nothing overflows in between."""
    wide, ratio, scale = _by_larger(w)
    re = ops.where(wide, add(z.re, mul(z.im, ratio)), add(mul(z.re, ratio), z.im))
    im = ops.where(wide, sub(z.im, mul(z.re, ratio)), sub(mul(z.im, ratio), z.re))
    return Pair(div(re, scale), div(im, scale))


def _reciprocal(z: Pair) -> Pair:
    wide, ratio, scale = _by_larger(z)
    one = like(ratio, 1.0)
    re, im = ops.where(wide, one, ratio), ops.where(wide, neg(ratio), neg(one))
    return Pair(div(re, scale), div(im, scale))


def size(z: Pair) -> Node:
    """Return |z|, also where the square of a part overflows; infinite if a part is."""
    a, b = ops.abs(z.re), ops.abs(z.im)
    large, small = ops.maximum(a, b), ops.minimum(a, b)
    ratio = div(small, large)
    length = mul(large, ops.sqrt(add(like(a, 1.0), mul(ratio, ratio))))
    plain = ops.logical_or(ops.eq(large, like(a, 0.0)), ops.isinf(large))
    infinite = ops.logical_or(ops.isinf(a), ops.isinf(b))
    length = ops.where(plain, large, length)
    return ops.where(infinite, like(a, math.inf), length)


# -- exponentials, logarithms, roots ------------------------------------------------------------


def _exp(z: Pair) -> Pair:
    """e^re (cos im, sin im); infinity does not meet sin(0), nor 0 the sine of infinity."""
    scale = ops.exp(z.re)
    zero = like(scale, 0.0)
    flat, gone = ops.eq(z.im, zero), ops.eq(scale, zero)
    re = ops.where(ops.logical_or(flat, gone), scale, mul(scale, ops.cos(z.im)))
    im = ops.where(gone, scale, mul(scale, ops.sin(z.im)))
    return Pair(re, ops.where(flat, z.im, im))


def _log(z: Pair) -> Pair:
    return Pair(ops.log(size(z)), ops.atan2(z.im, z.re))


def _scaled_log(base: float) -> Function:
    return lambda z: _times(_log(z), 1 / math.log(base))


def _exp2(z: Pair) -> Pair:
    return _exp(_times(z, math.log(2)))


def _sign(x: Node) -> Node:
    """Return -1 or 1, which -0.0 and 0.0 have too."""
    zero, one = like(x, 0.0), like(x, 1.0)
    below = ops.logical_and(ops.eq(x, zero), ops.lt(ops.reciprocal(x), zero))
    return ops.where(ops.logical_or(ops.lt(x, zero), below), neg(one), one)


def _sqrt(z: Pair) -> Pair:
    """The root with a real part >= 0, on the side of the imaginary part's sign."""
    half = mul(add(ops.abs(z.re), size(z)), like(z.re, 0.5))
    root = ops.sqrt(half)
    zero = like(root, 0.0)
    safe = ops.where(ops.eq(root, zero), like(root, 1.0), root)
    other = div(mul(z.im, like(root, 0.5)), safe)
    right = ops.logical_or(ops.ge(z.re, zero), ops.eq(root, zero))
    re = ops.where(right, root, ops.abs(other))
    im = ops.where(right, ops.where(ops.eq(root, zero), z.im, other), mul(_sign(z.im), root))
    return Pair(re, im)


def _rsqrt(z: Pair) -> Pair:
    return _reciprocal(_sqrt(z))


def _pow(z: Pair, w: Pair) -> Pair:
    """exp(w log z); 1 for w = 0, 0 for z = 0."""
    zero, one = like(z.re, 0.0), like(z.re, 1.0)
    found = _exp(_mul(w, _log(z)))
    nothing = ops.logical_and(ops.eq(z.re, zero), ops.eq(z.im, zero))
    found = _where(nothing, Pair(zero, zero), found)
    flat = ops.logical_and(ops.eq(w.re, zero), ops.eq(w.im, zero))
    return _where(flat, Pair(one, zero), found)


def _sigmoid(z: Pair) -> Pair:
    one = like(z.re, 1.0)
    power = _exp(_neg(z))
    return _reciprocal(Pair(add(one, power.re), power.im))


# -- circular and hyperbolic functions ----------------------------------------------------------


def _sin(z: Pair) -> Pair:
    re = mul(ops.sin(z.re), ops.cosh(z.im))
    return Pair(re, mul(ops.cos(z.re), ops.sinh(z.im)))


def _cos(z: Pair) -> Pair:
    re = mul(ops.cos(z.re), ops.cosh(z.im))
    return Pair(re, neg(mul(ops.sin(z.re), ops.sinh(z.im))))


def _sinh(z: Pair) -> Pair:
    re = mul(ops.sinh(z.re), ops.cos(z.im))
    return Pair(re, mul(ops.cosh(z.re), ops.sin(z.im)))


def _cosh(z: Pair) -> Pair:
    re = mul(ops.cosh(z.re), ops.cos(z.im))
    return Pair(re, mul(ops.sinh(z.re), ops.sin(z.im)))


def _tanh(z: Pair) -> Pair:
    """(u (1 + t^2) + i t / cosh^2) / (1 + u^2 t^2) with u = tanh of re and t = tan of im."""
    one = like(z.re, 1.0)
    u, t = ops.tanh(z.re), ops.tan(z.im)
    slope = ops.reciprocal(ops.cosh(z.re))
    square = mul(t, t)
    scale = add(one, mul(mul(u, u), square))
    re = div(mul(u, add(one, square)), scale)
    return Pair(re, div(mul(t, mul(slope, slope)), scale))


def _tan(z: Pair) -> Pair:
    found = _tanh(Pair(neg(z.im), z.re))
    return Pair(found.im, neg(found.re))


# -- questions ----------------------------------------------------------------------------------


def _eq(z: Pair, w: Pair) -> Node:
    return ops.logical_and(ops.eq(z.re, w.re), ops.eq(z.im, w.im))


def _ne(z: Pair, w: Pair) -> Node:
    return ops.logical_or(ops.ne(z.re, w.re), ops.ne(z.im, w.im))


def _either(question: Op) -> Function:
    return lambda z: ops.logical_or(question(z.re), question(z.im))


def _isfinite(z: Pair) -> Node:
    return ops.logical_and(ops.isfinite(z.re), ops.isfinite(z.im))


# -- parts --------------------------------------------------------------------------------------


def _view_as_real(z: Pair) -> Node:
    return joined(z)


def joined(z: Pair) -> Node:
    """Return both parts as pairs of floats, as memory holds them."""
    if z.whole is not None:
        return z.whole
    shape = (*z.re.shape, 1)
    parts = [ops.reshape(part, shape=shape) for part in z.parts]
    return ops.concat(*parts, axis=len(shape) - 1)


def taken_apart(x: Node) -> Pair:
    """Return the parts of pairs of floats."""
    shape = x.shape[:-1]
    parts = []
    for at in (0, 1):
        starts = (*(0,) * len(shape), at)
        part = ops.slice(x, starts=starts, stops=(*shape, at + 1), steps=(1,) * len(x.shape))
        parts.append(ops.reshape(part, shape=shape))
    return Pair(parts[0], parts[1], x)


RULES: dict[Op, Function] = {
    ops.neg: _neg, ops.add: _add, ops.sub: _sub, ops.mul: _mul, ops.div: _div,
    ops.matmul: _matmul, ops.reciprocal: _reciprocal, ops.pow: _pow,
    ops.exp: _exp, ops.exp2: _exp2, ops.log: _log,
    ops.log2: _scaled_log(2), ops.log10: _scaled_log(10), ops.sqrt: _sqrt, ops.rsqrt: _rsqrt,
    ops.sigmoid: _sigmoid, ops.sin: _sin, ops.cos: _cos, ops.tan: _tan,
    ops.sinh: _sinh, ops.cosh: _cosh, ops.tanh: _tanh,
    ops.eq: _eq, ops.ne: _ne, ops.isnan: _either(ops.isnan), ops.isinf: _either(ops.isinf),
    ops.isfinite: _isfinite,
    ops.real: lambda z: z.re,
    ops.imag: lambda z: z.im,
    ops.complex: lambda a, b: Pair(a, b),
    ops.conj: lambda z: Pair(z.re, neg(z.im)),
    ops.magnitude: size,
    ops.view_as_real: _view_as_real,
    ops.view_as_complex: taken_apart,
}  # fmt: skip

# Ops that treat both parts alike, with the same params.
BOTH = frozenset({
    ops.reshape, ops.permute, ops.expand, ops.slice, ops.flip, ops.copy, ops.concat,
    ops.slice_assign, ops.take, ops.pick, ops.put, ops.where, ops.sum,
})  # fmt: skip
