"""Tensors as rows, columns and layers: put together, and taken apart into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .joining import cat, tensor_split
from .out import with_out
from .padding import pad
from .promote import result_type, to_dtype
from .shape import unsqueeze

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "column_stack", "dsplit", "dstack",
    "hsplit", "hstack", "row_stack", "vsplit", "vstack",
]  # fmt: skip


def _grown(grow: Any, tensors: tuple[Any, ...], name: str) -> Any:
    """Return one tensor for one, a tuple for several or for a sequence of them."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return grow(tensors[0])
    listed = tensors[0] if len(tensors) == 1 else tensors
    for x in listed:
        if not isinstance(x, Tensor):
            raise TypeError(at_line(f"{name} wants Tensors, got {type(x).__name__}"))
    return tuple(grow(x) for x in listed)


def _line(x: Tensor) -> Tensor:
    return x.reshape(1) if x.ndim == 0 else x  # type: ignore[no-any-return]


def _matrix(x: Tensor) -> Tensor:
    return x.reshape(1, -1) if x.ndim < 2 else x  # type: ignore[no-any-return]


def _layers(x: Tensor) -> Tensor:
    return unsqueeze(_matrix(x), -1) if x.ndim < 3 else x


def atleast_1d(*tensors: Any) -> Any:
    """Return the tensors with at least one dim."""
    return _grown(_line, tensors, "atleast_1d")


def atleast_2d(*tensors: Any) -> Any:
    """Return the tensors with at least two dims."""
    return _grown(_matrix, tensors, "atleast_2d")


def atleast_3d(*tensors: Any) -> Any:
    """Return the tensors with at least three dims."""
    return _grown(_layers, tensors, "atleast_3d")


@with_out
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return the tensors side by side."""
    lines = _grown(_line, (tensors,), "hstack")
    return cat(lines, 0 if lines and lines[0].ndim == 1 else 1)


@with_out
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return the tensors below each other."""
    return cat(_grown(_matrix, (tensors,), "vstack"), 0)


row_stack = vstack


@with_out
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return the tensors behind each other, along the third dim."""
    return cat(_grown(_layers, (tensors,), "dstack"), 2)


@with_out
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Return vectors as columns (and matrices) side by side."""
    return cat([x.reshape(-1, 1) if x.ndim < 2 else x for x in tensors], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Return the matrix with these on its diagonal and 0 elsewhere."""
    if not tensors:
        return creation.zeros(1, 0)
    for x in tensors:
        if isinstance(x, Tensor) and x.ndim > 2:
            raise RuntimeError(at_line(f"block_diag wants at most 2 dims, got {x._type}"))
    blocks = _grown(_matrix, (tensors,), "block_diag")
    dtype = result_type(*tensors)
    width = sum(block._type.shape[1] for block in blocks)
    rows, start = [], 0
    for block in blocks:
        own = block._type.shape[1]
        rows.append(pad(to_dtype(block, dtype), (start, width - start - own)))
        start += own
    return cat(rows, 0)


# -- apart --------------------------------------------------------------------------------------


def _parted(x: Tensor, parts: Any, dim: int, name: str, rank: int) -> tuple[Tensor, ...]:
    if x.ndim < rank:
        raise RuntimeError(at_line(f"{name} wants at least {rank} dims, got {x._type}"))
    if isinstance(parts, int):
        size = x._type.shape[dim]
        if parts <= 0 or size % parts:
            raise RuntimeError(
                at_line(
                    f"{name} wants sections that divide {size}, dim {dim} of {x._type}: {parts}"
                )
            )
    return tensor_split(x, parts, dim)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return columns (of a vector: elements) apart: equal parts, or cut at indices."""
    return _parted(input, indices_or_sections, 0 if input.ndim == 1 else 1, "hsplit", 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return rows apart: equal parts, or cut at indices."""
    return _parted(input, indices_or_sections, 0, "vsplit", 2)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Return layers apart, along the third dim: equal parts, or cut at indices."""
    return _parted(input, indices_or_sections, 2, "dsplit", 3)
