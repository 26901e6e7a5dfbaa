"""x[...] read and written: slices make views, tensors of places become take and put.

A slice with a negative step is the view of its elements in rising order, turned round: a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import bool_, int64

from .. import creation
from ..errors import at_line
from ..functional.arithmetic import add, ge, logical_or, lt, mul
from ..functional.choice import where
from ..functional.promote import broadcast_shapes, to_dtype, to_shape
from ..tensor import Tensor, base_of


def _items(key: Any) -> list[Any]:
    """Return the index as a list; lists, arrays and bools as tensors."""
    parts = list(key) if isinstance(key, tuple) else [key]
    return [_item(part) for part in parts]


def _item(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, bool | np.bool_):
        return creation.tensor(bool(part), device="cpu")
    if isinstance(part, Tensor):
        kind = part._type.dtype.kind
        if kind == "float":
            raise IndexError(
                at_line(f"tensors used as indices must be whole numbers or bools, got {part._type}")
            )
        if not part._type.shape and kind != "bool" and not creation.tracing():
            return int(part.item())  # as PyTorch: a number, which makes a view
        return part
    if isinstance(part, list | range | tuple | np.ndarray):
        made = (
            creation.tensor(part, device="cpu") if isinstance(part, np.ndarray) else _listed(part)
        )
        return _item(made)
    if hasattr(part, "__index__"):
        return part.__index__()
    raise IndexError(
        at_line(
            "only integers, slices (`:`), ellipsis (`...`), None and tensors or lists of whole "
            f"numbers or bools are valid indices (got {type(part).__name__})"
        )
    )


def _listed(part: Sequence[Any]) -> Tensor:
    made = creation.tensor(list(part), device="cpu")
    return made if made._type.numel else to_dtype(made, int64)


def _consumed(item: Any) -> int:
    """Return how many dims of the tensor an item uses up."""
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, Tensor) and item._type.dtype is bool_:
        return item.ndim
    return 1


def _without_ellipsis(items: list[Any], rank: int) -> list[Any]:
    """Return the items with `...` and missing dims as full slices."""
    used = sum(map(_consumed, items))
    if used > rank:
        raise IndexError(at_line(f"too many indices for tensor of dimension {rank} (got {used})"))
    places = [position for position, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise IndexError(at_line("an index can only have a single ellipsis ('...')"))
    at = places[0] if places else len(items)
    rest = items[at + 1 :] if places else []
    return [*items[:at], *[slice(None)] * (rank - used), *rest]


@dataclass(frozen=True)
class _Read:
    """An index taken apart: the view that its basic part makes, and places along its dims."""

    view: Tensor
    places: tuple[tuple[int, Tensor], ...]  # (dim of the view, whole numbers)
    turned: tuple[int, ...]  # dims of the view that the index goes through backwards

    def turn(self, x: Tensor) -> Tensor:
        """Return a tensor of the view's shape as the index goes through it, or back again."""
        return ops.flip(x, axes=self.turned) if self.turned else x


def _bounds(item: slice, size: int) -> tuple[int, int, int]:
    """Return start, stop and a step > 0 of the elements that a slice goes through."""
    chosen = range(*item.indices(size))
    if chosen.step > 0:
        return chosen.start, max(chosen.stop, chosen.start), chosen.step
    return (chosen[-1], chosen[0] + 1, -chosen.step) if chosen else (0, 0, 1)


def _basic(x: Tensor, items: list[Any]) -> _Read:
    """Apply ints, slices and None as one slice and one reshape; keep tensors for later."""
    sizes = x._type.shape
    cuts: list[tuple[int, int, int]] = []  # start, stop and step along each dim of x so far
    shape: list[int] = []
    places: list[tuple[int, Tensor]] = []
    turned: list[int] = []
    for item in items:
        axis = len(cuts)
        if item is None:
            shape.append(1)
        elif isinstance(item, Tensor):
            used = _consumed(item)  # 0: a zero-dimensional bool, a new dim of size 0 or 1
            places.append((len(shape), item if used else _chosen(item)))
            shape.extend(sizes[axis : axis + used] if used else (1,))
            cuts.extend((0, size, 1) for size in sizes[axis : axis + used])
        elif isinstance(item, slice):
            start, stop, step = _bounds(item, sizes[axis])
            if item.step is not None and item.step < 0:
                turned.append(len(shape))
            shape.append(len(range(start, stop, step)))
            cuts.append((start, stop, step))
        else:
            start = _from_front(item, sizes[axis], axis)
            cuts.append((start, start + 1, 1))
    return _Read(_cut(x, cuts, tuple(shape)), tuple(places), tuple(turned))


def _from_front(item: int, size: int, axis: int) -> int:
    """Return a place that may count from the end as one that counts from the front."""
    if not -size <= item < size:
        raise IndexError(
            at_line(f"index {item} is out of bounds for dimension {axis} with size {size}")
        )
    return item + size if item < 0 else item


