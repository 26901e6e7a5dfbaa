"""Orders of elements, which NumPy finds: places in a sorted line, most frequent values, counts.

Each gives whole numbers, or counts: values are looked up with them by other ops, which have
gradients. NaN is greater than every number, and equal elements stay in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import int64

from . import check
from .elementwise import ORDERED

_TOP_BIT = np.uint32(1 << 31)
KEY_BYTES = 4  # of elements that share a 64-bit number with their place
WORTH_FINDING = 4  # how many times more elements a line must have than are wanted of it


def _argsort_type(x: TensorType, *, axis: int, descending: bool) -> TensorType:
    check.kind("argsort", ORDERED, x)
    check.axes_of("argsort", x, (axis,))
    return TensorType(int64, x.shape)


def _argsort(x: np.ndarray, *, axis: int, descending: bool) -> np.ndarray:
    lines = np.moveaxis(x, axis, -1)
    if x.dtype.itemsize <= KEY_BYTES and x.shape[axis] < 1 << 32:
        order = _order_by_keys(lines, descending)
    elif descending:
        turned = np.argsort(np.flip(lines, -1), axis=-1, kind="stable")
        order = np.flip(x.shape[axis] - 1 - turned, -1)
    else:
        order = np.argsort(lines, axis=-1, kind="stable")
    return np.asarray(np.moveaxis(order, -1, axis), np.int64)


def _order_by_keys(lines: np.ndarray, descending: bool) -> np.ndarray:
    """Sort whole numbers that hold an element and, below it, its place.

    No two are equal, so that NumPy's fastest sort, which is not stable, gives the stable order.
    """
    keys = _ordered_bits(lines).astype(np.int64)
    keys = (~keys if descending else keys) << 32
    keys |= np.arange(lines.shape[-1])
    keys.sort(-1)
    keys &= 0xFFFFFFFF
    return keys


def _ordered_bits(x: np.ndarray) -> np.ndarray:
    """Return whole numbers in the order of the elements, NaN last, both zeros the same.

    As signed numbers they have 32 bits.
    """
    if x.dtype.kind != "f":
        return (x ^ _TOP_BIT).view(np.int32) if x.dtype == np.uint32 else x
    with np.errstate(invalid="ignore"):  # of a signalling NaN
        bits = (x + np.float32(0)).view(np.int32)
    bits ^= (bits >> 31) & 0x7FFFFFFF  # of negative numbers, all but the sign
    bits[np.isnan(x)] = np.iinfo(np.int32).max
    return bits


def _topk_type(x: TensorType, *, count: int, axis: int, largest: bool) -> TensorType:
    check.kind("topk", ORDERED, x)
    check.axes_of("topk", x, (axis,))
    if not 0 <= count <= x.shape[axis]:
        raise ShapeError(f"topk wants at most the {x.shape[axis]} elements of {x}, got {count}")
    return TensorType(int64, (*x.shape[:axis], count, *x.shape[axis + 1 :]))


def _topk(x: np.ndarray, *, count: int, axis: int, largest: bool) -> np.ndarray:
    """Return what argsort has first; a few of many are found before they are sorted."""
    size = x.shape[axis]
    if count * WORTH_FINDING > size:
        order = _argsort(x, axis=axis, descending=largest)
        return np.take(order, np.arange(count), axis)
    lines = np.moveaxis(x, axis, -1)
    kth = size - count if largest else count - 1
    parted = np.argpartition(lines, min(max(kth, 0), size - 1), -1)
    found = np.sort(parted[..., kth:] if largest else parted[..., :count], -1)
    values = np.take_along_axis(lines, found, -1)
    order = _argsort(values, axis=values.ndim - 1, descending=largest)
    return np.asarray(np.moveaxis(np.take_along_axis(found, order, -1), -1, axis), np.int64)


def _kth_type(x: TensorType, *, place: int, axis: int) -> TensorType:
    check.kind("kth", ORDERED, x)
    check.axes_of("kth", x, (axis,))
    if not 0 <= place < x.shape[axis]:
        raise ShapeError(f"kth wants a place below {x.shape[axis]} for {x}, got {place}")
    return TensorType(int64, x.shape[:axis] + x.shape[axis + 1 :])


def _kth(x: np.ndarray, *, place: int, axis: int) -> np.ndarray:
    """Return where the element is that would stand at a place of each sorted line: the first one.

    Finding a value takes less than ordering all of them.
    """
    value = np.take(np.partition(x, place, axis), [place], axis)
    same = (x == value) | ((x != x) & (value != value))
    return np.asarray(same.argmax(axis), np.int64)


def _searchsorted_type(line: TensorType, values: TensorType, *, right: bool) -> TensorType:
    check.kind("searchsorted", ORDERED, line, values)
    check.same_dtype("searchsorted", line, values)
    batch = line.shape[:-1]
    if not line.shape or (batch and batch != values.shape[:-1]):
        raise ShapeError(
            "searchsorted wants one sorted vector, or as many as there are rows of values, got "
            f"{check.describe((line, values))}"
        )
    return TensorType(int64, values.shape)


def _searchsorted(line: np.ndarray, values: np.ndarray, *, right: bool) -> np.ndarray:
    side: Any = "right" if right else "left"
    if line.ndim == 1:
        return np.asarray(np.searchsorted(line, values, side), np.int64)
    result = np.empty(values.shape, np.int64)
    for row in np.ndindex(line.shape[:-1]):
        result[row] = np.searchsorted(line[row], values[row], side)
    return result


def _mode_type(x: TensorType, *, axis: int) -> TensorType:
    check.kind("mode", ORDERED, x)
    check.axes_of("mode", x, (axis,))
    if x.shape[axis] == 0:
        raise ShapeError(f"mode of no elements has no value, got {x} over dim {axis}")
    return TensorType(int64, x.shape[:axis] + x.shape[axis + 1 :])


def _mode(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Return the last place of the value that occurs most often, the smallest of several such."""
    lines = np.moveaxis(x, axis, -1)
    result = np.empty(lines.shape[:-1], np.int64)
    for at in np.ndindex(result.shape):
        values, counts = np.unique(lines[at], return_counts=True)
        chosen = values[counts.argmax()]
        same = np.isnan(lines[at]) if chosen != chosen else lines[at] == chosen
        result[at] = np.flatnonzero(same)[-1]
    return result


def _histogram_type(x: TensorType, *, bins: int, low: float, high: float) -> TensorType:
    check.kind("histc", ("float",), x)
    return TensorType(x.dtype, (bins,))


def _histogram(x: np.ndarray, *, bins: int, low: float, high: float) -> np.ndarray:
    if low == high == 0 and x.size:
        low, high = float(x.min()), float(x.max())
    inside = x[(x >= low) & (x <= high)]
    counts, _ = np.histogram(inside, bins, (low, high))
    return counts.astype(x.dtype)


argsort = Op("argsort", _argsort_type, _argsort, lower=Host())
topk = Op("topk", _topk_type, _topk, lower=Host())
kth = Op("kth", _kth_type, _kth, lower=Host())
searchsorted = Op("searchsorted", _searchsorted_type, _searchsorted, lower=Host())
mode = Op("mode", _mode_type, _mode, lower=Host())
histogram = Op("histogram", _histogram_type, _histogram, lower=Host())

OPS = (argsort, topk, kth, searchsorted, mode, histogram)
