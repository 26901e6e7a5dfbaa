"""How operands of different dtypes and shapes meet: promotion and broadcasting, as PyTorch's."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.ops import cast, expand, reshape
from jitnet.runtime.dtype import DType, bool_, complex128, float64, int64, promote

from .. import capture, creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from ..tensors.constants import constant_like

Number = bool | int | float | complex
Operand = Tensor | Number
_CATEGORY = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}


def as_operand(value: Any) -> Operand:
    """Return value as a Tensor or a Python number; TypeError for anything else."""
    if isinstance(value, Tensor | bool | int | float | complex):
        return value
    if isinstance(value, np.generic):
        return value.item()  # type: ignore[no-any-return]
    if isinstance(value, np.ndarray):
        return creation.as_tensor(value, device="cpu")
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, numbers.Complex):
        return complex(value)
    raise TypeError(
        at_line(
            f"expected a Tensor or a number, got {type(value).__name__}; use jitnet.tensor(...)"
        )
    )


def _number_dtype(value: Number) -> DType:
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    floats = creation.get_default_dtype()
    return floats.to_complex() if isinstance(value, complex) else floats


def result_type(*operands: Operand | DType) -> DType:
    """Return the dtype in which operands meet: torch.result_type.

    Tensors with dims, and dtypes, decide among themselves; zero-dimensional tensors, and after them
    Python numbers, matter only where they are of a higher category (bool < whole numbers < floats <
    complex numbers); these take the precision of the floats that they meet.
    """
    best: DType | None = None
    ranks: list[list[DType]] = [[], [], []]  # with dims, zero-dimensional, numbers
    for value in operands:
        if isinstance(value, DType):
            ranks[0].append(value)
        elif not isinstance(value, Tensor):
            ranks[2].append(_number_dtype(value))
        elif value._weak:
            ranks[2].append(creation.get_default_dtype())
        else:
            ranks[0 if value._type.shape else 1].append(value._type.dtype)
    for group in ranks:
        found: DType | None = None
        for dtype in group:
            found = dtype if found is None else promote(found, dtype)
        if found is None:
            continue
        if best is None:
            best = found
        elif _CATEGORY[found.kind] > _CATEGORY[best.kind]:
            best = best.to_complex() if best.kind == "float" else found
    assert best is not None
    if not ranks[0] and not ranks[1] and any(isinstance(value, Tensor) for value in operands):
        # Numbers of a trace: Python computes them in double precision.
        return complex128 if best.is_complex else float64
    return best


def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]:
    """Return the shape that all shapes grow to; ShapeError where two sizes differ."""
    sizes = [(shape,) if isinstance(shape, int) else shape for shape in shapes]
    rank = max((len(shape) for shape in sizes), default=0)
    result = [1] * rank
    for shape in sizes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size == 1 or size == result[axis]:
                continue
            if result[axis] != 1:
                listed = " and ".join(str(list(each)) for each in sizes)
                raise ShapeError(
                    at_line(
                        f"shapes {listed} do not broadcast: sizes {result[axis]} and {size} meet "
                        f"at dimension {axis} and neither is 1"
                    )
                )
            result[axis] = size
    return tuple(result)


def to_dtype(x: Tensor, dtype: DType) -> Tensor:
    """Return x as dtype; x itself if it is."""
    if x._type.dtype is dtype:
        return x
    return cast(x, dtype=dtype)


def to_shape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return x broadcast to shape; x itself if it has it."""
    own = x._type.shape
    if own == shape:
        return x
    missing = len(shape) - len(own)
    if missing > 0:
        x = reshape(x, shape=(1,) * missing + own)
        if x._type.shape == shape:
            return x
    return expand(x, shape=shape)


def fit(value: Operand, dtype: DType, shape: tuple[int, ...]) -> Tensor:
    """Return an operand as a tensor of this dtype and shape."""
    if isinstance(value, Tensor):
        return to_shape(to_dtype(value, dtype), shape)
    return constant_like(TensorType(dtype, shape), value)


def meet(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Return both operands with one dtype and one shape."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        first, second = a._type, b._type
        if first is second or first == second:
            return a, b
    a, b = as_operand(a), as_operand(b)
    dtype = result_type(a, b)
    return meet_as(dtype, a, b)  # type: ignore[return-value]


def meet_as(dtype: DType, *operands: Operand) -> tuple[Tensor, ...]:
    """Return the operands with this dtype and the shape that they broadcast to."""
    tensors = [value._type.shape for value in operands if isinstance(value, Tensor)]
    if not tensors:
        raise TypeError(at_line(f"expected a Tensor among the arguments, got {operands}"))
    shape = tensors[0] if len(tensors) == 1 else broadcast_shapes(*tensors)
    made = tuple([fit(value, dtype, shape) for value in operands])
    numbers_only = capture.active is not None and not any(
        isinstance(value, Tensor) and not value._weak for value in operands
    )
    if numbers_only:
        for each in made:
            each._weak = True  # what is computed from numbers is a number
    return made


def to_float(x: Tensor) -> Tensor:
    """Return whole numbers and bools as the default float dtype; all others as they are."""
    if x._type.dtype.is_inexact:
        return x
    return cast(x, dtype=creation.get_default_dtype())


def as_tensor_like(value: Any, name: str) -> Tensor:
    """Return value if it is a Tensor; TypeError that names the function otherwise."""
    if isinstance(value, Tensor):
        return value
    raise TypeError(at_line(f"{name} wants a Tensor, got {type(value).__name__}"))


def need_float(name: str, *values: Tensor) -> None:
    """Raise DTypeError unless all tensors are floating point."""
    for value in values:
        if value._type.dtype.kind != "float":
            raise DTypeError(
                at_line(f"{name} wants floating point, got {value._type}; use .float() first")
            )


def need_inexact(name: str, *values: Tensor) -> None:
    """Raise DTypeError unless all tensors are floating point or complex."""
    for value in values:
        if not value._type.dtype.is_inexact:
            raise DTypeError(
                at_line(
                    f"{name} wants floating point or complex, got {value._type}; use .float() first"
                )
            )


def normal_dim(dim: int, rank: int, extra: int = 0) -> int:
    """Return dim counted from 0; IndexError as PyTorch's. A scalar counts as rank 1."""
    size = max(rank + extra, 1)
    if not -size <= dim < size:
        raise IndexError(
            at_line(
                f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], "
                f"but got {dim})"
            )
        )
    return dim + size if dim < 0 else dim


def normal_dims(dims: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Return dims counted from 0, in order; all of them for None."""
    if dims is None:
        return tuple(range(rank))
    if isinstance(dims, int):
        dims = (dims,)
    found = [normal_dim(dim, rank) for dim in dims]
    if len(set(found)) != len(found):
        raise RuntimeError(at_line(f"a dim appears twice in {tuple(dims)}"))
    return tuple(sorted(found)) if rank else ()
