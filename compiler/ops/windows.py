"""Pools written with windows: what `Op.lower` of each op of pool.py becomes in a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import Shape, numel
from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.graph import make as make_node
from jitnet.runtime.dtype import int64

from . import elementwise as e
from . import leaves, movement, reduce
from .window import fold, pooled_shape, window


def _out(image: Shape, params: dict[str, Any]) -> Shape:
    return pooled_shape(
        image,
        params["kernel"],
        params["stride"],
        params["padding"],
        params["dilation"],
        params["ceil"],
    )


def _window(x: Node, params: dict[str, Any], fill: float | int) -> Node:
    rank = len(params["kernel"])
    return window(
        x,
        kernel=params["kernel"],
        out=_out(x.shape[len(x.shape) - rank :], params),
        stride=params["stride"],
        dilation=params["dilation"],
        low=params["padding"],
        fill=fill,
    )


def _lowest(x: Node) -> float | int:
    return -np.inf if x.dtype.kind == "float" else int(np.iinfo(x.dtype.numpy).min)


def _last(x: Node, count: int) -> tuple[int, ...]:
    return tuple(range(len(x.shape) - count, len(x.shape)))


def _first_maximum(x: Node, params: dict[str, Any]) -> Node:
    """Return which tap of each window holds its first maximum: int64 [*batch, *out]."""
    view = _window(x, params, _lowest(x))
    rank = len(params["kernel"])
    lead = view.shape[: len(view.shape) - rank]
    flat = movement.reshape(view, shape=(*lead, numel(params["kernel"])))
    return reduce.argmax(flat, axis=len(lead))


def _chosen(best: Node, params: dict[str, Any]) -> Node:
    """Return [*batch, *out, taps]: whether a tap is the one of the first maximum."""
    shape = (*best.shape, numel(params["kernel"]))
    taps = make_node(leaves.iota, shape=shape, dtype=int64, axis=len(best.shape), line=best.line)
    return e.eq(taps, _repeat(best, shape[-1]))


def _repeat(x: Node, count: int) -> Node:
    return movement.expand(movement.reshape(x, shape=(*x.shape, 1)), shape=(*x.shape, count))


def _zeros(x: Node) -> Node:
    return leaves.full_like(x, value=0)


def _fold(taps: Node, shape: Shape, params: dict[str, Any]) -> Node:
    """Add up what the taps [*batch, *out, taps] hold, back onto an image of `shape`."""
    kernel = params["kernel"]
    wide = movement.reshape(taps, shape=(*taps.shape[:-1], *kernel))
    return fold(
        wide,
        shape=tuple(shape),
        kernel=kernel,
        stride=params["stride"],
        dilation=params["dilation"],
        low=params["padding"],
    )


def max_pool(node: Node) -> Node:
    """The maximum over each window."""
    x = node.args[0]
    view = _window(x, node.params, _lowest(x))
    return reduce.max(view, axes=_last(view, len(node.params["kernel"])))


def sum_pool(node: Node) -> Node:
    """The sum over each window."""
    view = _window(node.args[0], node.params, 0)
    return reduce.sum(view, axes=_last(view, len(node.params["kernel"])))


def sum_pool_grad(node: Node) -> Node:
    """Each element gets the gradients of the windows that it lies in."""
    g, params = node.args[0], node.params
    rank = len(params["kernel"])
    return _fold(_repeat(g, numel(params["kernel"])), node.shape[len(node.shape) - rank :], params)


def max_pool_grad(node: Node) -> Node:
    """Each window's gradient goes to its first maximum."""
    g, x = node.args
    chosen = _chosen(_first_maximum(x, node.params), node.params)
    g_taps = _repeat(g, chosen.shape[-1])
    taps = e.where(chosen, g_taps, _zeros(g_taps))
    rank = len(node.params["kernel"])
    return _fold(taps, node.shape[len(node.shape) - rank :], node.params)


def max_pool_gather(node: Node) -> Node:
    """The other image's element where the first maximum of each window lies."""
    t, x = node.args
    chosen = _chosen(_first_maximum(x, node.params), node.params)
    view = movement.reshape(_window(t, node.params, 0), shape=chosen.shape)
    return reduce.sum(e.where(chosen, view, _zeros(view)), axes=_last(view, 1))


def max_pool_index(node: Node) -> Node:
    """The offset of the first maximum in the flattened image."""
    x, params = node.args[0], node.params
    kernel = params["kernel"]
    rank = len(kernel)
    best = _first_maximum(x, params)

    def number(value: int) -> Node:
        return leaves.full_like(best, value=value)

    offset = number(0)
    for axis, size in enumerate(x.shape[len(x.shape) - rank :]):
        inner = numel(kernel[axis + 1 :])
        tap = e.remainder(e.floor_divide(best, number(inner)), number(kernel[axis]))
        axis_of_out = len(best.shape) - rank + axis
        place = make_node(
            leaves.iota, shape=best.shape, dtype=int64, axis=axis_of_out, line=best.line
        )
        start = e.sub(e.mul(place, number(params["stride"][axis])), number(params["padding"][axis]))
        at = e.add(start, e.mul(tap, number(params["dilation"][axis])))
        inside = e.minimum(e.maximum(at, number(0)), number(size - 1))
        offset = e.add(e.mul(offset, number(size)), inside)
    return offset
