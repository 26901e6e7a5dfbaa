"""Questions that type functions ask, and the errors they answer with."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.ir.errors import DTypeError, ShapeError
from jitnet.compiler.ir.types import TensorType


def describe(types: Sequence[TensorType]) -> str:
    """Return the types as an error lists them: "f32[2, 3] and i64[3]"."""
    return " and ".join(map(str, types))


def same_shape(name: str, *types: TensorType) -> None:
    """Raise ShapeError unless all shapes are equal."""
    first = types[0].shape
    for other in types[1:]:
        if other.shape != first:
            raise ShapeError(
                f"{name} wants equal shapes, got {describe(types)}; "
                "broadcast them first (expand), as the functions of jitnet do"
            )


def same_dtype(name: str, *types: TensorType) -> None:
    """Raise DTypeError unless all dtypes are equal."""
    first = types[0].dtype
    for other in types[1:]:
        if other.dtype is not first:
            raise DTypeError(
                f"{name} wants equal dtypes, got {describe(types)}; "
                "cast them first (to), as the functions of jitnet do"
            )


_WORDS = {
    "bool": "bool",
    "int": "signed integers",
    "uint": "unsigned integers",
    "float": "floating point",
    "complex": "complex numbers",
}


def kind(name: str, allowed: Sequence[str], *types: TensorType) -> None:
    """Raise DTypeError unless every dtype is of one of the allowed kinds."""
    for item in types:
        if item.dtype.kind not in allowed:
            words = " or ".join(_WORDS[word] for word in allowed)
            raise DTypeError(f"{name} wants {words}, got {describe(types)}; cast it first")


def axes_of(name: str, x: TensorType, axes: Sequence[int]) -> None:
    """Raise ShapeError unless axes are different dims of x, counted from 0."""
    bad = [axis for axis in axes if not 0 <= axis < len(x.shape)]
    if bad or len(set(axes)) != len(axes):
        raise ShapeError(
            f"{name} wants different dims from 0 to {len(x.shape) - 1} for {x}, got {tuple(axes)}"
        )


def rank_at_least(name: str, rank: int, x: TensorType) -> None:
    """Raise ShapeError if x has fewer dims than rank."""
    if len(x.shape) < rank:
        raise ShapeError(f"{name} wants at least {rank} dims, got {x}; add dims with unsqueeze")
