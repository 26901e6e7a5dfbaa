"""Complex tensors: made of parts and of angles, taken apart, conjugated.

`real`, `imag`, `view_as_real` and `view_as_complex` are views: writing into them writes the tensor.
`conj` computes at once, where PyTorch marks the tensor and computes later.
"""

from __future__ import annotations

import math
from typing import Any

from jitnet.compiler import ops
from jitnet.runtime.dtype import bool_

from .. import capture, creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor, strides_of
from .arithmetic import eq, lt, mul
from .choice import where
from .out import with_exact_out, with_out
from .promote import as_tensor_like, broadcast_shapes, to_dtype, to_float, to_shape
from .unary import cos, isinf, isnan, sin

__all__ = [
    "adjoint", "angle", "complex", "conj", "conj_physical", "imag", "is_conj", "is_neg", "isreal",
    "polar", "real", "resolve_conj", "resolve_neg", "view_as_complex", "view_as_real",
]  # fmt: skip


def _wants_complex(name: str, x: Tensor, instead: str) -> None:
    if not as_tensor_like(x, name)._type.dtype.is_complex:
        raise DTypeError(at_line(f"{name} wants a complex tensor, got {x._type}; {instead}"))


@with_exact_out
def complex(real: Tensor, imag: Tensor) -> Tensor:
    """Return real + imag i, of two tensors of one float dtype that broadcast."""
    for part in (real, imag):
        dtype = as_tensor_like(part, "complex")._type.dtype
        if dtype.kind != "float" or dtype.narrow:
            raise DTypeError(
                at_line(f"complex wants float32 or float64 parts, got {part._type}; use .float()")
            )
    if real._type.dtype is not imag._type.dtype:
        raise DTypeError(
            at_line(f"complex wants parts of one dtype, got {real._type} and {imag._type}")
        )
    shape = broadcast_shapes(real._type.shape, imag._type.shape)
    return ops.complex(to_shape(real, shape), to_shape(imag, shape))


@with_out
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """Return the complex numbers with these sizes and angles."""
    size, turn = as_tensor_like(abs, "polar"), as_tensor_like(angle, "polar")
    return complex(mul(size, cos(turn)), mul(size, sin(turn)))  # type: ignore[no-any-return]


def real(input: Tensor) -> Tensor:
    """Return a view of the real parts; a real tensor itself."""
    return ops.real(input) if input._type.dtype.is_complex else input


def imag(input: Tensor) -> Tensor:
    """Return a view of the imaginary parts."""
    _wants_complex("imag", input, "real numbers have no imaginary part to view")
    return ops.imag(input)


def view_as_real(input: Tensor) -> Tensor:
    """Return a view with a new last dim of size 2: the real and the imaginary part."""
    _wants_complex("view_as_real", input, "it is real already")
    return ops.view_as_real(input)


def view_as_complex(input: Tensor) -> Tensor:
    """Return a view of pairs of floats, which lie side by side in the last dim, as complex."""
    dtype = as_tensor_like(input, "view_as_complex")._type.dtype
    if dtype.kind != "float" or dtype.narrow:
        raise DTypeError(
            at_line(f"view_as_complex wants float32 or float64, got {input._type}; use .float()")
        )
    if input._type.shape[-1:] != (2,):
        raise ShapeError(at_line(f"Tensor must have a last dimension of size 2, got {input._type}"))
    steps = strides_of(input)
    if steps[-1] != 1 or any(step % 2 for step in steps[:-1]) or _offset(input) % 2:
        raise RuntimeError(
            at_line(
                "view_as_complex wants pairs side by side in memory: a last dim of stride 1, even "
                f"other strides and an even offset; got strides {steps}; use .contiguous() first"
            )
        )
    return ops.view_as_complex(input)


def _offset(x: Tensor) -> int:
    """Return the elements before x in its base; 0 in a trace, whose arrays are made aligned."""
    return 0 if capture.active is not None else x.storage_offset()


@with_out
def conj(input: Tensor) -> Tensor:
    """Return the complex conjugates; a real tensor itself."""
    return ops.conj(input) if as_tensor_like(input, "conj")._type.dtype.is_complex else input


conj_physical = conj


def resolve_conj(input: Tensor) -> Tensor:
    """Return the tensor itself: conj() has computed already."""
    return input


resolve_neg = resolve_conj


def is_conj(input: Tensor) -> bool:
    """Return False: conj() has computed already, nothing is left to be conjugated."""
    return False


is_neg = is_conj


def adjoint(input: Tensor) -> Tensor:
    """Return matrices transposed and conjugated."""
    return conj(input.transpose(-2, -1) if input.ndim else input)  # type: ignore[no-any-return]


@with_out
def angle(input: Tensor) -> Tensor:
    """Return the angles of complex numbers; of real ones 0, and pi below 0; NaN stays."""
    if not as_tensor_like(input, "angle")._type.dtype.is_complex:
        x = to_float(input)
        nothing = mul(where(isinf(x), 0.0, x), 0.0)  # of which x has the gradient 0
        return where(isnan(x), x, where(lt(x, 0), math.pi, where(eq(x, 0), 0.0, nothing)))  # type: ignore[no-any-return]
    nothing = eq(input, 0)
    a, b = ops.real(input), ops.imag(input)
    if not input.requires_grad:
        return ops.atan2(b, a)
    found = ops.atan2(where(nothing, 0.0, b), where(nothing, 1.0, a))
    return where(nothing, ops.atan2(b, a).detach(), found)  # type: ignore[no-any-return]


def isreal(input: Tensor) -> Tensor:
    """Return where the imaginary part is 0."""
    if not input._type.dtype.is_complex:
        return creation.full(input._type.shape, True, dtype=bool_, device=input.device)
    return eq(ops.imag(input), 0)


def set_real(self: Tensor, value: Any) -> None:
    """Write the real parts: `x.real = value`; of a real tensor, all of it."""
    _write_part(real(self), value)


def set_imag(self: Tensor, value: Any) -> None:
    """Write the imaginary parts: `x.imag = value`."""
    _write_part(imag(self), value)


def _write_part(part: Tensor, value: Any) -> None:
    made = value if isinstance(value, Tensor) else creation.as_tensor(value, device=part.device)
    if made._type.dtype.is_complex:
        raise DTypeError(at_line(f"a part of complex numbers is real, got {made._type}"))
    part._assign(to_shape(to_dtype(made, part._type.dtype), part._type.shape))
