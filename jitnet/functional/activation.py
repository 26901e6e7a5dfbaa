"""Activation functions: compositions of ops, with PyTorch's names, defaults and gradients."""

from __future__ import annotations

import math
import warnings
from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import DType, float32

from .. import creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from . import arithmetic, unary
from .arithmetic import add, div, mul, sub
from .choice import clamp, where
from .out import with_out
from .precision import autocast_lowers, rounded_once
from .promote import normal_dim, to_dtype, to_float
from .reduction import amax
from .reduction import sum as total
from .unary import exp, log, log1p, neg, tanh
from .unary import sigmoid as logistic

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _finish(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """Return the result in the input's dtype, written over the input if that was asked for."""
    if input._type.dtype.narrow:
        result = to_dtype(result, input._type.dtype)
    return input._assign(result) if inplace else result


def _source(input: Tensor, inplace: bool, keep: bool = False) -> Tensor:
    """Return what to read, 16-bit floats as float32; keep: whether the gradient reads it, too."""
    source = input._snapshot(keep and input.requires_grad) if inplace else input
    return to_dtype(source, float32) if source._type.dtype.narrow else source


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return max(input, 0); NaN stays."""
    if input._type.dtype.kind == "bool":
        raise DTypeError(at_line(f"relu wants numbers, got {input._type}"))
    x = _source(input, inplace)
    zero = arithmetic.constant_of(x, 0)
    return _finish(input, ops.where(ops.le(x, zero), zero, x), inplace)


def relu_(input: Tensor) -> Tensor:
    """Do relu in place."""
    return relu(input, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return min(max(input, 0), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return input kept between two bounds, with gradient 0 at and beyond them."""
    if min_val > max_val:
        raise ValueError(at_line(f"hardtanh wants min_val <= max_val, got {min_val}, {max_val}"))
    x = _source(input, inplace)
    kind = x._type.dtype.kind
    if kind == "bool" or (kind == "uint" and min_val < 0):
        raise DTypeError(at_line(f"hardtanh wants numbers with a sign, got {input._type}"))
    if kind != "float":
        min_val, max_val = int(min_val), int(max_val)
    result = where(x <= min_val, min_val, where(x >= max_val, max_val, x))
    return _finish(input, result, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return input above 0 and negative_slope * input below it."""
    x = _source(input, inplace)
    return _finish(input, where(x > 0, x, mul(x, negative_slope)), inplace)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return leaky_relu with slopes drawn from lower .. upper (training), or their mean."""
    from ..random import draw

    if lower > upper:
        raise ValueError(at_line(f"rrelu wants lower <= upper, got {lower} and {upper}"))
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    x = _source(input, inplace, keep=True)
    drawn = draw(ops.random_uniform, x._type.shape, x._type.dtype, device=x.device)
    slope = add(mul(drawn, upper - lower), lower)
    return _finish(input, where(x > 0, x, mul(x, slope)), inplace)


@autocast_lowers
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return leaky_relu with a learned slope for each channel (dim 1)."""
    channels = input._type.shape[min(1, input.ndim - 1)] if input.ndim else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise ShapeError(
            at_line(f"prelu wants 1 or {channels} slopes for {input._type}, got {weight._type}")
        )
    if weight.numel() != 1:
        shape = [1] * input.ndim
        shape[min(1, input.ndim - 1)] = weight.numel()
        weight = weight.reshape(shape)
    elif not input.ndim:
        weight = weight.reshape(())
    return where(input > 0, input, mul(input, weight))  # type: ignore[no-any-return]


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return input above 0 and alpha * (exp(input) - 1) below it."""
    x = _source(input, inplace)
    below = mul(unary.expm1(clamp(x, max=0)), alpha)
    return _finish(input, where(x > 0, x, below), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return input above 0 and alpha * (exp(input / alpha) - 1) below it."""
    x = _source(input, inplace)
    below = mul(unary.expm1(div(clamp(x, max=0), alpha)), alpha)
    return _finish(input, where(x > 0, x, below), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the self-normalising elu."""
    return _finish(input, mul(elu(_source(input, inplace), _SELU_ALPHA), _SELU_SCALE), inplace)


@with_out
@rounded_once
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return input * Phi(input), Phi the normal distribution; or its tanh approximation."""
    if approximate == "none":
        return mul(mul(input, 0.5), add(unary.erf(mul(input, math.sqrt(0.5))), 1))
    if approximate != "tanh":
        raise RuntimeError(at_line(f"gelu wants approximate 'none' or 'tanh', got {approximate!r}"))
    cube = mul(mul(input, input), input)
    inner = mul(add(input, mul(cube, 0.044715)), math.sqrt(2 / math.pi))
    return mul(mul(input, 0.5), add(tanh(inner), 1))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return input * sigmoid(input)."""
    x = _source(input, inplace, keep=True)
    return _finish(input, mul(x, logistic(x)), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return input * tanh(softplus(input))."""
    x = _source(input, inplace, keep=True)
    return _finish(input, mul(x, tanh(softplus(x))), inplace)


def sigmoid(input: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-input))."""
    return logistic(input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return input / 6 + 1 / 2, kept between 0 and 1."""
    x = _source(input, inplace, keep=True)
    return _finish(input, hardtanh(add(div(x, 6.0), 0.5), 0.0, 1.0), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return input * hardsigmoid(input)."""
    x = _source(input, inplace, keep=True)
    middle = mul(x, div(add(x, 3.0), 6.0))
    return _finish(input, where(x <= -3, 0.0, where(x >= 3, x, middle)), inplace)


@with_out
@rounded_once
def logsigmoid(input: Tensor) -> Tensor:
    """Return log(sigmoid(input)) without overflow."""
    return sub(arithmetic.minimum(input, 0), log1p(exp(neg(unary.abs(input)))))


@with_out
@rounded_once
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * input)) / beta; input itself above the threshold."""
    scaled = mul(input, beta)
    linear = scaled > threshold
    safe = where(linear, 0.0, scaled)
    return where(linear, input, div(log1p(exp(safe)), beta))  # type: ignore[no-any-return]


@rounded_once
def softsign(input: Tensor) -> Tensor:
    """Return input / (1 + |input|)."""
    return div(input, add(unary.abs(input), 1))


@with_out
@rounded_once
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return input moved towards 0 by lambd, 0 between."""
    if lambd < 0:
        raise RuntimeError(at_line(f"softshrink wants lambd >= 0, got {lambd}"))
    low = where(input < -lambd, add(input, lambd), mul(input, 0))
    return where(input > lambd, sub(input, lambd), low)  # type: ignore[no-any-return]


@with_out
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return input, 0 between -lambd and lambd."""
    return where((input >= -lambd) & (input <= lambd), 0.0, input)  # type: ignore[no-any-return]


@rounded_once
def tanhshrink(input: Tensor) -> Tensor:
    """Return input - tanh(input)."""
    return sub(input, tanh(input))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return input above the threshold and value elsewhere."""
    x = _source(input, inplace)
    return _finish(input, where(x <= threshold, value, x), inplace)


@rounded_once
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return the first half along dim times the sigmoid of the second."""
    size = input._type.shape[normal_dim(dim, input.ndim)]
    if size % 2:
        raise RuntimeError(at_line(f"glu wants an even size along dim {dim}, got {input._type}"))
    half = size // 2
    return mul(input.narrow(dim, 0, half), logistic(input.narrow(dim, half, half)))


# -- along a dim --------------------------------------------------------------------------------


def _rows(input: Tensor, dim: int | None, dtype: DType | None, name: str) -> tuple[Tensor, int]:
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
        warnings.warn(
            at_line(
                f"Implicit dimension choice for {name} has been deprecated: took dim {dim} of "
                f"{input._type}; give dim={dim}, or dim=-1 for the last one"
            ),
            stacklevel=5,
        )
    x = to_float(input) if dtype is None else to_dtype(input, dtype)
    return x, normal_dim(dim, x.ndim)


def _less_top(x: Tensor, axis: int) -> Tensor:
    """Return x minus its largest element along axis, which no gradient needs."""
    if not x._type.shape or 0 in x._type.shape:
        return sub(x, x.detach()) if not x._type.shape else x
    return sub(x, amax(x.detach(), axis, keepdim=True))


@with_out
@rounded_once
def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Return exp(input) / sum(exp(input)) along dim."""
    x, axis = _rows(input, dim, dtype, "softmax")
    powers = exp(_less_top(x, axis))
    # The sum is at least 1, so its reciprocal loses nothing: one division a row.
    return mul(powers, unary.reciprocal(total(powers, axis, keepdim=True)))


@with_out
@rounded_once
def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Return log(softmax(input)) along dim, without overflow."""
    x, axis = _rows(input, dim, dtype, "log_softmax")
    below = _less_top(x, axis)
    return sub(below, log(total(exp(below), axis, keepdim=True)))


@rounded_once
def softmin(input: Tensor, dim: int | None = None, dtype: DType | None = None) -> Tensor:
    """Return softmax(-input) along dim."""
    return softmax(neg(input), dim, dtype=dtype)


@rounded_once
def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Return samples of a softened (or, hard, one-hot) choice by logits."""
    from ..random import rand_like

    noise = neg(log(neg(log(clamp(rand_like(logits), min=1e-20)))))
    soft = softmax(div(add(logits, noise), tau), dim)
    if not hard:
        return soft
    best = soft.argmax(dim, keepdim=True)
    one = creation.zeros_like(soft).scatter(dim, best, 1.0)
    return add(sub(one, soft.detach()), soft)


@with_out
@rounded_once
def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Return input divided by its p-norm along dim (at least eps)."""
    from .reduction import norm

    return div(input, clamp(norm(input, p, dim, keepdim=True), min=eps))
