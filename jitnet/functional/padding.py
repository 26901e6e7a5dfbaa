"""pad: elements around a tensor, constant or taken from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.compiler import ops

from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .joining import cat, span
from .shape import flip


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Tensor:
    """Return input with `pad` elements around: (left, right) of the last dim, then those before.

    mode: "constant", "reflect", "replicate" or "circular"; negative amounts cut off.
    """
    amounts = tuple(pad)
    if len(amounts) % 2 or len(amounts) > 2 * input.ndim:
        raise RuntimeError(
            at_line(f"pad wants a pair for each of at most {input.ndim} dims, got {amounts}")
        )
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    if value not in (None, 0):
        raise ValueError(at_line(f"pad mode {mode!r} takes no value, got {value}"))
    if mode not in _EDGES:
        known = ", ".join(["constant", *_EDGES])
        raise NotImplementedError(at_line(f"pad knows the modes {known}, got {mode!r}"))
    for offset, (low, high) in enumerate(pairs):
        axis = input.ndim - 1 - offset
        if low or high:
            input = _EDGES[mode](input, axis, low, high)
    return input


def _constant(x: Tensor, pairs: list[tuple[int, int]], value: Any) -> Tensor:
    rank = x.ndim
    low, high = [0] * rank, [0] * rank
    for offset, (before, after) in enumerate(pairs):
        axis = rank - 1 - offset
        size = x._type.shape[axis]
        start, stop = max(-before, 0), size - max(-after, 0)
        if start > stop:
            raise RuntimeError(
                at_line(f"pad cuts {-before} and {-after} off dim {axis} of size {size}")
            )
        if (start, stop) != (0, size):
            x = span(x, axis, start, stop)
        low[axis], high[axis] = max(before, 0), max(after, 0)
    if isinstance(value, Tensor):
        value = value.item()
    if not any(low) and not any(high):
        return x.clone()  # type: ignore[no-any-return]
    return ops.pad(x, low=tuple(low), high=tuple(high), value=value)


def _parts(x: Tensor, axis: int, before: Any, after: Any, low: int, high: int) -> Tensor:
    size = x._type.shape[axis]
    middle = span(x, axis, max(-low, 0), size - max(-high, 0))
    parts = [before] if low > 0 else []
    parts.append(middle)
    if high > 0:
        parts.append(after)
    return cat(parts, axis)


def _reflect(x: Tensor, axis: int, low: int, high: int) -> Tensor:
    size = x._type.shape[axis]
    if max(low, high) >= size:
        raise ShapeError(
            at_line(f"reflect wants padding smaller than the size {size}, got ({low}, {high})")
        )
    before = flip(span(x, axis, 1, 1 + max(low, 0)), axis)
    after = flip(span(x, axis, size - 1 - max(high, 0), size - 1), axis)
    return _parts(x, axis, before, after, low, high)


def _replicate(x: Tensor, axis: int, low: int, high: int) -> Tensor:
    size = x._type.shape[axis]
    if not size:
        raise ShapeError(at_line("replicate wants at least one element to repeat"))

    def repeated(edge: Tensor, count: int) -> Tensor:
        shape = list(x._type.shape)
        shape[axis] = max(count, 0)
        return edge.expand(shape)  # type: ignore[no-any-return]

    before, after = span(x, axis, 0, 1), span(x, axis, size - 1, size)
    return _parts(x, axis, repeated(before, low), repeated(after, high), low, high)


def _circular(x: Tensor, axis: int, low: int, high: int) -> Tensor:
    """What is cut off is gone before the rest is repeated."""
    x = span(x, axis, max(-low, 0), x._type.shape[axis] - max(-high, 0))
    low, high = max(low, 0), max(high, 0)
    size = x._type.shape[axis]
    if max(low, high) > size:
        raise ShapeError(
            at_line(f"circular wants padding of at most the size {size}, got ({low}, {high})")
        )
    before, after = span(x, axis, size - low, size), span(x, axis, 0, high)
    return _parts(x, axis, before, after, low, high)


_EDGES = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}
