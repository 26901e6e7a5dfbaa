"""Functions that rearrange elements: reshape, permute, concatenate, split, pad, repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor, reshaped_strides, strides_of
from .arithmetic import clone
from .promote import broadcast_shapes, normal_dim, normal_dims, result_type, to_dtype, to_shape


def sizes_with_rest(x: Tensor, given: Sequence[Any]) -> tuple[int, ...]:
    """Return the shape asked for, with one -1 filled in."""
    shape = list(_whole(given))
    total = x._type.numel
    if shape.count(-1) > 1:
        raise RuntimeError(at_line(f"only one dimension can be inferred, got {shape}"))
    if shape and min(shape) < -1:
        raise RuntimeError(at_line(f"a shape wants sizes >= 0 and at most one -1, got {shape}"))
    if -1 in shape:
        others = numel(size for size in shape if size != -1)
        if others == 0:
            raise RuntimeError(
                at_line(f"cannot infer the -1 in {shape}: the other sizes multiply to 0")
            )
        shape[shape.index(-1)] = total // others if total % others == 0 else -1
    if numel(shape) != total or -1 in shape:
        raise ShapeError(
            at_line(f"shape {list(_whole(given))} is invalid for input of size {total} {x._type}")
        )
    return tuple(shape)


def _whole(given: Sequence[Any]) -> tuple[int, ...]:
    if len(given) == 1 and not hasattr(given[0], "__index__"):
        given = given[0]
    try:
        return tuple([size.__index__() for size in given])
    except AttributeError:
        raise TypeError(at_line(f"a shape wants whole numbers, got {given!r}")) from None


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """Return the elements in another shape (one size may be -1): a view where memory allows."""
    sizes = sizes_with_rest(input, shape)
    return ops.reshape(input, shape=sizes)  # type: ignore[no-any-return]


def view(input: Tensor, *shape: Any) -> Tensor:
    """Return a view in another shape; RuntimeError where memory does not allow it."""
    if len(shape) == 1 and hasattr(shape[0], "numpy") and not isinstance(shape[0], Tensor):
        raise RuntimeError(at_line("view(dtype) is not there; use .to(dtype) to convert"))
    sizes = sizes_with_rest(input, shape)
    if reshaped_strides(input._type.shape, strides_of(input), sizes) is None:
        raise RuntimeError(
            at_line(
                "view size is not compatible with input tensor's size and stride (at least one "
                "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
            )
        )
    return ops.reshape(input, shape=sizes)  # type: ignore[no-any-return]


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Return a view with the dims in another order."""
    order = tuple(normal_dim(dim, input.ndim) for dim in _whole(dims))
    if len(order) != input.ndim or len(set(order)) != len(order):
        raise RuntimeError(
            at_line(f"permute wants each of the {input.ndim} dims once, got {list(_whole(dims))}")
        )
    return ops.permute(input, axes=order)  # type: ignore[no-any-return]


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a view with two dims exchanged."""
    rank = input.ndim
    a, b = normal_dim(dim0, rank), normal_dim(dim1, rank)
    if not rank:
        return view(input)
    order = list(range(rank))
    order[a], order[b] = b, a
    return ops.permute(input, axes=tuple(order))  # type: ignore[no-any-return]


swapaxes = swapdims = transpose


def t(input: Tensor) -> Tensor:
    """Return a matrix transposed; a vector as it is."""
    if input.ndim > 2:
        raise RuntimeError(at_line(f"t() wants at most 2 dims, got {input._type}; use .mT"))
    return transpose(input, 0, 1) if input.ndim == 2 else view(input, input._type.shape)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Return a view with the dims `source` moved to `destination`."""
    rank = input.ndim
    source = (source,) if isinstance(source, int) else tuple(source)
    destination = (destination,) if isinstance(destination, int) else tuple(destination)
    if len(source) != len(destination):
        raise RuntimeError(at_line("movedim wants as many sources as destinations"))
    moved = dict(
        zip(
            (normal_dim(dim, rank) for dim in destination),
            (normal_dim(dim, rank) for dim in source),
            strict=True,
        )
    )
    if len(moved) != len(source) or len(set(moved.values())) != len(source):
        raise RuntimeError(at_line(f"movedim: repeated dim in {source} or {destination}"))
    rest = iter([axis for axis in range(rank) if axis not in moved.values()])
    order = tuple(moved[axis] if axis in moved else next(rest) for axis in range(rank))
    return ops.permute(input, axes=order)  # type: ignore[no-any-return]


