"""Functions that take tensors apart, repeat them and put them together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from jitnet.compiler import ops

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from ..tensors.nodes import PartsNode
from .out import with_out
from .promote import normal_dim, result_type, to_dtype
from .shape import _whole, flatten, ravel, reshape, unsqueeze, view
from .unary import clone


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """Return copies side by side, `repeats` along each dim."""
    counts = _whole(repeats)
    own = input._type.shape
    if len(counts) < len(own):
        raise RuntimeError(
            at_line(f"repeat wants a number for each of the {len(own)} dims, got {list(counts)}")
        )
    shape = (1,) * (len(counts) - len(own)) + own
    apart = [size for pair in zip((1,) * len(counts), shape, strict=True) for size in pair]
    grown = [size for pair in zip(counts, shape, strict=True) for size in pair]
    wide = ops.expand(ops.reshape(input, shape=tuple(apart)), shape=tuple(grown))
    final = tuple(a * b for a, b in zip(counts, shape, strict=True))
    return clone(wide).reshape(final)  # type: ignore[no-any-return]


def tile(input: Tensor, *dims: Any) -> Tensor:
    """Return repeat(input), with 1 for the leading dims that are not given."""
    counts = _whole(dims)
    return repeat(input, *(1,) * (input.ndim - len(counts)), *counts)


def repeat_interleave(
    input: Tensor, repeats: int | Tensor, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Return each element `repeats` times, one after another; a tensor of counts: eager only."""
    x = ravel(input) if dim is None else input
    axis = normal_dim(0 if dim is None else dim, x.ndim)
    if isinstance(repeats, Tensor):
        return _repeated(x, repeats, axis)
    wide = unsqueeze(x, axis + 1)
    shape = (*x._type.shape[: axis + 1], repeats, *x._type.shape[axis + 1 :])
    return flatten(clone(ops.expand(wide, shape=shape)), axis, axis + 1)


def _repeated(x: Tensor, repeats: Tensor, axis: int) -> Tensor:
    """Return each part along axis as often as its own count says."""
    what = "repeat_interleave() with a tensor of counts"
    given = creation.values_for_shape(repeats, what, "give it one int")
    size = x._type.shape[axis]
    if given is None:
        from .selecting import repeated_places

        index = repeated_places(repeats.expand(size))
    else:
        index = creation.literal(np.repeat(np.arange(size), np.broadcast_to(given, (size,))))
    return ops.take(x, index, axis=axis)


# -- joining and splitting ----------------------------------------------------------------------


@with_out
def cat(tensors: Sequence[Tensor], dim: int | None = 0) -> Tensor:
    """Return the tensors one after another along dim; flattened before, if dim is None."""
    if dim is None:
        tensors, dim = [ravel(x) for x in tensors], 0
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(at_line("cat wants at least one tensor"))
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(at_line(f"cat wants Tensors, got {type(x).__name__}"))
    dtype = result_type(*tensors)
    used = [x for x in tensors if x._type.shape != (0,)] or tensors[:1]
    if used[0].ndim == 0:
        raise RuntimeError(at_line("zero-dimensional tensors cannot be concatenated; use stack"))
    axis = normal_dim(dim, used[0].ndim)
    return ops.concat(*(to_dtype(x, dtype) for x in used), axis=axis)


concat = concatenate = cat


@with_out
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return equal-shaped tensors along a new dim."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(at_line("stack wants at least one tensor"))
    shapes = {x._type.shape for x in tensors}
    if len(shapes) != 1:
        raise RuntimeError(
            at_line(f"stack wants equal shapes, got {' and '.join(map(str, map(list, shapes)))}")
        )
    axis = normal_dim(dim, tensors[0].ndim, extra=1)
    return cat([unsqueeze(x, axis) for x in tensors], axis)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """Return a view of `length` elements along dim, from start on."""
    axis = normal_dim(dim, input.ndim)
    size = input._type.shape[axis] if input.ndim else 0
    if isinstance(start, Tensor) and (start.ndim or start._type.dtype.kind not in ("int", "uint")):
        raise RuntimeError(at_line(f"narrow wants start as one whole number, got {start._type}"))
    if input.ndim == 0:
        raise RuntimeError(at_line("narrow() cannot be applied to a 0-dim tensor."))
    start = start + size if start < 0 else start
    if not 0 <= start <= start + length <= size:
        raise RuntimeError(
            at_line(f"narrow: start {start} and length {length} leave dim {dim} of size {size}")
        )
    return span(input, axis, start, start + length)


