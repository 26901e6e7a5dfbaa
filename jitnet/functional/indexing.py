"""Functions that look elements up: gather, scatter, index_select, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.runtime.dtype import bool_, float32, int64

from .. import capture, creation
from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .choice import where
from .out import with_exact_out, with_out
from .promote import normal_dim, to_dtype, to_shape
from .selecting import held_coordinates, held_rows, occurrences


def _index(index: Tensor, name: str) -> Tensor:
    if not isinstance(index, Tensor):
        raise TypeError(at_line(f"{name} wants a Tensor as index, got {type(index).__name__}"))
    if index._type.dtype.kind not in ("int", "uint"):
        raise DTypeError(
            at_line(f"{name} wants whole numbers as index, got {index._type}; use .long()")
        )
    return to_dtype(index, int64)


def _one_dim(x: Tensor) -> Tensor:
    """Return a zero-dimensional tensor as one of one element."""
    return ops.reshape(x, shape=(1,)) if not x._type.shape else x


def _flat_places(x: Tensor, axis: int, index: Tensor, name: str) -> Tensor:
    """Return for each element of index its place in x flattened."""
    shape, own = index._type.shape, x._type.shape
    if len(shape) != len(own):
        raise ShapeError(
            at_line(f"{name} wants an index of {len(own)} dims as {x._type}, got {index._type}")
        )
    for place, (have, limit) in enumerate(zip(shape, own, strict=True)):
        if place != axis and have > limit:
            raise ShapeError(
                at_line(f"{name}: index {index._type} is larger than {x._type} along dim {place}")
            )
    rows: Tensor | None = None
    for place, size in enumerate(own):
        if place == axis:
            part = _inside(index, size, axis, x._type.numel)
        else:
            part = creation.counting(shape, place)
        rows = part if rows is None else rows * size + part
    assert rows is not None
    return rows


def _inside(index: Tensor, size: int, axis: int, total: int) -> Tensor:
    """Return index; IndexError for one outside 0 .. size - 1.

    In a trace a wrong index moves below all places, where the op that reads it refuses it.
    """
    if creation.unread(index):
        return where((index < 0) | (index >= size), -max(total, 1), index)  # type: ignore[no-any-return]
    values = index._whole()._copied()
    if values.size and (values.min() < 0 or values.max() >= size):
        bad = values[(values < 0) | (values >= size)].flat[0]
        raise IndexError(
            at_line(f"index {bad} is out of bounds for dimension {axis} with size {size}")
        )
    return index


def _is_one_of_each_line(x: Tensor, index: Tensor, axis: int) -> bool:
    own = x._type.shape
    return index._type.shape == (*own[:axis], 1, *own[axis + 1 :])


@with_exact_out
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Return input[..., index[...], ...]: along dim, the elements that index names."""
    index = _index(index, "gather")
    if not index._type.numel:
        return input.reshape(-1)[:0].reshape(index._type.shape)  # type: ignore[no-any-return]
    x, places = _one_dim(input), _one_dim(index)
    axis = normal_dim(dim, x.ndim)
    if _is_one_of_each_line(x, places, axis):
        if not creation.unread(places):
            _inside(places, x._type.shape[axis], axis, x._type.numel)
        line = ops.reshape(places, shape=x._type.shape[:axis] + x._type.shape[axis + 1 :])
        return ops.pick(x, line, axis=axis).reshape(index._type.shape)  # type: ignore[no-any-return]
    flat = _flat_places(x, axis, places, "gather")
    found = ops.take(ops.reshape(x, shape=(x._type.numel,)), flat, axis=0)
    return found if found._type.shape == index._type.shape else found.reshape(index._type.shape)


