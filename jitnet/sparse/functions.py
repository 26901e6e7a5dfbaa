"""Making sparse tensors, and the functions of torch.sparse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jitnet.runtime.dtype import DType, int64

from .. import creation
from .. import functional as F
from ..errors import ShapeError, at_line
from ..functional.promote import normal_dim
from ..tensor import Tensor
from ..tensors.making import as_tensor
from .places import flat_places, rows_of
from .tensor import CSR, SparseTensor


def sparse_coo_tensor(
    indices: Any,
    values: Any = None,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:
    """Return a sparse tensor of elements at coordinates; equal coordinates add up.

    indices: int64 [sparse dims, n].  values: [n, *dense dims].
    size: the shape; without it, the smallest that has room.  Given alone, all elements are zero.
    RuntimeError where indices do not fit.

    >>> jitnet.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    """
    if values is None:
        return _empty(tuple(indices if size is None else size), dtype, device, requires_grad)
    elements = _elements(values, dtype, device, requires_grad)
    places = _places(indices, elements)
    if len(places._type.shape) != 2 or places._type.shape[1:] != elements._type.shape[:1]:
        raise ShapeError(
            at_line(
                "sparse_coo_tensor wants indices [dims, n] and values [n, ...], got "
                f"{places._type} and {elements._type}"
            )
        )
    largest = None if creation.tracing() else _largest(places)
    if size is None:
        if largest is None:
            raise ShapeError(at_line("a compiled function wants sparse_coo_tensor's size"))
        size = (*(place + 1 for place in largest), *elements._type.shape[1:])
    shape = tuple(size)
    count = places._type.shape[0]
    if len(shape) != count + len(elements._type.shape) - 1 or (
        shape[count:] != elements._type.shape[1:]
    ):
        raise ShapeError(
            at_line(f"size {shape} does not fit indices {places._type}, values {elements._type}")
        )
    _check_room(largest or (), shape)
    return SparseTensor.made(places, elements, shape, bool(is_coalesced))


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> SparseTensor:
    """Return a sparse matrix, given where each row begins among columns and values.

    crow_indices: [rows + 1].  col_indices, values: [n].  RuntimeError where they do not fit.
    """
    elements = _elements(values, dtype, device, requires_grad)
    starts, columns = _places(crow_indices, elements), _places(col_indices, elements)
    if {len(x._type.shape) for x in (starts, columns, elements)} != {1} or (
        columns._type.shape != elements._type.shape or not starts._type.numel
    ):
        raise ShapeError(
            at_line(
                "sparse_csr_tensor wants crow_indices [rows + 1], col_indices [n], values [n], got "
                f"{starts._type}, {columns._type}, {elements._type}"
            )
        )
    rows = starts._type.numel - 1
    if not creation.tracing():
        _check_starts(starts.tolist(), columns._type.numel)
    places = F.stack([rows_of(starts, columns._type.numel), columns])
    largest = None if creation.tracing() else _largest(places)
    if size is None:
        if largest is None:
            raise ShapeError(at_line("a compiled function wants sparse_csr_tensor's size"))
        size = (rows, largest[1] + 1)
    if len(size) != 2 or size[0] != rows:
        raise ShapeError(at_line(f"size {tuple(size)} does not fit crow_indices of {rows} rows"))
    _check_room(largest or (), tuple(size))
    return SparseTensor.made(places, elements, tuple(size), True, CSR)


def _empty(
    shape: tuple[int, ...], dtype: DType | None, device: Any, requires_grad: bool
) -> SparseTensor:
    places = creation.zeros((len(shape), 0), dtype=int64, device=device)
    elements = creation.zeros(0, dtype=dtype, device=device, requires_grad=requires_grad)
    return SparseTensor.made(places, elements, shape)


def _places(indices: Any, elements: Tensor) -> Tensor:
    """Return whole numbers, where the elements are."""
    places = as_tensor(indices, device=elements.device)
    if not places._type.numel:
        places = places.to(int64)  # an empty list is one of floats
    if places._type.dtype.kind not in ("int", "uint"):
        raise TypeError(at_line(f"indices want whole numbers, got {places._type}"))
    return places.to(int64)  # type: ignore[no-any-return]


def _elements(values: Any, dtype: DType | None, device: Any, requires_grad: bool) -> Tensor:
    elements = as_tensor(values, dtype, device)
    return elements.detach().requires_grad_() if requires_grad else elements


def _largest(places: Tensor) -> tuple[int, ...]:
    """Return the largest coordinate along each dim; RuntimeError for negative ones."""
    if not places._type.shape[1]:
        return (-1,) * places._type.shape[0]
    if places._type.numel and F.amin(places).item() < 0:
        raise RuntimeError(at_line(f"found negative index {F.amin(places).item()} in indices"))
    return tuple(F.amax(places, 1).tolist())


def _check_room(largest: tuple[int, ...], shape: tuple[int, ...]) -> None:
    for dim, place in enumerate(largest):
        if place >= shape[dim]:
            raise RuntimeError(
                at_line(
                    f"size is inconsistent with indices: for dim {dim}, size is {shape[dim]} but "
                    f"found index {place}"
                )
            )


def _check_starts(starts: list[int], count: int) -> None:
    if starts[0] != 0 or starts[-1] != count or sorted(starts) != starts:
        raise RuntimeError(
            at_line(f"crow_indices want to rise from 0 to {count} (values), got {starts}")
        )


def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: Any = None) -> SparseTensor:
    """Return the elements that are not zero, with coordinates of the first sparse_dim dims."""
    if layout == CSR:
        return to_sparse_csr(self)
    rank = len(self._type.shape)
    count = rank if sparse_dim is None else sparse_dim
    if not 0 < count <= rank:
        raise RuntimeError(at_line(f"to_sparse wants 1 to {rank} sparse dims, got {count}"))
    rest = tuple(range(count, rank))
    places = F.nonzero((self != 0).any(rest) if rest else self != 0).t().contiguous()
    return SparseTensor.made(places, self[tuple(places)], self._type.shape, True)


def to_sparse_csr(self: Tensor, dense_dim: Any = None) -> SparseTensor:
    """Return a matrix's elements that are not zero, row after row."""
    return to_sparse(self).to_sparse_csr()


