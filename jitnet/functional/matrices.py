"""What the functions of linear algebra ask of their arguments, in PyTorch's words."""

from __future__ import annotations

from typing import Any

from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .promote import as_tensor_like, broadcast_shapes, to_shape


def matrices(name: str, A: Any, square: bool = False) -> Tensor:  # noqa: N803
    """Return A if it is matrices, or square ones, of floats or complex numbers; else raise."""
    x = as_tensor_like(A, name)
    _computable(name, x)
    if x.ndim < 2:
        raise ShapeError(
            at_line(f"{name}: The input tensor must have at least 2 dimensions, got {x._type}")
        )
    if square and x._type.shape[-1] != x._type.shape[-2]:
        raise ShapeError(
            at_line(f"{name}: A must be batches of square matrices, but got {x._type}")
        )
    return x


def _computable(name: str, x: Tensor) -> None:
    dtype = x._type.dtype
    if dtype.narrow:
        raise DTypeError(
            at_line(f"{name}: Low precision dtypes not supported. Got {dtype}; use .float() first")
        )
    if not dtype.is_inexact:
        raise DTypeError(
            at_line(
                f"{name}: Expected a floating point or complex tensor, got {x._type}; use .float()"
            )
        )


def alike(name: str, first: Tensor, other: Any) -> Tensor:
    """Return the other argument if it has the first one's dtype."""
    x = as_tensor_like(other, name)
    if x._type.dtype is not first._type.dtype:
        raise DTypeError(
            at_line(f"{name}: Expected the same dtype for both, got {first._type} and {x._type}")
        )
    return x


def one_batch(*values: Tensor) -> list[Tensor]:
    """Return matrices with their batch dims broadcast."""
    batch = broadcast_shapes(*[value._type.shape[:-2] for value in values])
    return [to_shape(value, (*batch, *value._type.shape[-2:])) for value in values]


def is_vector(a: Tensor, b: Tensor) -> bool:
    """Whether b is one vector for each matrix of a, and no matrices."""
    return b.ndim == 1 or (a.ndim - 1 == b.ndim and b._type.shape == a._type.shape[:-1])