moveaxis = movedim


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Return a view without dims of size 1: all, or those given."""
    shape = input._type.shape
    axes = normal_dims(dim, len(shape))
    left = tuple(size for i, size in enumerate(shape) if i not in axes or size != 1)
    return ops.reshape(input, shape=left)  # type: ignore[no-any-return]


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Return a view with a dim of size 1 at place dim."""
    shape = input._type.shape
    axis = normal_dim(dim, len(shape), extra=1)
    return ops.reshape(input, shape=(*shape[:axis], 1, *shape[axis:]))  # type: ignore[no-any-return]


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return the dims from start_dim to end_dim as one."""
    shape = input._type.shape
    first, last = normal_dim(start_dim, len(shape)), normal_dim(end_dim, len(shape))
    if not shape:
        return ops.reshape(input, shape=(1,))  # type: ignore[no-any-return]
    if first > last:
        raise RuntimeError(at_line(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}"))
    middle = numel(shape[first : last + 1])
    return ops.reshape(input, shape=(*shape[:first], middle, *shape[last + 1 :]))  # type: ignore[no-any-return]


def ravel(input: Tensor) -> Tensor:
    """Return all elements in one dim."""
    return ops.reshape(input, shape=(input._type.numel,))  # type: ignore[no-any-return]


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Return a view with one dim split into several; one size may be -1."""
    shape = input._type.shape
    axis = normal_dim(dim, len(shape))
    known = math.prod(size for size in sizes if size != -1)
    if list(sizes).count(-1) == 1 and known:
        sizes = [shape[axis] // known if size == -1 else size for size in sizes]
    if math.prod(sizes) != shape[axis]:
        raise RuntimeError(
            at_line(f"unflatten: sizes {list(sizes)} do not multiply to {shape[axis]} of dim {dim}")
        )
    return ops.reshape(input, shape=(*shape[:axis], *sizes, *shape[axis + 1 :]))  # type: ignore[no-any-return]


def expand(input: Tensor, *size: Any) -> Tensor:
    """Return a view with dims of size 1 repeated; -1 keeps a size."""
    asked, own = _whole(size), input._type.shape
    missing = len(asked) - len(own)
    if missing < 0:
        raise RuntimeError(
            at_line(
                f"expand({list(asked)}) has fewer sizes than the {len(own)} dims of {input._type}"
            )
        )
    shape = []
    for axis, want in enumerate(asked):
        have = own[axis - missing] if axis >= missing else None
        if want == -1 and have is None:
            raise RuntimeError(at_line(f"expand: -1 is not allowed for the new dim {axis}"))
        if have not in (None, 1) and want not in (-1, have):
            raise RuntimeError(
                at_line(
                    f"The expanded size of the tensor ({want}) must match the existing size "
                    f"({have}) at non-singleton dimension {axis}"
                )
            )
        shape.append(have if want == -1 else want)
    result = to_shape(input, tuple(shape))  # type: ignore[arg-type]
    return view(input, shape) if result is input else result


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Return input expanded to other's shape."""
    return expand(input, *other._type.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Return a view of input with this shape."""
    return expand(input, *size)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return views of all tensors with one shape."""
    shape = broadcast_shapes(*(x._type.shape for x in tensors))
    return tuple(expand(x, *shape) for x in tensors)


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


def repeat_interleave(input: Tensor, repeats: int, dim: int | None = None) -> Tensor:
    """Return each element `repeats` times, one after another."""
    if isinstance(repeats, Tensor):
        raise NotImplementedError(
            at_line("repeat_interleave with a tensor of counts is not there; give it one int")
        )
    x = ravel(input) if dim is None else input
    axis = normal_dim(0 if dim is None else dim, x.ndim)
    wide = unsqueeze(x, axis + 1)
    shape = (*x._type.shape[: axis + 1], repeats, *x._type.shape[axis + 1 :])
    return flatten(clone(ops.expand(wide, shape=shape)), axis, axis + 1)


# -- joining and splitting ----------------------------------------------------------------------


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Return the tensors one after another along dim."""
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
    return ops.concat(*(to_dtype(x, dtype) for x in used), axis=axis)  # type: ignore[no-any-return]


concat = concatenate = cat


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


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return the tensors side by side."""
    tensors = atleast_1d(*tensors)
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Return the tensors below each other."""
    return cat([unsqueeze(x, 0) if x.ndim == 1 else x for x in atleast_1d(*tensors)], 0)


def atleast_1d(*tensors: Tensor) -> list[Tensor]:
    """Return the tensors with at least one dim."""
    return [x.reshape(1) if x.ndim == 0 else x for x in tensors]


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """Return a view of `length` elements along dim, from start on."""
    axis = normal_dim(dim, input.ndim)
    size = input._type.shape[axis] if input.ndim else 0
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
    return ops.slice(  # type: ignore[no-any-return]
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
    return ops.reshape(row, shape=shape[:axis] + shape[axis + 1 :])  # type: ignore[no-any-return]


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the views at every index of dim."""
    axis = normal_dim(dim, input.ndim)
    if not input.ndim:
        raise RuntimeError(at_line("unbind wants at least one dim"))
    return tuple(select(input, axis, index) for index in range(input._type.shape[axis]))


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
    return tuple(found)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return at most `chunks` views of about equal size along dim."""
    if chunks <= 0:
        raise RuntimeError(at_line(f"chunk wants chunks > 0, got {chunks}"))
    total = input._type.shape[normal_dim(dim, input.ndim)]
    if not total:
        return tuple(view(input, input._type.shape) for _ in range(chunks))
    return split(input, -(-total // chunks), dim)


def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Return views along dim: so many, as equal as can be, or cut at the given indices."""
    total = input._type.shape[normal_dim(dim, input.ndim)]
    if isinstance(indices_or_sections, int):
        small, more = divmod(total, indices_or_sections)
        sizes = [small + (i < more) for i in range(indices_or_sections)]
    else:
        cuts = [0, *(min(cut, total) for cut in indices_or_sections), total]
        sizes = [stop - start for start, stop in pairwise(cuts)]
    return split(input, sizes, dim)


# -- turning and shifting -----------------------------------------------------------------------


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Return a copy with the order of elements reversed along dims."""
    return ops.flip(input, axes=normal_dims(_whole(dims), input.ndim))  # type: ignore[no-any-return]


def fliplr(input: Tensor) -> Tensor:
    """Return a copy with left and right exchanged."""
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Return a copy with top and bottom exchanged."""
    return flip(input, 0)


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


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Return a copy turned by k quarter turns in the plane of two dims."""
    a, b = (normal_dim(dim, input.ndim) for dim in dims)
    turns = k % 4
    if turns == 2:
        return flip(input, (a, b))
    if turns == 0:
        return clone(input)
    return transpose(flip(input, b), a, b) if turns == 1 else flip(transpose(input, a, b), b)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid, one tensor for each axis."""
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise RuntimeError(at_line(f"meshgrid knows indexing 'ij' and 'xy', got {indexing!r}"))
    shape = [x._type.numel for x in tensors]
    grids = [
        expand(reshape(x, (1,) * i + (-1,) + (1,) * (len(tensors) - i - 1)), *shape)
        for i, x in enumerate(tensors)
    ]
    if indexing == "xy" and len(tensors) > 1:
        grids = [transpose(x, 0, 1) for x in grids]
    return tuple(grids)


# -- diagonals and triangles --------------------------------------------------------------------


def _below(x: Tensor, diagonal: int) -> Tensor:
    """Return where column <= row + diagonal, for the last two dims."""
    if x.ndim < 2:
        raise RuntimeError(at_line(f"tril and triu want at least 2 dims, got {x._type}"))
    shape = x._type.shape[-2:]
    row, column = creation.counting(shape, 0), creation.counting(shape, 1)
    return column.le(row + diagonal)  # type: ignore[attr-defined,no-any-return]


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return the lower triangle, 0 above the diagonal."""
    from .arithmetic import where

    return where(_below(input, diagonal), input, 0)  # type: ignore[no-any-return]


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return the upper triangle, 0 below the diagonal."""
    from .arithmetic import where

    return where(_below(input, diagonal - 1), 0, input)  # type: ignore[no-any-return]


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return the diagonal of two dims as last dim: a view where memory allows."""
    a, b = normal_dim(dim1, input.ndim), normal_dim(dim2, input.ndim)
    x = movedim(input, (a, b), (-2, -1))
    rows, columns = x._type.shape[-2:]
    start = offset if offset >= 0 else -offset * columns
    count = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    if count == 0:
        start = 0
    batch = x._type.shape[:-2]
    flat = reshape(x, *batch, rows * columns)
    step = columns + 1
    stop = min(start + step * (count - 1) + 1, rows * columns) if count else start
    return span(flat, flat.ndim - 1, start, stop, step)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return a matrix's diagonal, or the matrix that has a vector on its diagonal."""
    if input.ndim == 2:
        return clone(_diagonal(input, diagonal))
    if input.ndim != 1:
        raise RuntimeError(at_line(f"diag wants a vector or a matrix, got {input._type}"))
    return diag_embed(input, diagonal)


_diagonal = diagonal


def diag_embed(input: Tensor, offset: int = 0) -> Tensor:
    """Return matrices (last two dims) with the last dim of input on their diagonal."""
    from .arithmetic import where

    count = input._type.shape[-1]
    size = count + abs(offset)
    low, high = (max(-offset, 0), max(offset, 0)) if offset else (0, 0)
    shape = (size, size)
    row, column = creation.counting(shape, 0), creation.counting(shape, 1)
    on = column.eq(row + offset)  # type: ignore[attr-defined]
    rank = input.ndim
    line = ops.pad(
        input,
        low=(0,) * (rank - 1) + (low,),
        high=(0,) * (rank - 1) + (high,),
        value=0,
    )
    return where(on, unsqueeze(line, -1), 0)  # type: ignore[no-any-return]


def trace(input: Tensor) -> Tensor:
    """Return the sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError(at_line(f"trace wants a matrix, got {input._type}"))
    return diagonal(input).sum()  # type: ignore[attr-defined,no-any-return]