@with_out
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Return the elements that indices name along dim; other dims broadcast."""
    from .promote import broadcast_shapes

    if dim is None:
        return take_along_dim(input.reshape(-1), indices.reshape(-1), 0)
    if input.ndim != indices.ndim:
        raise ShapeError(
            at_line(f"take_along_dim wants as many dims as {input._type}, got {indices._type}")
        )
    axis = normal_dim(dim, input.ndim)
    indices = _index(indices, "take_along_dim")
    indices = where(indices < 0, indices + input._type.shape[axis], indices)
    own, asked = list(input._type.shape), list(indices._type.shape)
    own_open, asked_open = list(own), list(asked)
    own_open[axis] = asked_open[axis] = 1
    shape = list(broadcast_shapes(own_open, asked_open))
    x_shape, i_shape = list(shape), list(shape)
    x_shape[axis], i_shape[axis] = own[axis], asked[axis]
    return gather(to_shape(input, tuple(x_shape)), axis, to_shape(indices, tuple(i_shape)))


def _scattered(
    input: Tensor, dim: int, index: Tensor, src: Any, accumulate: bool, name: str
) -> Tensor:
    index = _index(index, name)
    x, places = _one_dim(input), _one_dim(index)
    axis = normal_dim(dim, x.ndim)
    if not isinstance(src, Tensor):
        values = creation.full(places._type.shape, src, dtype=x._type.dtype, device=x.device)
    else:
        values = _one_dim(src)
        if values._type.dtype is not x._type.dtype:
            raise DTypeError(
                at_line(f"{name} wants src of input's dtype {x._type.dtype}, got {src._type}")
            )
        if values.ndim != places.ndim or any(
            have < want for have, want in zip(values._type.shape, places._type.shape, strict=True)
        ):
            raise ShapeError(
                at_line(f"{name} wants src at least as large as index, got {src._type}")
            )
        if values._type.shape != places._type.shape:
            values = values[tuple(slice(0, size) for size in places._type.shape)]
    flat = _flat_places(x, axis, places, name)
    line = ops.reshape(x, shape=(x._type.numel,))
    count = (places._type.numel,)
    done = ops.put(
        line,
        ops.reshape(flat, shape=count),
        ops.reshape(values, shape=count),
        axis=0,
        accumulate=accumulate,
    )
    return ops.reshape(done, shape=input._type.shape)


@with_out
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
) -> Tensor:
    """Return input with src (or value) written where index names along dim."""
    chosen = value if src is None else src
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(at_line(f"scatter knows reduce 'add' and 'multiply', got {reduce!r}"))
    if reduce == "multiply":
        from .scattering import scatter_reduce

        full = isinstance(chosen, Tensor)
        factors = (
            chosen
            if full
            else creation.full(index._type.shape, chosen, dtype=input.dtype, device=input.device)
        )
        return scatter_reduce(input, dim, index, factors, "prod")
    return _scattered(input, dim, index, chosen, reduce == "add", "scatter")


@with_out
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Return input with src added where index names along dim."""
    return _scattered(input, dim, index, src, True, "scatter_add")


def _along(input: Tensor, dim: int, index: Tensor, name: str) -> tuple[Tensor, int, Tensor]:
    """Return input with at least one dim, dim counted from 0, and a vector of its places."""
    index = _index(index, name)
    if index.ndim > 1:
        raise IndexError(at_line(f"{name} wants a vector as index, got {index._type}"))
    x = _one_dim(input)
    return x, normal_dim(dim, x.ndim), _one_dim(index)


def _inside_along(input: Tensor, dim: int, index: Tensor, name: str) -> tuple[Tensor, int, Tensor]:
    """Return what _along does, of places that are 0 or more; compiled code checks them itself."""
    x, axis, places = _along(input, dim, index, name)
    if not creation.unread(places):
        _inside(places, x._type.shape[axis], axis, x._type.numel)
    return x, axis, places


@with_out
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Return the rows of dim that a vector of indices names."""
    x, axis, places = _inside_along(input, dim, index, "index_select")
    found = ops.take(x, places, axis=axis)
    return found if input.ndim else ops.reshape(found, shape=())


def _put_along(
    input: Tensor, dim: int, index: Tensor, source: Tensor, accumulate: bool, name: str
) -> Tensor:
    x, axis, places = _inside_along(input, dim, index, name)
    shape = (*x._type.shape[:axis], places._type.numel, *x._type.shape[axis + 1 :])
    if source._type.dtype is not x._type.dtype:
        raise DTypeError(
            at_line(f"{name} wants a source of input's {x._type.dtype}, got {source._type}")
        )
    if source._type.shape != shape:
        if source.ndim or any(size != 1 for size in shape):
            raise ShapeError(
                at_line(f"{name} wants a source of shape {list(shape)}, got {source._type}")
            )
        source = ops.reshape(source, shape=shape)
    done = ops.put(x, places, source, axis=axis, accumulate=accumulate)
    return done if input.ndim else ops.reshape(done, shape=())


@with_out
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """Return input with alpha * source added to the rows of dim that index names."""
    source = source if alpha == 1 else source * alpha
    return _put_along(input, dim, index, source, True, "index_add")


@with_out
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Return input with the rows of dim that index names replaced by source."""
    return _put_along(input, dim, index, source, False, "index_copy")


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Return input with the rows of dim that index names, negative ones from the end, set."""
    from ..tensors.indexing import _places, put_rows

    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(at_line(f"index_fill wants one value, got {value._type}"))
    x, axis, places = _along(input, dim, index, "index_fill")
    done = put_rows(x, _places(x, [(axis, places)]), value, False)
    return done if input.ndim else ops.reshape(done, shape=())


def index_put(input: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """Return input with values at (or added at) the places that indices name."""
    from ..tensors.indexing import _basic, _items, _places, _spelled, _without_ellipsis, put_rows

    read = _basic(input, _without_ellipsis(_items(tuple(indices)), input.ndim))
    return put_rows(
        read.view, _places(read.view, _spelled(read.places, read.view)), values, accumulate
    )


@with_exact_out
def take(input: Tensor, index: Tensor, *, dim: int | None = None) -> Tensor:
    """Return the elements of input, flattened, that index names; with dim, parts along it."""
    if dim is not None:
        axis = normal_dim(dim, input.ndim)
        size = input._type.shape[axis]
        return index_select(input, axis, index.where(index >= 0, index + size))
    return input.reshape(-1)[_index(index, "take")]  # type: ignore[no-any-return]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Return input with value where mask holds."""
    if mask._type.dtype is not bool_:
        raise DTypeError(at_line(f"masked_fill wants a bool mask, got {mask._type}"))
    own, given = input._type.dtype, isinstance(value, Tensor)
    if given and value.ndim:
        raise RuntimeError(
            at_line(f"masked_fill wants one value, got {value._type}; use where instead")
        )
    is_complex = value._type.dtype.is_complex if given else isinstance(value, complex)
    if (is_complex and not own.is_complex) or (isinstance(value, float) and not own.is_inexact):
        raise RuntimeError(
            at_line(f"value {value} cannot be converted to type {own} without overflow")
        )
    return to_dtype(where(mask, to_dtype(value, own) if given else value, input), own)