def _is_sparse(x: Any, name: str) -> SparseTensor:
    if not isinstance(x, SparseTensor):
        raise TypeError(at_line(f"sparse.{name} wants a sparse tensor, got {type(x).__name__}"))
    return x


def mm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """Return the product of two matrices, one of them sparse; of two sparse ones it is sparse."""
    return mat1 @ mat2  # type: ignore[no-any-return]


def addmm(
    mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1.0, alpha: float = 1.0
) -> Tensor:
    """Return beta * mat + alpha * (mat1 @ mat2)."""
    product = mm(mat1, mat2)
    return beta * mat + (product if alpha == 1 else alpha * product)  # type: ignore[no-any-return]


def sum(input: Tensor, dim: Any = None, dtype: DType | None = None) -> Tensor:
    """Return the sum over dims: a sparse tensor if coordinates are left, else a dense one."""
    x = _is_sparse(input, "sum")
    return F.sum(x if dtype is None else x.to(dtype), dim)


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> SparseTensor:
    """Return the softmax along dim over the elements that are there."""
    return _by_groups(input, dim, dtype, "softmax", lambda powers, total: powers.exp() / total)


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> SparseTensor:
    """Return the logarithm of the softmax along dim over the elements that are there."""
    return _by_groups(input, dim, dtype, "log_softmax", lambda powers, total: powers - total.log())


def _by_groups(
    input: Tensor,
    dim: int,
    dtype: DType | None,
    name: str,
    finish: Callable[[Tensor, Tensor], Tensor],
) -> SparseTensor:
    """Return finish(elements less their group's largest, sum of the group's powers).

    A group are the elements whose coordinates differ along dim only.
    """
    x = _is_sparse(input, name).coalesce()
    elements = x._elements if dtype is None else x._elements.to(dtype)
    axis = normal_dim(dim, len(x._type.shape))
    if axis >= x.sparse_dim():
        return x.like(getattr(F, name)(elements, axis - x.sparse_dim() + 1))
    kept = [other for other in range(x.sparse_dim()) if other != axis]
    sizes = [x._type.shape[other] for other in kept]
    groups = flat_places(x._places[kept], sizes) if kept else creation.zeros_like(x._places[0])
    shape = (math.prod(sizes), *elements._type.shape[1:])
    lowest = creation.full(shape, -math.inf, dtype=elements.dtype, device=elements.device)
    largest = F.index_reduce(lowest, 0, groups, elements.detach(), "amax")
    powers = elements - largest[groups]
    zeros = creation.zeros(shape, dtype=elements.dtype, device=elements.device)
    total = F.index_add(zeros, 0, groups, powers.exp())
    return x.like(finish(powers, total[groups]))