def span(x: Tensor, axis: int, start: int, stop: int, step: int = 1) -> Tensor:
    """Return the view x[..., start:stop:step, ...] along one axis."""
    rank = x.ndim
    return ops.slice(
        x,
        starts=tuple(start if i == axis else 0 for i in range(rank)),
        stops=tuple(stop if i == axis else size for i, size in enumerate(x._type.shape)),
        steps=tuple(step if i == axis else 1 for i in range(rank)),
    )


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Return a view at one index of dim, without that dim."""
    if input.ndim == 0:
        raise IndexError(at_line("select() cannot be applied to a 0-dim tensor."))
    axis = normal_dim(dim, input.ndim)
    shape = input._type.shape
    size = shape[axis]
    if not -size <= index < size:
        raise IndexError(
            at_line(f"index {index} is out of bounds for dimension {dim} with size {size}")
        )
    at = index + size if index < 0 else index
    row = span(input, axis, at, at + 1)
    return ops.reshape(row, shape=shape[:axis] + shape[axis + 1 :])


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the views at every index of dim."""
    axis = normal_dim(dim, input.ndim)
    if not input.ndim:
        raise RuntimeError(at_line("unbind wants at least one dim"))
    size = input._type.shape[axis]
    views = [select(input, axis, index) for index in range(size)]
    return _with_history("Unbind", input, axis, [1] * size, views)


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return views along dim of the given sizes."""
    return split(input, list(split_sizes), dim)


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Return views along dim, of equal size (the last may be smaller) or of the given sizes."""
    axis = normal_dim(dim, tensor.ndim)
    total = tensor._type.shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size <= 0 and total:
            raise RuntimeError(at_line(f"split wants a size > 0, got {size}"))
        parts = [min(size, total - start) for start in range(0, total, size)] if total else [0]
    else:
        parts = list(split_size_or_sections)
        if sum(parts) != total:
            raise RuntimeError(
                at_line(f"split wants sizes that add up to {total} (dim {dim}), got {parts}")
            )
    found, start = [], 0
    for size in parts:
        found.append(span(tensor, axis, start, start + size))
        start += size
    return _with_history("Split", tensor, axis, parts, found)


def _with_history(
    label: str, whole: Tensor, axis: int, sizes: list[int], parts: list[Tensor]
) -> tuple[Tensor, ...]:
    """Return views that make up a tensor, with one node of the tape for all of them."""
    if len(parts) > 1 and parts[0].requires_grad:
        node = PartsNode(label, whole, axis, sizes)
        for number, part in enumerate(parts):
            part._grad_fn, part._output_nr = node, number
    return tuple(parts)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return at most `chunks` views of about equal size along dim."""
    if chunks <= 0:
        raise RuntimeError(at_line(f"chunk wants chunks > 0, got {chunks}"))
    total = input._type.shape[normal_dim(dim, input.ndim)]
    if not total:
        return tuple(view(input, input._type.shape) for _ in range(chunks))
    return split(input, -(-total // chunks), dim)


def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0
) -> tuple[Tensor, ...]:
    """Return views along dim: so many, as equal as can be, or cut at the given indices."""
    if not input.ndim:
        raise RuntimeError(at_line("tensor_split wants at least one dim"))
    total = input._type.shape[normal_dim(dim, input.ndim)]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise RuntimeError(
                at_line(f"tensor_split wants sections > 0, got {indices_or_sections}")
            )
        small, more = divmod(total, indices_or_sections)
        sizes = [small + (i < more) for i in range(indices_or_sections)]
    else:
        cuts = [0, *(min(cut, total) for cut in indices_or_sections), total]
        sizes = [stop - start for start, stop in pairwise(cuts)]
    return split(input, sizes, dim)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Return a copy with elements moved along dims; what leaves at the end enters at the start."""
    if dims is None:
        flat = roll(ravel(input), shifts, 0)
        return reshape(flat, input._type.shape)
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(shifts) != len(dims):
        raise RuntimeError(at_line(f"roll wants as many shifts as dims, got {shifts} and {dims}"))
    x = input
    for shift, dim in zip(shifts, dims, strict=True):
        axis = normal_dim(dim, x.ndim)
        size = x._type.shape[axis]
        cut = (size - shift) % size if size else 0
        x = cat([span(x, axis, cut, size), span(x, axis, 0, cut)], axis)
    return clone(x) if x is input else x
