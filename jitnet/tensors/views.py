"""Views: the movement steps from a base, their strides, and writes through them."""

from __future__ import annotations

from typing import Any

from jitnet.compiler.ir.dims import reshaped_strides
from jitnet.compiler.ir.graph import Node, make
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ops import (
    complex,
    expand,
    imag,
    permute,
    real,
    reshape,
    slice,
    slice_assign,
    view_as_complex,
    view_as_real,
)

Step = tuple[Op, dict[str, Any]]


def moved_strides(
    op: Op, params: dict[str, Any], shape: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Return the strides of the view that a movement op makes; None if it must copy."""
    if op is permute:
        return tuple(strides[axis] for axis in params["axes"])
    if op is expand:
        pairs = zip(shape, params["shape"], strides, strict=True)
        return tuple(step if old == new else 0 for old, new, step in pairs)
    if op is slice:
        return tuple(a * b for a, b in zip(strides, params["steps"], strict=True))
    if op in (real, imag):
        return tuple(2 * step for step in strides)
    if op is view_as_real:
        return (*(2 * step for step in strides), 1)
    if op is view_as_complex:
        paired = strides[-1] == 1 and not any(step % 2 for step in strides[:-1])
        return tuple(step // 2 for step in strides[:-1]) if paired else None
    return reshaped_strides(shape, strides, params["shape"])


def written(base: Node, steps: tuple[Step, ...], value: Node) -> Node:
    """Return the base's value after `value` was written through the view steps."""
    line = value.line
    values = [base]
    for op, params in steps[:-1]:
        values.append(make(op, values[-1], line=line, **params))
    for old, (op, params) in zip(reversed(values), reversed(steps), strict=False):
        value = unmoved(op, params, old, value, lambda op, *args, **kw: make(op, *args, **kw))
    return value


def unmoved(op: Op, params: dict[str, Any], old: Any, value: Any, apply: Any) -> Any:
    """Return `old` with `value` where the movement step shows it."""
    if op is reshape:
        return apply(reshape, value, shape=tuple(old.shape))
    if op is permute:
        axes = params["axes"]
        return apply(permute, value, axes=tuple(axes.index(i) for i in range(len(axes))))
    if op is expand:
        return apply(reshape, value, shape=tuple(old.shape))  # nothing is repeated: checked
    if op is real:
        return apply(complex, value, apply(imag, old))
    if op is imag:
        return apply(complex, apply(real, old), value)
    if op is view_as_real:
        return apply(view_as_complex, value)
    if op is view_as_complex:
        return apply(view_as_real, value)
    assert op is slice
    return apply(slice_assign, old, value, **params)
