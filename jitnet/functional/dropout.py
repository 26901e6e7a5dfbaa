"""Dropout: elements or whole channels set to 0 at random while training."""

from __future__ import annotations

from jitnet.compiler import ops
from jitnet.runtime.dtype import float32

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .arithmetic import mul
from .choice import where


def _kept(x: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """Return where elements stay, each with probability 1 - p."""
    from ..random import draw

    dtype = x._type.dtype if x._type.dtype.kind == "float" else creation.get_default_dtype()
    fine = float32 if dtype.narrow else dtype  # steps of 1/256 would miss p
    return draw(ops.random_uniform, shape, fine, device=x.device) >= p


def _drop(input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise ValueError(at_line(f"dropout probability has to be between 0 and 1, but got {p}"))
    if not training or p == 0.0:
        return input
    x = input._snapshot() if inplace else input
    kept = mul(x, 0.0) if p == 1.0 else mul(x, 1 / (1 - p))
    result = kept if p == 1.0 else where(_kept(x, shape, p), kept, 0.0)
    return input._assign(result) if inplace else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return input with elements set to 0 with probability p, the others scaled by 1 / (1 - p)."""
    return _drop(input, input._type.shape, p, training, inplace)


def _channels(rank: int, input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    shape = input._type.shape
    lead = 2 if input.ndim >= rank + 2 else 1
    return _drop(input, shape[:lead] + (1,) * (input.ndim - lead), p, training, inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Return input [N, C, L] with whole channels set to 0 with probability p."""
    return _channels(1, input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Return input [N, C, H, W] with whole channels set to 0 with probability p."""
    return _channels(2, input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Return input [N, C, D, H, W] with whole channels set to 0 with probability p."""
    return _channels(3, input, p, training, inplace)


def _alpha(
    input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    """Set elements to selu's lower bound, and scale so that mean and variance stay."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(at_line(f"dropout probability has to be between 0 and 1, but got {p}"))
    if not training or p == 0.0:
        return input
    x = input._snapshot() if inplace else input
    if p == 1.0:
        result = mul(x, 0.0)
    else:
        floor = -1.7580993408473766
        scale = ((1 - p) * (1 + p * floor * floor)) ** -0.5
        result = mul(where(_kept(x, shape, p), x, floor), scale) - scale * p * floor
    return input._assign(result) if inplace else result


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return dropout for selu networks: mean and variance stay."""
    return _alpha(input, input._type.shape, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return alpha_dropout of whole channels of [N, C, ...]."""
    shape = input._type.shape
    return _alpha(input, shape[:2] + (1,) * (input.ndim - 2), p, training, inplace)
