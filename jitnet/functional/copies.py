"""Views under the names that return copies, and copies with one view of them overwritten."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from jitnet.compiler import ops

from ..errors import ShapeError, at_line
from ..tensor import Tensor
from . import diagonals, joining, patches, shape
from .out import with_out
from .promote import normal_dim, to_dtype
from .unary import clone, positive

__all__ = [
    "alias_copy", "diagonal_copy", "diagonal_scatter", "expand_copy", "fill", "narrow_copy",
    "permute_copy", "select_copy", "select_scatter", "slice_scatter", "split_with_sizes_copy",
    "squeeze_copy", "t_copy", "transpose_copy", "unbind_copy", "unfold_copy", "unsafe_chunk",
    "unsafe_split", "unsafe_split_with_sizes", "unsqueeze_copy", "view_copy",
]  # fmt: skip


def _copying(view: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the function that gives copies of what view gives."""

    @wraps(view)
    def copy(input: Tensor, *args: Any, **options: Any) -> Any:
        found = view(input, *args, **options)
        return tuple(map(clone, found)) if isinstance(found, tuple) else clone(found)

    copy.__name__ = copy.__qualname__ = name
    copy.__doc__ = f"Return what {view.__name__} gives, as a copy."
    return with_out(copy)


alias_copy = _copying(positive, "alias_copy")

diagonal_copy = _copying(diagonals.diagonal, "diagonal_copy")

expand_copy = _copying(shape.expand, "expand_copy")

narrow_copy = _copying(joining.narrow, "narrow_copy")

permute_copy = _copying(shape.permute, "permute_copy")

select_copy = _copying(joining.select, "select_copy")

split_with_sizes_copy = _copying(joining.split_with_sizes, "split_with_sizes_copy")

squeeze_copy = _copying(shape.squeeze, "squeeze_copy")

t_copy = _copying(shape.t, "t_copy")

transpose_copy = _copying(shape.transpose, "transpose_copy")

unbind_copy = _copying(joining.unbind, "unbind_copy")

unfold_copy = _copying(patches.windows, "unfold_copy")

unsafe_chunk = _copying(joining.chunk, "unsafe_chunk")

unsafe_split = _copying(joining.split, "unsafe_split")

unsafe_split_with_sizes = _copying(joining.split_with_sizes, "unsafe_split_with_sizes")

unsqueeze_copy = _copying(shape.unsqueeze, "unsqueeze_copy")

view_copy = _copying(shape.view, "view_copy")


@with_out
def fill(input: Tensor, value: Any) -> Tensor:
    """Return a copy of input with value everywhere."""
    return clone(input).fill_(value)  # type: ignore[no-any-return]


# -- one view overwritten -----------------------------------------------------------------------


def _source(src: Tensor, view: tuple[int, ...], input: Tensor, name: str) -> Tensor:
    if src._type.shape != view:
        raise ShapeError(at_line(f"{name} wants src of shape {list(view)}, got {src._type}"))
    return to_dtype(src, input._type.dtype)


@with_out
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """Return input with src in the place of input[..., start:end:step, ...] along dim."""
    axis = normal_dim(dim, input.ndim)
    sizes = input._type.shape
    if step <= 0:
        raise ValueError(at_line(f"slice_scatter wants a step > 0, got {step}"))
    first, stop, _ = slice(start, end, step).indices(sizes[axis])
    count = len(range(first, stop, step))
    values = _source(src, (*sizes[:axis], count, *sizes[axis + 1 :]), input, "slice_scatter")
    if not count:
        return clone(input)
    starts, stops, steps = [0] * len(sizes), list(sizes), [1] * len(sizes)
    starts[axis], stops[axis], steps[axis] = first, stop, step
    return ops.slice_assign(
        input, values, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps)
    )


@with_out
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return input with src in the place of one index of dim."""
    view = joining.select(input, dim, index)
    axis = normal_dim(dim, input.ndim)
    values = shape.unsqueeze(_source(src, view._type.shape, input, "select_scatter"), axis)
    at = index + input._type.shape[axis] if index < 0 else index
    return slice_scatter(input, values, axis, at, at + 1)


@with_out
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Return input with src on its diagonal."""
    kept = diagonals.diagonal(input, offset, dim1, dim2)
    values = _source(src, kept._type.shape, input, "diagonal_scatter")
    made = clone(input)
    diagonals.diagonal(made, offset, dim1, dim2).copy_(values)
    return made
