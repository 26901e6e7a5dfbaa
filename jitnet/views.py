"""Views: the movement steps from a base, their strides, and writes through them."""

from __future__ import annotations

from typing import Any

from jitnet.compiler.ir.dims import reshaped_strides
from jitnet.compiler.ir.graph import Node, make
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ops import expand, permute, reshape, slice, slice_assign

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
    assert op is slice
    return apply(slice_assign, old, value, **params)
