"""Convolutions over 1 to 3 spatial dims, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op

from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .arithmetic import add
from .precision import autocast_lowers, rounded_once
from .promote import as_tensor_like


def per_dim(value: Any, rank: int, name: str) -> tuple[int, ...]:
    """Return one int for each spatial dim."""
    if isinstance(value, int):
        return (value,) * rank
    found = tuple(value)
    if len(found) == 1:
        return found * rank
    if len(found) != rank:
        raise ShapeError(at_line(f"{name} wants one number or {rank}, got {found}"))
    return found


def _batched(input: Tensor, rank: int, name: str) -> tuple[Tensor, bool]:
    """Return the input with a batch dim, and whether it had one."""
    if as_tensor_like(input, name).ndim == rank + 2:
        return input, True
    if input.ndim == rank + 1:
        return input.unsqueeze(0), False
    raise ShapeError(
        at_line(f"{name} wants [N, C, {rank} spatial] or [C, {rank} spatial], got {input._type}")
    )


def _check(name: str, x: Tensor, weight: Tensor, bias: Tensor | None, filters: int) -> None:
    if weight.ndim != x.ndim:
        raise ShapeError(at_line(f"{name} wants a weight of {x.ndim} dims, got {weight._type}"))
    for value in (weight, bias):
        if value is not None and value._type.dtype is not x._type.dtype:
            raise DTypeError(
                at_line(f"{name} wants one dtype, got input {x._type} and {value._type}")
            )
    if bias is not None and bias._type.shape != (filters,):
        raise ShapeError(at_line(f"{name} wants a bias [{filters}], got {bias._type}"))


def _bilinear(op: Op, x: Tensor, weight: Tensor, **params: Any) -> Tensor:
    """Apply an op that is linear in both arguments: to complex numbers part by part."""
    if not x._type.dtype.is_complex:
        return op(x, weight, **params)
    (a, b), (c, d) = ((ops.real(each), ops.imag(each)) for each in (x, weight))
    re = ops.sub(op(a, c, **params), op(b, d, **params))
    return ops.complex(re, ops.add(op(a, d, **params), op(b, c, **params)))


def _with_bias(y: Tensor, bias: Tensor | None, had_batch: bool) -> Tensor:
    if bias is not None:
        y = add(y, bias.reshape(1, -1, *(1,) * (y.ndim - 2)))
    return y if had_batch else y.squeeze(0)


def _pairs(
    padding: Any, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], name: str
) -> tuple[tuple[int, int], ...]:
    """Return (low, high) for each spatial dim from a number, a tuple, "same" or "valid"."""
    rank = len(kernel)
    if padding == "valid":
        return ((0, 0),) * rank
    if padding == "same":
        if any(step != 1 for step in stride):
            raise RuntimeError(at_line(f"{name}: padding='same' wants stride 1, got {stride}"))
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((span // 2, span - span // 2) for span in spans)
    if isinstance(padding, str):
        raise ValueError(at_line(f"{name} knows padding 'same' and 'valid', got {padding!r}"))
    return tuple((size, size) for size in per_dim(padding, rank, f"{name}'s padding"))


def _conv(
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    name = f"conv{rank}d"
    x, had_batch = _batched(input, rank, name)
    _check(name, x, weight, bias, weight._type.shape[0])
    steps = per_dim(stride, rank, f"{name}'s stride")
    spread = per_dim(dilation, rank, f"{name}'s dilation")
    y = _bilinear(
        ops.conv,
        x,
        weight,
        stride=steps,
        padding=_pairs(padding, weight._type.shape[2:], steps, spread, name),
        dilation=spread,
        groups=groups,
    )
    return _with_bias(y, bias, had_batch)


@autocast_lowers
@rounded_once
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of input [N, C, L] with weight [O, C / groups, K]."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@autocast_lowers
@rounded_once
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of input [N, C, H, W] with weight [O, C / groups, KH, KW]."""
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@autocast_lowers
@rounded_once
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of input [N, C, D, H, W] with weight [O, C / groups, KD, KH, KW]."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    name = f"conv_transpose{rank}d"
    x, had_batch = _batched(input, rank, name)
    _check(name, x, weight, bias, weight._type.shape[1] * groups)
    steps = per_dim(stride, rank, f"{name}'s stride")
    spread = per_dim(dilation, rank, f"{name}'s dilation")
    around = per_dim(padding, rank, f"{name}'s padding")
    more = per_dim(output_padding, rank, f"{name}'s output_padding")
    if any(extra >= max(a, b) for extra, a, b in zip(more, steps, spread, strict=True)):
        raise RuntimeError(
            at_line(f"{name}: output padding {more} must be smaller than stride or dilation")
        )
    sizes = tuple(
        (size - 1) * step - 2 * edge + gap * (k - 1) + extra + 1
        for size, k, step, gap, edge, extra in zip(
            x._type.shape[2:], weight._type.shape[2:], steps, spread, around, more, strict=True
        )
    )
    if min(sizes) < 1:
        raise ShapeError(at_line(f"{name}: the result would have sizes {sizes}; pad less"))
    # Rows at the end that no element comes to by itself: less is cut off, then zeros follow.
    late = any(extra >= step for extra, step in zip(more, steps, strict=True))
    missed = more if late else (0,) * rank
    edges = list(zip(around, missed, strict=True))
    beyond = tuple(max(extra - size, 0) for size, extra in edges)
    y = _bilinear(
        ops.conv_input_grad,
        x,
        weight,
        shape=(
            x._type.shape[0],
            weight._type.shape[1] * groups,
            *(size - empty for size, empty in zip(sizes, beyond, strict=True)),
        ),
        stride=steps,
        padding=tuple((size, max(size - extra, 0)) for size, extra in edges),
        dilation=spread,
        groups=groups,
    )
    if any(beyond):
        y = ops.pad(y, low=(0,) * (rank + 2), high=(0, 0, *beyond), value=0)
    return _with_bias(y, bias, had_batch)


@autocast_lowers
@rounded_once
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution; weight is [C, O / groups, K]."""
    return _conv_transpose(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@autocast_lowers
@rounded_once
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution; weight is [C, O / groups, KH, KW]."""
    return _conv_transpose(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@autocast_lowers
@rounded_once
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution; weight is [C, O / groups, KD, KH, KW]."""
    return _conv_transpose(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
