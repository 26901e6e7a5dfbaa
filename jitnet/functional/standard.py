"""Functions of the Python array API standard that PyTorch has not, or under other names.

See https://data-apis.org/array-api/2024.12; where both have a name, PyTorch's meaning holds.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DTYPES, DType, int64, promote, uint64

from .. import capture, creation
from ..errors import at_line
from ..tensor import Tensor
from .complex_numbers import conj
from .indexing import take_along_dim
from .joining import cat, repeat_interleave, unbind
from .out import with_out
from .promote import normal_dim
from .running import cumprod, cumsum
from .selecting import distinct
from .shape import broadcast_tensors, permute, transpose, unsqueeze
from .unary import bitwise_not

__all__ = [
    "astype", "bitwise_invert", "broadcast_arrays", "can_cast", "cumulative_prod", "cumulative_sum",
    "expand_dims", "isdtype", "matrix_transpose", "permute_dims", "repeat", "take_along_axis",
    "unique_all", "unique_counts", "unique_inverse", "unique_values", "unstack", "vecdot",
]  # fmt: skip

unique_all_result = namedtuple(
    "unique_all_result", ["values", "indices", "inverse_indices", "counts"]
)
unique_counts_result = namedtuple("unique_counts_result", ["values", "counts"])
unique_inverse_result = namedtuple("unique_inverse_result", ["values", "inverse_indices"])

bitwise_invert = bitwise_not

broadcast_arrays = broadcast_tensors

# -- dtypes -------------------------------------------------------------------------------------

_RANK = {"bool": 0, "uint": 1, "int": 1, "float": 2, "complex": 3}
_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int",),
    "unsigned integer": ("uint",),
    "integral": ("int", "uint"),
    "real floating": ("float",),
    "complex floating": ("complex",),
    "numeric": ("int", "uint", "float", "complex"),
}


def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """Return the tensor as dtype: a copy, unless it has that dtype and copy is False."""
    return creation.on_device(x, device).to(dtype, copy=copy)  # type: ignore[no-any-return]


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> bool:
    """Return whether a dtype is one of a kind, such as "integral", or of several kinds."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, each) for each in kind)
    if isinstance(kind, DType):
        return dtype is kind
    if kind not in _KINDS:
        raise ValueError(at_line(f"isdtype knows the kinds {', '.join(_KINDS)}, got {kind!r}"))
    return dtype.kind in _KINDS[kind]


def can_cast(from_: DType | Tensor, to: DType, /) -> bool:
    """Return whether values may become `to`: not from floats to whole numbers, nor to bools."""
    source = from_.dtype if isinstance(from_, Tensor) else from_
    return _RANK[source.kind] <= _RANK[to.kind]


def dtypes_of(kind: str | tuple[str, ...] | None) -> dict[str, DType]:
    """Return the standard's dtypes of a kind, by name."""
    found = {dtype.name: dtype for dtype in DTYPES if not dtype.narrow}
    if kind is None:
        return found
    return {name: dtype for name, dtype in found.items() if isdtype(dtype, kind)}


# -- shapes -------------------------------------------------------------------------------------


def expand_dims(x: Tensor, /, axis: int = 0) -> Tensor:
    """Return a view with a new dim of size 1 at axis."""
    return unsqueeze(x, axis)


def permute_dims(x: Tensor, /, axes: Sequence[int]) -> Tensor:
    """Return a view with the dims in this order."""
    return permute(x, tuple(axes))


def matrix_transpose(x: Tensor, /) -> Tensor:
    """Return a view with the last two dims exchanged."""
    if x.ndim < 2:
        raise ValueError(at_line(f"matrix_transpose wants at least 2 dims, got {x._type}"))
    return transpose(x, -2, -1)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return views of the parts along axis, without it."""
    return unbind(x, axis)


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Return each element, or each part along axis, several times."""
    return repeat_interleave(x, repeats, axis)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the elements that indices name along axis."""
    return take_along_dim(x, indices, axis)


# -- sums ---------------------------------------------------------------------------------------


@with_out
def vecdot(x: Tensor, y: Tensor, /, *, dim: int = -1) -> Tensor:
    """Return the sums of products along a dim, which is counted from the end."""
    if dim >= 0:
        dim -= min(x.ndim, y.ndim)
    first, second = broadcast_tensors(x.movedim(dim, -1), y.movedim(dim, -1))
    kind = promote(first.dtype, second.dtype)
    return (conj(first) * second).sum(-1).to(kind)  # type: ignore[no-any-return]


def standard_sum(dtype: DType) -> DType | None:
    """Return what the standard's sums of unsigned numbers are; None for others, as PyTorch's are.

    For functions that PyTorch has not: its own sums of all whole numbers are int64.
    """
    return uint64 if dtype.kind == "uint" else None


def cumulative_sum(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: bool = False,
) -> Tensor:
    """Return running sums along axis, which may be left out for one dim."""
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: DType | None = None,
    include_initial: bool = False,
) -> Tensor:
    """Return running products along axis, which may be left out for one dim."""
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(
    scan: Any, start: int, x: Tensor, axis: int | None, dtype: DType | None, initial: bool
) -> Tensor:
    if axis is None and x.ndim != 1:
        raise ValueError(at_line(f"wants an axis for {x.ndim} dims"))
    along = normal_dim(0 if axis is None else axis, x.ndim)
    found: Tensor = scan(x, along, dtype=dtype or standard_sum(x.dtype))
    if not initial:
        return found
    shape = [1 if i == along else size for i, size in enumerate(x.shape)]
    return cat([found.new_full(shape, start), found], along)


# -- different elements -------------------------------------------------------------------------


def unique_all(x: Tensor, /) -> Any:
    """Return the different elements in order: (values, indices, inverse_indices, counts)."""
    return unique_all_result(*_unique(x))


def unique_counts(x: Tensor, /) -> Any:
    """Return the different elements in order, and how often each occurs."""
    values, _, _, counts = _unique(x)
    return unique_counts_result(values, counts)


def unique_inverse(x: Tensor, /) -> Any:
    """Return the different elements in order, and which of them each element is."""
    values, _, inverse, _ = _unique(x)
    return unique_inverse_result(values, inverse)


def unique_values(x: Tensor, /) -> Tensor:
    """Return the different elements in order; each NaN is one of its own."""
    return _unique(x)[0]


def _unique(x: Tensor) -> list[Tensor]:
    """Return values, where each is first, which each element is, counts; every NaN is different."""
    capture.refuse("unique (a shape that depends on data)", "call it outside")
    if creation.unread(x):
        found = distinct(x, nan_is_one=False)
        return [found.values, found.first, found.inverse, found.counts]
    array = x._copied()
    values, first, inverse, counts = np.unique(
        array, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    places = [first, inverse.reshape(array.shape), counts]
    made = [Tensor._from_array(np.asarray(part, int64.numpy)) for part in places]
    return [Tensor._from_array(np.ascontiguousarray(values)), *made]
