"""How a tensor lies in memory: sizes, strides, contiguity."""

from __future__ import annotations

from typing import Any

from ..errors import at_line
from ..functional import unary
from ..tensor import Tensor, strides_of


def size(self: Tensor, dim: int | None = None) -> Any:
    """Return the shape, or the size of one dim."""
    return self.shape if dim is None else self._type.shape[_dim(self, dim)]


def _dim(x: Tensor, dim: int) -> int:
    from ..functional.promote import normal_dim

    if not x._type.shape:
        raise IndexError(at_line("Dimension specified but the tensor has no dimensions"))
    return normal_dim(dim, x.ndim)


def stride(self: Tensor, dim: int | None = None) -> Any:
    """Return the strides in elements, or that of one dim."""
    steps = strides_of(self)
    return steps if dim is None else steps[_dim(self, dim)]


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Return whether elements lie in memory in row-major order without gaps."""
    expected = 1
    if not self._type.numel:
        return True
    for count, step in zip(reversed(self._type.shape), reversed(strides_of(self)), strict=True):
        if count != 1:
            if step != expected:
                return False
            expected *= count
    return True


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """Return the tensor itself if it is contiguous, or else a contiguous copy."""
    return self if is_contiguous(self) else unary.clone(self)


def is_floating_point(self: Tensor) -> bool:
    """Return whether elements are real numbers."""
    return self._type.dtype.kind == "float"


def is_complex(self: Tensor) -> bool:
    """Return whether elements are complex numbers."""
    return self._type.dtype.kind == "complex"


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Return whether the shapes are equal."""
    return self._type.shape == other._type.shape


def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: Any = None) -> Tensor:
    """Return a sparse tensor of the elements that are not zero; outside of traces only."""
    from .. import sparse

    return sparse.to_sparse(self, sparse_dim, layout=layout)


def to_sparse_coo(self: Tensor) -> Tensor:
    """Return a sparse tensor with coordinates."""
    return to_sparse(self)


def to_sparse_csr(self: Tensor, dense_dim: Any = None) -> Tensor:
    """Return a sparse matrix that says how many elements each row has."""
    return to_sparse(self, layout="sparse_csr")


def sparse_mask(self: Tensor, mask: Tensor) -> Tensor:
    """Return the elements at the places of a sparse tensor, as a sparse tensor."""
    return mask.like(self[tuple(mask._indices())])  # type: ignore[no-any-return]