def _cut(x: Tensor, cuts: list[tuple[int, int, int]], shape: tuple[int, ...]) -> Tensor:
    """Return the view of x that has these elements in this shape; x itself if it has."""
    if any(cut != (0, size, 1) for cut, size in zip(cuts, x._type.shape, strict=True)):
        starts, stops, steps = zip(*cuts, strict=True)
        x = ops.slice(x, starts=starts, stops=stops, steps=steps)
    return x if shape == x._type.shape else ops.reshape(x, shape=shape)


def _chosen(flag: Tensor) -> Tensor:
    """Return [0] for a true zero-dimensional bool, [] for a false one."""
    return _nonzero(flag.reshape(1), "an index that is a bool tensor")[0]


def _nonzero(mask: Tensor, what: str) -> tuple[Tensor, ...]:
    """Return the places where a mask holds; an error in a trace that does not know them."""
    instead = "select with jitnet.where(mask, x, other), or multiply by the mask, instead"
    values = creation.values_for_shape(mask, what, instead)
    if values is None:
        from ..functional.selecting import held_coordinates

        return held_coordinates(mask)
    return tuple(creation.literal(np.ascontiguousarray(axis)) for axis in np.nonzero(values))


def _spelled(places: tuple[tuple[int, Tensor], ...], view: Tensor) -> list[tuple[int, Tensor]]:
    """Return places as whole numbers, masks by what they choose."""
    found: list[tuple[int, Tensor]] = []
    for axis, index in places:
        if index._type.dtype is not bool_:
            found.append((axis, to_dtype(index, int64)))
            continue
        wanted = view._type.shape[axis : axis + index.ndim]
        for offset, (have, want) in enumerate(zip(index._type.shape, wanted, strict=True)):
            if have != want:
                raise IndexError(
                    at_line(
                        f"The shape of the mask {list(index._type.shape)} at index {offset} does "
                        f"not match the shape of the indexed tensor {list(view._type.shape)} at "
                        f"index {axis + offset}"
                    )
                )
        chosen = _nonzero(index, "reading or writing x[mask]")
        found.extend((axis + offset, line) for offset, line in enumerate(chosen))
    return found


@dataclass(frozen=True)
class _Places:
    """Advanced indices as one: places of a dim that joins the indexed dims, brought together."""

    order: tuple[int, ...]  # the view's dims: indexed ones side by side
    sizes: tuple[int, ...]  # of the other dims, and of the indexed ones as one
    index: Tensor  # which places of it, in the shape of the broadcast indices
    at: int  # which dim it is, and where the index's dims stand in the result


def _places(view: Tensor, places: list[tuple[int, Tensor]]) -> _Places:
    axes = [axis for axis, _ in places]
    shape = broadcast_shapes(*(index._type.shape for _, index in places))
    rest = [axis for axis in range(view.ndim) if axis not in axes]
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    sizes, where = view._type.shape, view.device
    lines = [(axis, to_shape(creation.on_device(line, where), shape)) for axis, line in places]
    index = linear_index([(line, sizes[axis], axis) for axis, line in lines])
    at = axes[0] if together else 0
    others = [sizes[axis] for axis in rest]
    return _Places(
        order=(*rest[:at], *axes, *rest[at:]),
        sizes=(*others[:at], numel(sizes[axis] for axis in axes), *others[at:]),
        index=index,
        at=at,
    )


def linear_index(parts: Sequence[tuple[Tensor, int, int]]) -> Tensor:
    """Return one row number for several (index, size, dim): checked, negatives from the end.

    In a trace and on a GPU a wrong index becomes row -1, which the op that reads it refuses.
    """
    total: Tensor | None = None
    wrong: Tensor | None = None
    for index, size, axis in parts:
        if not creation.unread(index):
            index = _checked(index, size, axis)
        else:
            index = where(lt(index, 0), add(index, size), index)
            if len(parts) > 1:
                outside = logical_or(lt(index, 0), ge(index, size))
                wrong = outside if wrong is None else logical_or(wrong, outside)
        total = index if total is None else add(mul(total, size), index)
    assert total is not None
    return total if wrong is None else where(wrong, -1, total)


def _checked(index: Tensor, size: int, axis: int) -> Tensor:
    """Return an eager index with negative numbers counted from the end; IndexError outside."""
    values = index._whole()._copied()
    if not values.size:
        return index
    low, high = values.min(), values.max()
    if low < -size or high >= size:
        bad = high if high >= size else low
        raise IndexError(
            at_line(f"index {bad} is out of bounds for dimension {axis} with size {size}")
        )
    return index if low >= 0 else where(lt(index, 0), add(index, size), index)  # type: ignore[no-any-return]


def _joined(view: Tensor, places: _Places) -> Tensor:
    """Return the view with its indexed dims as one."""
    if places.order != tuple(range(view.ndim)):
        view = ops.permute(view, axes=places.order)
    return view if view._type.shape == places.sizes else ops.reshape(view, shape=places.sizes)


