"""Functions that give the same elements another shape or order of dims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel, reshaped_strides

from ..errors import ShapeError, at_line
from ..tensor import Tensor, strides_of
from .promote import broadcast_shapes, normal_dim, normal_dims, to_shape
from .unary import clone

__all__ = [
    "broadcast_tensors", "broadcast_to", "flatten", "flip", "fliplr", "flipud", "moveaxis",
    "movedim", "permute", "ravel", "reshape", "rot90", "squeeze", "swapaxes", "swapdims", "t",
    "transpose", "unflatten", "unsqueeze",
]  # fmt: skip


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


def reshape(input: Tensor, *shape: Any, copy: bool | None = None) -> Tensor:
    """Return the elements in another shape (one size may be -1): a view where memory allows.

    copy: True never returns a view, False raises ValueError where memory allows none.
    """
    sizes = sizes_with_rest(input, shape)
    if copy:
        return ops.reshape(clone(input), shape=sizes)
    if copy is False and reshaped_strides(input._type.shape, strides_of(input), sizes) is None:
        raise ValueError(at_line(f"no view of {input._type} has the shape {sizes}"))
    return ops.reshape(input, shape=sizes)


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
    return ops.reshape(input, shape=sizes)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Return a view with the dims in another order."""
    order = tuple(normal_dim(dim, input.ndim) for dim in _whole(dims))
    if len(order) != input.ndim or len(set(order)) != len(order):
        raise RuntimeError(
            at_line(f"permute wants each of the {input.ndim} dims once, got {list(_whole(dims))}")
        )
    return ops.permute(input, axes=order)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a view with two dims exchanged."""
    rank = input.ndim
    a, b = normal_dim(dim0, rank), normal_dim(dim1, rank)
    if not rank:
        return view(input)
    order = list(range(rank))
    order[a], order[b] = b, a
    return ops.permute(input, axes=tuple(order))


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
    return ops.permute(input, axes=order)


moveaxis = movedim


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Return a view without dims of size 1: all, or those given."""
    shape = input._type.shape
    axes = normal_dims(dim, len(shape))
    left = tuple(size for i, size in enumerate(shape) if i not in axes or size != 1)
    return ops.reshape(input, shape=left)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Return a view with a dim of size 1 at place dim."""
    shape = input._type.shape
    axis = normal_dim(dim, len(shape), extra=1)
    return ops.reshape(input, shape=(*shape[:axis], 1, *shape[axis:]))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return the dims from start_dim to end_dim as one."""
    shape = input._type.shape
    first, last = normal_dim(start_dim, len(shape)), normal_dim(end_dim, len(shape))
    if not shape:
        return ops.reshape(input, shape=(1,))
    if first > last:
        raise RuntimeError(at_line(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}"))
    middle = numel(shape[first : last + 1])
    return ops.reshape(input, shape=(*shape[:first], middle, *shape[last + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """Return all elements in one dim."""
    return ops.reshape(input, shape=(input._type.numel,))


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
    return ops.reshape(input, shape=(*shape[:axis], *sizes, *shape[axis + 1 :]))


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


# -- turning and shifting -----------------------------------------------------------------------


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Return a copy with the order of elements reversed along dims (all if none are given)."""
    return ops.flip(input, axes=normal_dims(_whole(dims) if dims else None, input.ndim))


def fliplr(input: Tensor) -> Tensor:
    """Return a copy with left and right exchanged."""
    return flip(_with_dims(input, 2, "fliplr"), 1)


def flipud(input: Tensor) -> Tensor:
    """Return a copy with top and bottom exchanged."""
    return flip(_with_dims(input, 1, "flipud"), 0)


def _with_dims(x: Tensor, least: int, name: str) -> Tensor:
    if x.ndim < least:
        raise RuntimeError(at_line(f"{name} wants at least {least} dims, got {x._type}"))
    return x


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Return a copy turned by k quarter turns in the plane of two dims."""
    if len(dims) != 2:
        raise RuntimeError(at_line(f"rot90 turns in a plane of 2 dims, got {list(dims)}"))
    a, b = (normal_dim(dim, input.ndim) for dim in dims)
    if a == b:
        raise RuntimeError(at_line(f"rot90 wants two different dims, got {list(dims)}"))
    turns = k % 4
    if turns == 2:
        return flip(input, (a, b))
    if turns == 0:
        return clone(input)
    return transpose(flip(input, b), a, b) if turns == 1 else flip(transpose(input, a, b), b)
