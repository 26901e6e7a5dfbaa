"""Vector accesses of elements that are not neighbours but lie in a short span.

Loads load all of it, then pick; stores write all of it, with what lies between masked off.
"""

from __future__ import annotations

from jitnet.runtime.dtype import DType

from .emitter import I1, Function, Value, vector
from .masks import has_mask_registers, masked_store

FARTHEST = 4  # elements from one lane to the next up to which the span is loaded as a whole
SPAN_BYTES = 512  # of what may be loaded at once


def spans(dtype: DType, lanes: int, step: int) -> bool:
    """Return whether lanes `step` elements apart are loaded as one span."""
    return 1 < step <= FARTHEST and lanes > 1 and lanes * step * dtype.size <= SPAN_BYTES


def load_every(
    f: Function, pointer: Value, dtype: DType, lanes: int, step: int, constant: bool
) -> Value:
    """Return elements 0, step, 2 * step ... from pointer; nothing after the last is touched."""
    count = (lanes - 1) * step + 1
    span = f.load(pointer, vector(dtype.llvm, count), dtype.size, constant)
    return f.shuffle(span, None, range(0, count, step))


def load_repeated(
    f: Function, pointer: Value, dtype: DType, lanes: int, times: int, constant: bool
) -> Value:
    """Return each element from pointer `times` times over: a a b b ..."""
    count = -(-lanes // times)
    few = f.load(pointer, vector(dtype.llvm, count), dtype.size, constant)
    return f.shuffle(few, None, [lane // times for lane in range(lanes)])


def stores_span(f: Function, dtype: DType, lanes: int, step: int) -> bool:
    """Return whether lanes `step` elements apart are stored as one span."""
    return spans(dtype, lanes, step) and dtype.size >= 4 and has_mask_registers(f.target)


def store_every(f: Function, value: Value, pointer: Value, dtype: DType, step: int) -> None:
    """Write the lanes `step` elements apart; what is between them stays."""
    count = value.lanes * step
    spread = f.shuffle(value, None, [place // step for place in range(count)])
    mask = f.lanes_constant(I1, [int(place % step == 0) for place in range(count)])
    masked_store(f, spread, pointer, mask, dtype.size)