def _apart(joined: Tensor, places: _Places, shape: tuple[int, ...]) -> Tensor:
    """Return what _joined joined, in the view's shape again."""
    view = ops.reshape(joined, shape=tuple(shape[axis] for axis in places.order))
    if places.order == tuple(range(len(shape))):
        return view
    return ops.permute(view, axes=tuple(places.order.index(axis) for axis in range(len(shape))))


def getitem(x: Tensor, key: Any) -> Tensor:
    """Return x[key]."""
    if isinstance(key, int) and not isinstance(key, bool):
        from ..functional.joining import select

        if x.ndim == 0:
            raise IndexError(
                at_line("invalid index of a 0-dim tensor. Use `tensor.item()` to get its number")
            )
        return select(x, 0, key)
    read = _basic(x, _without_ellipsis(_items(key), x.ndim))
    view = read.turn(read.view)
    if not read.places:
        return view if view is not x else ops.reshape(x, shape=x._type.shape)
    places = _places(view, _spelled(read.places, view))
    return ops.take(_joined(view, places), places.index, axis=places.at)


def setitem(x: Tensor, key: Any, value: Any) -> None:
    """Do x[key] = value."""
    if isinstance(value, np.ndarray | list | tuple):
        value = creation.as_tensor(value, device=x.device)
    items = _without_ellipsis(_items(key), x.ndim)
    read = _basic(x, items)
    view = read.view
    if not _is_view(view, x):
        raise RuntimeError(at_line("cannot write through this index: it is not a view"))
    if not read.places:
        view._assign(read.turn(_filling(value, view._type.shape, view)))
        return
    before = read.turn(view._snapshot())
    if _is_one_mask(read) and _spreads(value, read.places[0], view):
        view._assign(read.turn(_masked(before, read.places[0], value)))
        return
    places = _places(before, _spelled(read.places, before))
    view._assign(read.turn(put_rows(before, places, value, False)))


def _is_view(view: Tensor, x: Tensor) -> bool:
    view, x = view._whole(), x._whole()
    base = base_of(x)
    return view is x or view._base is base or not view._type.numel


def put_rows(view: Tensor, places: _Places, value: Any, accumulate: bool) -> Tensor:
    """Return the view's elements with value at the places (or added there)."""
    at, sizes = places.at, places.sizes
    filling = _filling(value, sizes[:at] + places.index._type.shape + sizes[at + 1 :], view)
    joined = _joined(view, places)
    done = ops.put(joined, places.index, filling, axis=at, accumulate=accumulate)
    return done if joined is view else _apart(done, places, view._type.shape)


def _filling(value: Any, shape: tuple[int, ...], target: Tensor) -> Tensor:
    """Return value as a tensor of target's dtype, broadcast to shape."""
    if not isinstance(value, Tensor):
        if isinstance(value, bool | int | float | complex) or not hasattr(value, "__len__"):
            return creation.full(shape, value, dtype=target._type.dtype, device=target.device)
        value = creation.as_tensor(value, device=target.device)
    value = to_dtype(value, target._type.dtype)
    own = value._type.shape
    extra = len(own) - len(shape)
    if extra > 0 and all(size == 1 for size in own[:extra]):
        value = ops.reshape(value, shape=own[extra:])
        own = own[extra:]
    fits = len(own) <= len(shape) and all(
        have in (1, want) for have, want in zip(reversed(own), reversed(shape), strict=False)
    )
    if not fits:
        raise RuntimeError(
            at_line(
                f"shape mismatch: value tensor of shape {list(own)} cannot be broadcast to "
                f"indexing result of shape {list(shape)}"
            )
        )
    return to_shape(value, shape)


def _is_one_mask(read: _Read) -> bool:
    return (
        len(read.places) == 1
        and read.places[0][1]._type.dtype is bool_
        and (read.places[0][1].ndim > 0)
    )


def _spreads(value: Any, place: tuple[int, Tensor], view: Tensor) -> bool:
    """Whether the value does not depend on which element of the mask it goes to."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return isinstance(value, bool | int | float | complex)
    behind = view.ndim - place[0] - place[1].ndim
    return len(shape) <= behind or shape[len(shape) - behind - 1] == 1


def _masked(view: Tensor, place: tuple[int, Tensor], value: Any) -> Tensor:
    """Return the view's elements with value where the mask holds: x[mask] = one value."""
    axis, mask = place
    own = view._type.shape
    if mask._type.shape != own[axis : axis + mask.ndim]:
        _spelled((place,), view)  # raises, naming the sizes
        raise AssertionError("a mask of another shape was taken")
    rest = own[axis + mask.ndim :]
    if isinstance(value, Tensor) and value.ndim > len(rest):
        sizes = value._type.shape
        cut = len(sizes) - len(rest)  # one size stands for all dims of the mask
        value = value.reshape(sizes[: cut - 1] + (1,) * mask.ndim + sizes[cut:])
    filling = to_shape(_filling(value, own[:axis] + (1,) * mask.ndim + rest, view), own)
    chosen = to_shape(mask.reshape(mask._type.shape + (1,) * len(rest)), own)
    return ops.where(chosen, filling, view)
