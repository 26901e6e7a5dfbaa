"""Complex numbers and their parts: made of two real numbers, taken apart, conjugated.

The gradient of a real loss is PyTorch's: dL/dRe + i dL/dIm. So through a complex function with the
derivative f' goes g conj(f'), which `holomorphic` makes of a rule that is written for real numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import DTypeError, ShapeError
from jitnet.compiler.ir.op import Op, always
from jitnet.compiler.ir.types import TensorType

from . import check
from .leaves import full_like

Rule = Callable[..., Sequence[Any]]


def conjugated(x: Any) -> Any:
    """Return the conjugate of complex values; real ones as they are, with no op."""
    return conj(x) if x.dtype.is_complex else x


def holomorphic(rule: Rule) -> Rule:
    """Return the gradient of a function with a complex derivative: conj(conj(g) f') of the rule."""

    def grad(g: Any, y: Any, *args: Any, **params: Any) -> Sequence[Any]:
        if not g.dtype.is_complex:
            return rule(g, y, *args, **params)
        found = rule(conj(g), y, *args, **params)
        return [_later(each) if callable(each) else conj(each) for each in found]

    return grad


def _later(gradient: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: conj(gradient())


def _part_type(name: str) -> Callable[[TensorType], TensorType]:
    def infer(z: TensorType) -> TensorType:
        check.kind(name, ("complex",), z)
        return TensorType(z.dtype.to_real(), z.shape)

    return infer


def _same_type(z: TensorType) -> TensorType:
    check.kind("conj", ("complex",), z)
    return z


def _has_complex(name: str, x: TensorType) -> None:
    check.kind(name, ("float",), x)
    if x.dtype.narrow:
        raise DTypeError(f"{name} wants float32 or float64, got {x}; use .float() first")


def _complex_type(a: TensorType, b: TensorType) -> TensorType:
    _has_complex("complex", a)
    check.same_dtype("complex", a, b)
    check.same_shape("complex", a, b)
    return TensorType(a.dtype.to_complex(), a.shape)


def _pairs_type(z: TensorType) -> TensorType:
    check.kind("view_as_real", ("complex",), z)
    return TensorType(z.dtype.to_real(), (*z.shape, 2))


def _paired_type(x: TensorType) -> TensorType:
    _has_complex("view_as_complex", x)
    if x.shape[-1:] != (2,):
        raise ShapeError(f"view_as_complex wants a last dim of size 2, got {x}")
    return TensorType(x.dtype.to_complex(), x.shape[:-1])


def _made(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    result = np.empty(a.shape, np.result_type(a.dtype, np.complex64))
    result.real, result.imag = a, b
    return result


def _pairs(z: np.ndarray) -> np.ndarray:
    return z[..., None].view(z.real.dtype)


def _paired(x: np.ndarray) -> np.ndarray:
    """Return pairs as complex numbers: the same memory where pairs lie side by side in it."""
    size = x.itemsize
    if x.strides[-1] != size or any(step % (2 * size) for step in x.strides[:-1]):
        x = np.ascontiguousarray(x)
    return x.view(np.result_type(x.dtype, np.complex64))[..., 0]


def _size_grad(g: Any, y: Any, z: Any) -> tuple[Any]:
    """The direction of z; 0 at 0, as PyTorch has it."""
    return (lambda: complex(g, full_like(g, value=0)) * direction(z, y),)


def direction(z: Any, size: Any) -> Any:
    """Return z / |z|; 0 at 0."""
    from .elementwise import eq, where

    nothing = eq(size, full_like(size, value=0))
    divisor = where(nothing, full_like(size, value=1), size)
    found = z / complex(divisor, full_like(size, value=0))
    return where(nothing, full_like(z, value=0), found)


real: Op = Op(
    "real",
    _part_type("real"),
    eval=lambda z: z.real,
    grad=lambda g, y, z: (complex(g, full_like(g, value=0)),),
    keeps=(),
    moves=always,
)
imag: Op = Op(
    "imag",
    _part_type("imag"),
    eval=lambda z: z.imag,
    grad=lambda g, y, z: (complex(full_like(g, value=0), g),),
    keeps=(),
    moves=always,
)
complex: Op = Op(
    "complex",
    _complex_type,
    eval=_made,
    grad=lambda g, y, a, b: (lambda: real(g), lambda: imag(g)),
    keeps=(),
    moves=always,
)
conj: Op = Op(
    "conj",
    _same_type,
    eval=np.conjugate,
    grad=lambda g, y, z: (conj(g),),
    keeps=(),
)
magnitude = Op("magnitude", _part_type("magnitude"), eval=np.abs, grad=_size_grad)
view_as_real: Op = Op(
    "view_as_real",
    _pairs_type,
    eval=_pairs,
    grad=lambda g, y, z: (view_as_complex(g),),
    keeps=(),
    moves=always,
)
view_as_complex: Op = Op(
    "view_as_complex",
    _paired_type,
    eval=_paired,
    grad=lambda g, y, x: (view_as_real(g),),
    keeps=(),
    moves=always,
)

PARTS = (real, imag, complex, conj, magnitude, view_as_real, view_as_complex)
OPS = PARTS