@with_out
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Return the elements where mask holds, in one dim; eager only."""
    from .shape import broadcast_tensors

    x, chosen = broadcast_tensors(input, mask)
    return x[chosen]


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return input with source's elements, in order, where mask holds.

    IndexError where source has too few.
    """
    from .choice import where
    from .shape import broadcast_tensors

    x, chosen = broadcast_tensors(input, mask)
    if not x._type.numel or not source._type.numel:
        return x.clone()  # type: ignore[no-any-return]
    place = (chosen.reshape(-1).cumsum(0) - 1).reshape(x._type.shape)
    taken = source.reshape(-1)[where(chosen, place, 0)]
    return where(chosen, taken, x)  # type: ignore[no-any-return]


@with_out
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Return where elements are not 0: [count, dims], or one vector for each dim.

    Compiled code wants elements that follow from Python's numbers or from small state.
    """
    array = creation.values_for_shape(input, "nonzero()", "use jitnet.where(mask, a, b)")
    if array is None:
        return held_coordinates(input) if as_tuple else held_rows(input)
    if as_tuple:
        return tuple(map(_line, np.nonzero(np.atleast_1d(array))))
    return creation.literal(np.argwhere(array).astype(np.int64))


def _line(places: np.ndarray) -> Tensor:
    return creation.literal(np.ascontiguousarray(places))


argwhere = nonzero


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return int64 rows with a 1 at the place that each element names."""
    index = _index(tensor, "one_hot")
    if num_classes == -1:
        if not index._type.numel:
            raise RuntimeError(at_line("one_hot of no elements wants num_classes"))
        num_classes = _largest(index) + 1
    if creation.unread(index):
        # Rows of an identity that no kernel writes down: a lookup checks the classes at each call.
        shape = (num_classes, num_classes)
        identity = creation.counting(shape, 0).eq(creation.counting(shape, 1))
        return to_dtype(ops.take(identity, index, axis=0), int64)
    values = index._whole()._copied()
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
        raise RuntimeError(
            at_line(f"one_hot: class {wrong[0]} is not in 0 .. {num_classes - 1} (num_classes)")
        )
    shape = (*index._type.shape, num_classes)
    line = creation.counting(shape, len(shape) - 1)
    return to_dtype(index.unsqueeze(-1).eq(line), int64)


def _largest(index: Tensor) -> int:
    """Return the largest element, which says how many classes there are."""
    if creation.tracing():
        return int(capture.value_of(index, "one_hot() without num_classes", "give it").max())
    return int(index.max().item())


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Return how often each whole number occurs, or sums of weights (float64, or float32 as they).

    Eager only.
    """
    capture.refuse("bincount() (a shape that depends on data)", "use scatter_add into zeros")
    if creation.unread(input):
        return occurrences(input, weights, minlength)
    counts = np.bincount(input._copied(), None if weights is None else weights._copied(), minlength)
    narrow = weights is not None and weights._type.dtype is float32
    return Tensor._from_array(counts.astype(np.float32) if narrow else counts)


@with_out
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Return where elements occur among test_elements; invert: where not."""
    given = next(each for each in (elements, test_elements) if isinstance(each, Tensor))
    elements, test_elements = (
        creation.as_tensor(each, device=given.device) for each in (elements, test_elements)
    )
    found: Tensor = elements.unsqueeze(-1).eq(test_elements.reshape(-1)).any(-1)
    return ~found if invert else found
